"""Boards that hang: rendered once for all who look, on a change, and not too often. In virtual time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.site import Cover
from alarmhub.core.trials import Maintenance
from alarmhub.web import board_screens
from alarmhub.web.board_screens import BEAT_S, FRAMES_PER_S, SETTLE_S
from alarmhub.web.board_view import RedPhone
from tests.support.boards import Wall, places
from tests.support.virtual import in_virtual_time
from tests.support.ward import ALONE_WITH_COVER, ALWAYS, T0

SOON_S = SETTLE_S + 0.001
GAP_S = 1 / FRAMES_PER_S


def data_of(frame: bytes) -> Any:
    """What an event carries."""
    return json.loads(frame.decode().split("data: ", 1)[1])


@in_virtual_time
async def test_a_board_shows_a_commit_once_phones_and_sources_had_theirs() -> None:
    """Not within the engine's call, but as soon as the settling time is over."""
    async with Wall() as wall:
        screen = wall.hang()
        await wall.passes(1)
        number = screen.number
        wall.press("12/1")
        assert screen.number == number
        await wall.passes(SOON_S)

        assert (screen.number, places(screen)) == (number + 1, ["sal 12 plats 1"])
        said = data_of(screen.frame)
        assert said["board"]["alarms"][0]["place"]["sv"] == "sal 12 plats 1"
        assert said["at"] == T0


@in_virtual_time
async def test_a_storm_of_commits_is_a_few_frames_and_the_last_one_is_the_truth() -> None:
    """A hundred presses and resets within a second: some five frames, each the newest state."""
    async with Wall() as wall:
        screen = wall.hang()
        await wall.passes(1)
        before = screen.number
        for n in range(100):
            call = wall.press("12/1" if n % 2 else "13/1")
            if n < 98:
                wall.ward.reset("12/1" if n % 2 else "13/1", Kind.PATIENT_CALL)
                wall.desk.commit()
                assert not call.alarm.open
            await wall.passes(0.01)
        await wall.passes(GAP_S + SOON_S)

        assert 1 < screen.number - before <= FRAMES_PER_S + 2
        assert screen.shown is not None
        assert {alarm.id for alarm in screen.shown.alarms} == {alarm.id for alarm in wall.ward.open}
        assert wall.ward.open


