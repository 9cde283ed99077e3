"""Boards over real sockets: who may look, what comes, and how a stream ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest
from msgspec.structs import replace

from alarmhub.ports import Store
from alarmhub.web import board_screens
from alarmhub.web.api import Api
from alarmhub.web.board_door import BoardDoor, board_url
from alarmhub.web.routes import BOARD, BOARDS_READ, ROUTES
from alarmhub.web.server import WebSettings
from tests.support.boards import Wall, following
from tests.support.intake import BED, Intake, Shelf
from tests.support.waiting import until
from tests.support.web import Answer, trials_of
from tests.support.web import running as running_api

STAFF, PUBLIC, OTHER, PROGRAM = "staff-board", "public-board", "board-of-202", "a-program"
MANY = 200
KINDS = ("patient_call", "assistance")


class House(Wall):
    """A wall whose boards are reached over HTTP."""

    def __init__(self, **door: Any) -> None:
        super().__init__()
        intake = Intake()
        self.shelf = Shelf(intake)
        self.shelf.admit(STAFF, "board", "201", "staff")
        self.shelf.admit(PUBLIC, "board", "201", "public")
        self.shelf.admit(OTHER, "board", "202", "staff")
        self.shelf.admit(PROGRAM, "api", "a program", BOARDS_READ)
        self.api = Api(
            intake=intake,
            desk=intake,
            store=cast(Store, self.shelf),
            metrics_render=lambda: b"",
            settings=WebSettings(port=0),
            ready=lambda: "",
            trials=trials_of(intake),
            doors=[BoardDoor(self.boards, self.desk, **door)],
        )

    @property
    def url(self) -> str:
        """Where the boards are."""
        return f"http://127.0.0.1:{self.api.port}/api/v1/boards"

    async def stop(self) -> None:
        """As the hub does."""
        self.boards.close()
        await self.api.stop()


@asynccontextmanager
async def hung(**door: Any) -> AsyncIterator[tuple[House, aiohttp.ClientSession]]:
    """A house that serves, and somebody to call it."""
    async with House(**door) as house:
        await house.api.start()
        connector = aiohttp.TCPConnector(limit=0)
        try:
            async with aiohttp.ClientSession(connector=connector) as http:
                yield house, http
        finally:
            await house.stop()


async def asked(http: aiohttp.ClientSession, url: str, secret: str, method: str = "GET") -> Answer:
    """One answer."""
    async with http.request(method, url, headers={"Authorization": f"Bearer {secret}"}) as answer:
        return Answer(answer.status, answer.headers.copy(), await answer.read())


# Who may look


@pytest.mark.parametrize(
    ("secret", "path", "status"),
    [
        (STAFF, "/201", 200),
        (STAFF, "/201?variant=public", 200),
        (STAFF, "/202", 403),
        (PUBLIC, "/201", 200),
        (PUBLIC, "/201?variant=public", 200),
        (PUBLIC, "/201?variant=staff", 403),
        (PUBLIC, "/202", 403),
        (OTHER, "/202", 200),
        (OTHER, "/201", 403),
        (PROGRAM, "/201", 200),
        (PROGRAM, "/205", 200),
        (PROGRAM, "/nowhere", 404),
        (PROGRAM, "/201?variant=large", 400),
        ("of nobody", "/201", 401),
    ],
)
async def test_who_sees_which_board(secret: str, path: str, status: int) -> None:
    """Once and live alike; a public secret never opens the staff variant."""
    async with hung(followed_s=0) as (house, http):
        once = await asked(http, house.url + path, secret)
        unit, _, query = path.partition("?")
        live = await asked(http, f"{house.url}{unit}/events?{query}", secret)

    assert (once.status, live.status) == (status, status)
    if status == 200:
        assert once.body["board"]["public"] is (secret == PUBLIC or "public" in path)


async def test_a_boards_secret_opens_boards_and_nothing_else() -> None:
    """It hangs where strangers could read it: no other route takes it."""
    async with running_api(local_metrics=False) as (hub, call):
        hub.shelf.admit(STAFF, "board", "201", "staff")
        alarm = (await call.post(ref="r", event="start", place=BED, kind="patient_call")).body["alarm"]
        got = {}
        for route in ROUTES:
            path = route.path.replace("{id}", alarm).replace("{unit}", "201").replace("{file}", "base.css")
            body = {} if route.method in ("POST", "PUT") else None
            got[route.name] = (await call(route.method, path, secret=STAFF, json=body)).status

    for route in ROUTES:
        if BOARD in route.kinds:
            assert got[route.name] == 200, route.name
        elif route.kinds:
            assert got[route.name] in (401, 403), route.name


async def test_the_public_board_says_no_name_over_http() -> None:
    """In JSON and in every event."""
    async with hung() as (house, http):
        house.press("12/1").accepts("anna")
        house.desk.commit()
        once = await asked(http, f"{house.url}/201", PUBLIC)
        async with following(http, f"{house.url}/201", PUBLIC) as board:
            live = await board.board()
        staff = await asked(http, f"{house.url}/201", STAFF)

    for person in house.ward.site.staff.values():
        assert person.name not in once.raw.decode()
        assert person.name not in str(live)
    assert live == once.body["board"]
    assert staff.body["board"]["alarms"][0]["names"] == ["Anna"]


def test_the_address_of_a_board_has_its_secret_where_browsers_send_it_to_nobody() -> None:
    """In the fragment; ids of units with other letters are encoded."""
    assert board_url("http://hub:8080", "201", "s3cret") == "http://hub:8080/board/201#s3cret"
    assert board_url("http://hub", "akut/ö", "s") == "http://hub/board/akut%2F%C3%B6#s"


# What comes


async def test_a_board_begins_with_all_of_it_and_the_clock_and_goes_on_with_changes() -> None:
    """Board and beat at once, then a frame for each change."""
    async with hung() as (house, http), following(http, f"{house.url}/201", STAFF) as board:
        assert board.answer.headers["Content-Type"].startswith("text/event-stream")
        assert board.answer.headers["Cache-Control"] == "no-store"
        first = await board.event()
        beat = await board.event()
        assert (first[0], first[1]["board"]["alarms"]) == ("board", [])
        assert beat == ("beat", {"at": house.ward.now, "storing": True})

        house.press("12/1")
        [alarm] = (await board.board())["alarms"]
        assert (alarm["place"]["sv"], alarm["coming"]) == ("sal 12 plats 1", 0)
        house.desk.storing = False
        house.boards.storing(False)
        assert (await board.board())["storing"] is False
        house.desk.storing = True
        house.boards.storing(True)
        assert (await board.board())["storing"] is True


async def test_who_comes_later_gets_the_newest_frame_and_a_fresh_clock() -> None:
    """The frame may be old; the beat beside it is of this instant."""
    async with hung() as (house, http), following(http, f"{house.url}/201", STAFF) as first:
        await first.board()
        house.ward.now += 60_000
        async with following(http, f"{house.url}/201", STAFF) as second:
            await second.board()
            assert (await second.named("beat"))["at"] == house.ward.now


async def test_two_hundred_boards_see_every_storm_end() -> None:
    """A hundred commits in one go: each follower ends with the truth, after a handful of frames."""
    async with hung(followers_each=MANY) as (house, http), AsyncExitStack() as stack:
        boards = [
            await stack.enter_async_context(following(http, f"{house.url}/201", STAFF)) for _ in range(MANY)
        ]
        for board in boards:
            assert (await board.board())["alarms"] == []
        assert house.boards.followers == MANY
        for n in range(100):
            house.press("12/1", KINDS[n % 2])
            await house.passes(0)
        wanted = {alarm.id for alarm in house.ward.open}
        frames = 0
        for board in boards:
            while {alarm["id"] for alarm in (await board.board())["alarms"]} != wanted:
                frames += 1
        assert frames < MANY * 5
    assert house.boards.followers == 0


# How it ends


async def test_who_does_not_read_is_let_go_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that stops: its connection is cut after the time it has to take a frame; the other goes on."""
    real = board_screens.board

    def large(*args: Any, **more: Any) -> Any:
        shown = real(*args, **more)
        return replace(shown, name=f"{len(shown.alarms)} " + "x" * 1_000_000)

    monkeypatch.setattr(board_screens, "board", large)
    async with hung(taken_within_s=0.2) as (house, http):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.api.port, limit=1024)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        head = f"Host: localhost\r\nAuthorization: Bearer {STAFF}\r\n\r\n"
        writer.write(f"GET /api/v1/boards/201/events HTTP/1.1\r\n{head}".encode())
        async with following(http, f"{house.url}/201", STAFF) as board:
            await until(lambda: house.boards.followers == 2, within_s=5)
            await board.board()
            for bed in ("11", "12", "13", "14", "15", "16", "17", "18", "19"):
                house.press(f"{bed}/1", "assistance")
                await board.board()
                if house.boards.followers == 1:
                    break
            await until(lambda: house.boards.followers == 1, within_s=5)
            house.press("12", "emergency")
            assert (await board.board())["alarms"][0]["kind"] == "emergency"
        writer.close()
        del reader


