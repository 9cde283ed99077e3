"""Boards that hang on an invented ward: a desk that can be turned, and somebody who follows over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import aiohttp

from alarmhub.core.alarm import Alarm
from alarmhub.core.reach import Reach
from alarmhub.core.trials import Maintenance
from alarmhub.core.world import World
from alarmhub.engine.state import State
from alarmhub.ports import Change
from alarmhub.tasks import Crew, spawn
from alarmhub.web.board_screens import Boards, Screen
from alarmhub.web.board_view import RedPhone
from tests.support.ward import Call, Ward

WITHIN_S = 5.0


class WardDesk:
    """`Desk` over a ward: its open alarms, indexed as in the hub. `commit` is what the engine does after one;
    `tell` hears the changes."""

    def __init__(self, ward: Ward) -> None:
        self.ward = ward
        self.storing = True
        self.state = State()
        self.tell: list[Any] = []

    def commit(self) -> list[Change]:
        """All that the ward has decided since the last commit."""
        changes = []
        for alarm in self.ward.alarms.values():
            before = self.state.get(alarm.id)
            if alarm is not before and (alarm.open or before is not None):
                self.state.put(alarm)
                changes.append(Change(before, alarm))
        for phones in self.tell:
            phones.refresh(changes)
        return changes

    def now(self) -> int:
        return self.ward.now

    def world(self) -> World:
        return self.ward.world

    def open_alarm(self, id: str) -> Alarm | None:
        return self.state.get(id)

    def open_alarms(self) -> Collection[Alarm]:
        return self.state.alarms.values()

    def shown_to(self, staff: str) -> Sequence[Alarm]:
        return self.state.of_staff(staff)

    def contact(self, staff: str, device: str, reach: Reach, at: int) -> None:
        raise AssertionError("not for boards")

    def lost_many(self, at: int) -> None:
        raise AssertionError("not for boards")


class Wall:
    """A ward, its desk, and boards that are kept up to date; as a context manager."""

    def __init__(self) -> None:
        self.ward = Ward()
        self.desk = WardDesk(self.ward)
        self.windows: dict[str, Maintenance] = {}
        self.red: list[RedPhone] = []
        self.boards = Boards(desk=self.desk, maintenances=lambda: self.windows, red=lambda unit: self.red)
        self.desk.tell.append(self.boards)
        self._hung = ExitStack()

    async def __aenter__(self) -> Wall:
        self._crew = Crew("boards")
        spawn(self.boards.run(), "boards", self._crew)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._hung.close()
        await self._crew.close()

    def hang(self, unit: str = "201", *, public: bool = False) -> Screen:
        """A board somebody looks at, to the end of the test."""
        return self._hung.enter_context(self.boards.following(unit, public=public))

    def press(self, *args: Any, **more: Any) -> Call:
        """An alarm, decided and committed."""
        call = self.ward.press(*args, **more)
        self.desk.commit()
        return call

    async def passes(self, seconds: float) -> None:
        """Time, virtual or real."""
        await asyncio.sleep(seconds)


def places(screen: Screen) -> list[str]:
    """Of the alarms on a board."""
    assert screen.shown is not None, "nothing has been rendered yet"
    return [alarm.place.sv for alarm in screen.shown.alarms]


class Follower:
    """Reads a board's events over HTTP, one at a time."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer
        self._rest = b""

    async def event(self) -> tuple[str, Any]:
        """The next event: name and data. Raises EOFError when the hub has ended the stream."""
        while b"\n\n" not in self._rest:
            async with asyncio.timeout(WITHIN_S):
                more = await self.answer.content.readany()
            if not more:
                raise EOFError
            self._rest += more
        block, _, self._rest = self._rest.partition(b"\n\n")
        lines = dict(line.split(": ", 1) for line in block.decode().splitlines())
        return lines["event"], json.loads(lines["data"])

    async def named(self, wanted: str) -> Any:
        """The data of the next event of this name."""
        while True:
            name, data = await self.event()
            if name == wanted:
                return data

    async def board(self) -> dict[str, Any]:
        """The next board."""
        board: dict[str, Any] = (await self.named("board"))["board"]
        return board


@asynccontextmanager
async def following(
    http: aiohttp.ClientSession, url: str, secret: str, query: str = ""
) -> AsyncIterator[Follower]:
    """Somebody who follows a board."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with http.get(f"{url}/events{query}", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        yield Follower(answer)
