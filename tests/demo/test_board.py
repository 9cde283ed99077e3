"""The board: what is open, who is told, who comes, what happens next."""

from __future__ import annotations

import io

from msgspec.structs import replace
from rich.console import Console

from alarmhub.core.alarm import Acceptance, Alarm, Flag, Phase, Told
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.roster import roster_at
from alarmhub.core.world import World
from alarmhub.demo.board import Changes, Row, ordered, table
from alarmhub.demo.ground import demo_site
from tests.demo.test_story import CALL, RAISED_AT

SITE = demo_site()
WORLD = World(SITE, roster_at(SITE, RAISED_AT, {}), {})
TEAM = (
    Told("bengt.granberg", 1, RAISED_AT, "care_team", rang_at=RAISED_AT),
    Told("gustav.frisk", 1, RAISED_AT, "x"),
)
RINGING = replace(CALL, phase=Phase.RINGING, turn=1, told=TEAM, answer_at=RAISED_AT + 45_000)
NOW = RAISED_AT + 5_000


def test_a_ringing_alarm_shows_who_is_told_and_when_it_passes_on() -> None:
    """And how many of their phones have rung."""
    row = Row(RINGING, WORLD, NOW)

    assert (row.place, row.unit) == ("sal 12 plats 2", "Medicin 201")
    assert row.who == "Bengt Granberg, Gustav Frisk"
    assert (row.age, row.next, row.reach, row.phase) == ("0:05", "40 s", "1/2", "ringer")


def test_a_taken_alarm_shows_who_comes_and_who_is_there() -> None:
    """The arrow is on the way, the tick has arrived."""
    taken = replace(
        RINGING,
        phase=Phase.ACCEPTED,
        acceptances=(
            Acceptance("bengt.granberg", NOW, arrived_at=NOW),
            Acceptance("gustav.frisk", NOW),
        ),
        remind_at=NOW + 60_000,
    )

    row = Row(taken, WORLD, NOW)

    assert row.who == "✓ Bengt Granberg, → Gustav Frisk"
    assert row.next == "60 s"


def test_flags_that_matter_are_said() -> None:
    """Nobody has taken it, the last resort rings."""
    row = Row(replace(RINGING, flags=(Flag.UNANSWERED, Flag.LAST_RESORT, Flag.PRESENCE)), WORLD, NOW)

    assert row.phase == "ringer, obesvarat, sista utvägen ringer"


def test_many_told_are_counted() -> None:
    """Four names, and how many more."""
    told = tuple(Told(staff, 1, NOW, "unit") for staff in list(SITE.staff)[:9])

    assert Row(replace(RINGING, told=told), WORLD, NOW).who.endswith("+5")


def test_the_most_urgent_comes_first() -> None:
    """What rings before what is taken, then priority, then age."""

    def alarm(id: str, phase: Phase, priority: Priority, at: int) -> Alarm:
        return replace(RINGING, id=id, phase=phase, priority=priority, raised_at=at)

    order = ordered([
        alarm("taken", Phase.ATTENDED, Priority.HIGH, 1), alarm("young", Phase.RINGING, Priority.LOW, 9),
        alarm("old", Phase.RINGING, Priority.LOW, 2), alarm("high", Phase.RINGING, Priority.HIGH, 9),
    ])  # fmt: skip

    assert [one.id for one in order] == ["high", "old", "young", "taken"]


def test_the_table_can_be_drawn_whatever_a_plant_calls_its_places() -> None:
    """Brackets in names are names."""
    odd = replace(RINGING, place="[bold]", unit="?", kind=Kind.TECHNICAL, type="[x]", count=3)
    out = io.StringIO()

    Console(file=out, width=140).print(table([odd, RINGING], WORLD, NOW, {"live": 2}, 7))

    text = out.getvalue()
    assert "[bold]" in text and "[x] ×3" in text and "sal 12 plats 2" in text
    assert "2 open, 7 ended" in text and "2 live" in text


def test_changes_are_told_once() -> None:
    """New, taken, ended: a line each; nothing new, no line."""
    changes = Changes()
    taken = replace(RINGING, phase=Phase.ACCEPTED, acceptances=(Acceptance("gustav.frisk", NOW),))

    first = changes.lines([RINGING], WORLD, NOW)
    again = changes.lines([RINGING], WORLD, NOW + 1_000)
    then = changes.lines([taken], WORLD, NOW + 2_000)
    last = changes.lines([], WORLD, NOW + 3_000)

    assert len(first) == 1 and "ringer" in first[0] and first[0].startswith("10:00:05")
    assert again == []
    assert len(then) == 1 and "→ Gustav Frisk" in then[0]
    assert last == ["10:00:08  Patientkallelse · sal 12 plats 2, Medicin 201 · avslutat"]
    assert changes.ended == 1