async def test_who_goes_away_is_forgotten_with_the_next_beat() -> None:
    """No task, no screen stays."""
    async with hung() as (house, http):
        async with following(http, f"{house.url}/201", STAFF) as board:
            await board.board()
            assert house.boards.followers == 1
        await until(lambda: house.boards.followers == 0, within_s=10)


async def test_a_hub_that_stops_says_come_again_and_stops_at_once() -> None:
    """No board holds up the stop; each hears `again` and then the end."""
    async with hung() as (house, http), following(http, f"{house.url}/201", STAFF) as board:
        await board.board()
        began = asyncio.get_running_loop().time()
        await house.stop()
        assert asyncio.get_running_loop().time() - began < 2
        assert await board.named("again") == {}
        with pytest.raises(EOFError):
            await board.named("board")


async def test_changed_secrets_and_a_long_time_ask_anew() -> None:
    """A revoked secret sees nothing any more; nobody is trusted for ever."""
    async with hung() as (house, http):
        async with following(http, f"{house.url}/201", STAFF) as board:
            await board.board()
            house.shelf.tokens.clear()
            house.api.tokens_changed()
            house.boards.everybody_again()
            await board.named("again")
        assert (await asked(http, f"{house.url}/201/events", STAFF)).status == 401
    async with hung(followed_s=0.05) as (house, http), following(http, f"{house.url}/201", STAFF) as board:
        await board.board()
        await board.named("again")