@in_virtual_time
async def test_only_the_boards_concerned_are_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty people before one board, and boards of other wards: one rendering for one variant."""
    rendered: list[tuple[str, bool]] = []
    real = board_screens.board

    def counted(unit: str, *args: Any, public: bool) -> Any:
        rendered.append((unit, public))
        return real(unit, *args, public=public)

    monkeypatch.setattr(board_screens, "board", counted)
    async with Wall() as wall:
        wall.ward.covers()
        screens = [wall.hang() for _ in range(20)]
        wall.hang("205")
        wall.hang("202", public=True)
        await wall.passes(1)
        rendered.clear()
        wall.press("12/1")
        await wall.passes(SOON_S)

        assert len(set(map(id, screens))) == 1
        assert rendered == [("201", False)]


@in_virtual_time
async def test_an_alarm_that_ends_or_moves_away_leaves_the_board() -> None:
    """Reset; and a cover that ends takes its alarms along."""
    async with Wall() as wall:
        wall.ward.covers(*ALONE_WITH_COVER)
        ours, theirs = wall.hang("201"), wall.hang("202")
        wall.press("12/1")
        wall.press("13/1")
        await wall.passes(1)
        assert len(places(ours)) == len(places(theirs)) == 2

        wall.ward.reset("12/1", Kind.PATIENT_CALL)
        wall.desk.commit()
        await wall.passes(1)
        assert places(ours) == places(theirs) == ["sal 13 plats 1"]

        wall.ward.covers()
        wall.boards.look()
        await wall.passes(1)
        assert (places(ours), places(theirs)) == (["sal 13 plats 1"], [])

        wall.ward.covers(Cover("205", ALWAYS, place="f/201/13"))
        wall.boards.look()
        lent = wall.hang("205")
        await wall.passes(1)
        assert places(lent) == ["sal 13 plats 1"]


@in_virtual_time
async def test_reach_and_roster_are_seen_at_once() -> None:
    """As the engine says them; nobody waits for the next look."""
    async with Wall() as wall:
        screen = wall.hang()
        await wall.passes(1)
        wall.ward.no_phone("anna")
        wall.boards.reach_changed("anna")
        await wall.passes(SOON_S)
        assert screen.shown is not None
        assert {p.name: p.reach for p in screen.shown.people}["Anna"] is Reach.NONE
        assert screen.shown.counts.reachable == 3

        wall.ward.off_duty("anna")
        wall.boards.look()
        await wall.passes(GAP_S + SOON_S)
        assert screen.shown.counts.on_duty == 3


@in_virtual_time
async def test_what_nobody_tells_is_found_by_looking() -> None:
    """A maintenance window that begins, a red phone, a window that ends: within one beat."""
    async with Wall() as wall:
        screen = wall.hang()
        await wall.passes(BEAT_S)
        assert screen.shown is not None
        wall.windows["plant"] = Maintenance("plant", "dan", T0, T0 + 60_000)
        wall.red.append(RedPhone(staff="anna", device="d", code="muted", since=T0))
        await wall.passes(BEAT_S + SOON_S)
        assert [banner.code for banner in screen.shown.banners] == ["maintenance"]
        assert [line.name for line in screen.shown.red] == ["Anna"]

        wall.ward.now = T0 + 60_000
        await wall.passes(BEAT_S + SOON_S)
        assert screen.shown.banners == ()


@in_virtual_time
async def test_not_storing_is_on_every_board_and_in_every_beat() -> None:
    """And storing again."""
    async with Wall() as wall:
        screens = [wall.hang(), wall.hang("202", public=True)]
        await wall.passes(1)
        for storing in (False, True):
            wall.desk.storing = storing
            wall.boards.storing(storing)
            await wall.passes(GAP_S + SOON_S)
            assert [screen.shown and screen.shown.storing for screen in screens] == [storing, storing]
            assert data_of(wall.boards.beat_now())["storing"] is storing


@in_virtual_time
async def test_it_beats_whatever_happens_and_an_unchanged_board_is_not_sent_again() -> None:
    """Four beats in ten seconds: three lost ones are noticed within them."""
    async with Wall() as wall:
        screen = wall.hang()
        await wall.passes(1)
        number, beats = screen.number, wall.boards.beats
        await wall.passes(10)

        assert wall.boards.beats - beats == 10 / BEAT_S
        assert screen.number == number


@in_virtual_time
async def test_a_board_that_cannot_be_rendered_falls_silent_alone(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[dict[str, Any]]
) -> None:
    """A stale board that beats would look alive. The others go on, and it comes back by itself."""
    async with Wall() as wall:
        ours, theirs = wall.hang("201"), wall.hang("202")
        await wall.passes(1)
        real = board_screens.board

        def broken(unit: str, *args: Any, public: bool) -> Any:
            if unit == "201":
                raise KeyError("a label")
            return real(unit, *args, public=public)

        monkeypatch.setattr(board_screens, "board", broken)
        wall.press("12/1")
        await wall.passes(1)
        assert (ours.failed, theirs.failed) == (True, False)
        assert places(theirs) == ["sal 12 plats 1"]
        assert {line["unit"] for line in log_lines if line["event"] == "board_failed"} == {"201"}

        monkeypatch.setattr(board_screens, "board", real)
        await wall.passes(BEAT_S + SOON_S)
        assert not ours.failed
        assert places(ours) == ["sal 12 plats 1"]


@in_virtual_time
async def test_where_no_board_hangs_a_commit_costs_nothing() -> None:
    """Nothing is kept; the first board finds all that is open."""
    async with Wall() as wall:
        wall.press("12/1")
        await wall.passes(1)
        assert wall.boards.followers == 0
        screen = wall.hang()
        await wall.passes(SOON_S)
        assert places(screen) == ["sal 12 plats 1"]


@in_virtual_time
async def test_a_thousand_open_alarms_are_sorted_in_turns_and_all_are_found() -> None:
    """What changes meanwhile is not lost."""
    async with Wall() as wall:
        call = wall.press("12/1").alarm
        for n in range(999):
            wall.desk.state.put(replace(call, id=f"x{n}", key=f"x{n}"))
        screen = wall.hang()
        await wall.passes(SOON_S)
        assert screen.shown is not None
        assert len(screen.shown.alarms) + screen.shown.more == 1000


@in_virtual_time
async def test_once_is_the_board_of_this_instant() -> None:
    """For who asks without following."""
    async with Wall() as wall:
        wall.press("12/1")
        frame = wall.boards.once("201", public=True)
        assert [alarm.place.sv for alarm in frame.board.alarms] == ["sal 12 plats 1"]
        assert frame.board.public