async def test_secrets_that_changed_as_the_database_went_leave_the_boards_in_contact() -> None:
    """Told to come again, they find their way while nobody can ask the store."""
    async with hung() as (house, http):
        async with following(http, f"{house.url}/201", STAFF) as board:
            await board.board()
            house.api.tokens_changed()
            house.shelf.away = True
            house.boards.everybody_again()
            await board.named("again")
        async with following(http, f"{house.url}/201", STAFF) as board:
            await board.board()


async def test_while_nothing_can_be_stored_nobody_is_sent_to_ask_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody could say whether they may: they stay and see that nothing is stored; then they ask."""
    monkeypatch.setattr(board_screens, "BEAT_S", 0.1)
    async with hung(followed_s=0.05) as (house, http):
        house.desk.storing = False
        async with following(http, f"{house.url}/201", STAFF) as board:
            await board.board()
            for _ in range(2):
                assert (await board.named("beat"))["storing"] is False
            house.desk.storing = True
            house.boards.storing(True)
            await board.named("again")


async def test_more_boards_than_can_hang_are_told_to_come_later() -> None:
    """503 with Retry-After; a place that becomes free is given away."""
    async with hung(followers_most=1) as (house, http):
        async with following(http, f"{house.url}/201", STAFF) as board:
            await board.board()
            full = await asked(http, f"{house.url}/201/events", STAFF)
            assert (full.status, "Retry-After" in full.headers) == (503, True)
            house.boards.everybody_again()
            await board.named("again")
        async with following(http, f"{house.url}/201", STAFF) as board:
            await board.board()


async def test_one_secret_holds_no_other_board_off() -> None:
    """Whoever reads the secret of the board in the corridor and follows it over and over takes no place of
    the others; what is let go of is free again."""
    async with hung(followers_each=2) as (house, http):
        async with following(http, f"{house.url}/201", PUBLIC) as first:
            await first.board()
            async with following(http, f"{house.url}/201", PUBLIC) as second:
                await second.board()
                full = await asked(http, f"{house.url}/201/events", PUBLIC)
                assert (full.status, "Retry-After" in full.headers) == (503, True)
                async with following(http, f"{house.url}/201", STAFF) as other:
                    await other.board()
                    house.boards.everybody_again()
                    for board in (first, second, other):
                        await board.named("again")
        async with following(http, f"{house.url}/201", PUBLIC) as board:
            await board.board()


async def test_head_tells_the_headers_and_ends() -> None:
    """And a stream is for GET only."""
    async with hung() as (house, http):
        answer = await asked(http, f"{house.url}/201/events", STAFF, "HEAD")
        assert (answer.status, answer.raw) == (200, b"")
        assert (await asked(http, f"{house.url}/201/events", STAFF, "POST")).status == 405
