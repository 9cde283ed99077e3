"""The people of the live demo: whoever is on duty has a phone, hears it, answers, walks there, and resets.

Who reacts, how late, and who is busy comes from the model of nurses of the load generator, made quicker so
that it can be watched. They know only what their phones show. The module refuses to steer: if nobody reacts,
the hub has to pass the alarm on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from alarmhub.tasks import Crew, spawn
from load.nurses import Nurses
from load.phone_client import AlarmShown, ClosedByHub, PhoneClient
from load.phones import Frame, Phone

PACE: Final = 8.0
"""So much quicker than a real ward."""
LOOK_EVERY_S: Final = 2.0
CONNECT_AT_ONCE: Final = 16
NS: Final = 1_000_000_000
VISITOR_FIRST_S: Final = 30.0
"""Who visits the demo with a phone of their own gets so long to answer before the colleagues do."""

Leaves = Callable[[str], bool]
"""Whether the alarm with this id is left to somebody else first."""
AtPlace = Callable[[str], Awaitable[None]]
"""Presses the reset in the room of the alarm with this id."""


class Person:
    """One member of staff and the phone in the pocket."""

    def __init__(
        self, staff: str, index: int, phone: PhoneClient, nurses: Nurses, crew: Crew, leaves: Leaves
    ) -> None:
        self.staff, self.phone = staff, phone
        self._body = Phone(index, "")  # what the model knows people by
        self._nurses, self._crew, self._leaves = nurses, crew, leaves
        self._heard: dict[str, int] = {}

    async def live(self) -> None:
        """Listen and answer until the phone is signed off."""
        try:
            while True:
                for shown in await self.phone.wait_for(self._sounds, within_s=86_400):
                    first = shown.id not in self._heard
                    self._heard[shown.id] = shown.turn
                    self._react(shown, first)
        except (ClosedByHub, TimeoutError):
            return

    def _sounds(self, phone: PhoneClient) -> list[AlarmShown]:
        return [a for a in phone.alarms.values() if a.rings and self._heard.get(a.id, -1) < a.turn]

    def _react(self, shown: AlarmShown, first: bool) -> None:
        reaction = self._nurses.ring(self._body, _frame(shown), first)
        if reaction is not None:
            delay_ns, answer = reaction
            delay_s = delay_ns / NS + (VISITOR_FIRST_S if self._leaves(shown.id) else 0.0)
            spawn(self._answer(delay_s, answer, shown), f"{self.staff} answers", self._crew, ends=True)

    async def _answer(self, delay_s: float, answer: str, shown: AlarmShown) -> None:
        await asyncio.sleep(delay_s)
        now = self.phone.alarms.get(shown.id)
        if now is None:
            return  # somebody else was quicker
        if answer not in now.can:
            answer = "hold" if answer == "decline" and "hold" in now.can else "accept"
        if answer not in now.can or not await self.says(answer, now.id):
            return
        further = self._nurses.told(self._body, _frame(now), answer)
        if further is not None:
            walk_ns, then = further
            await asyncio.sleep(walk_ns / NS)
            await self.says(then, now.id)

    async def says(self, answer: str, alarm: str) -> bool:
        """Press a button on the phone; whether the hub took it."""
        try:
            return (await self.phone.answer(answer, alarm)).ok
        except (ClosedByHub, TimeoutError):
            return False

    async def finishes(self, alarm: str) -> bool:
        """Say what this person can say at the end of the work; whether that ended the alarm."""
        shown = self.phone.alarms.get(alarm)
        if shown is None:
            return False
        if "safe" in shown.can:
            await self.says("safe", alarm)
        return "done" in shown.can and await self.says("done", alarm)


class Staff:
    """Everybody on duty. `people` changes with the shifts."""

    def __init__(
        self, url: str, secrets: dict[str, str], on_duty: Callable[[], Collection[str]], at_place: AtPlace,
        crew: Crew, *, leaves: Leaves = lambda alarm: False, seed: int = 1, pace: float = PACE,
    ) -> None:  # fmt: skip
        self._url, self._secrets, self._on_duty = url, secrets, on_duty
        self._at_place, self._crew, self._leaves = at_place, crew, leaves
        self._nurses = Nurses(seed, self._reset_later, pace=pace)
        self._index = {staff: index for index, staff in enumerate(secrets)}
        self.people: dict[str, Person] = {}

    async def change_shift(self) -> None:
        """Sign in who has come on duty, sign off who has gone."""
        wanted = {staff for staff in self._on_duty() if staff in self._secrets}
        gone = [self.people.pop(staff) for staff in set(self.people) - wanted]
        doors = asyncio.Semaphore(CONNECT_AT_ONCE)

        async def come(staff: str) -> None:
            phone = PhoneClient(self._url, self._secrets[staff], f"phone-{staff}", name=staff)
            async with doors:
                await phone.connect()
            person = Person(staff, self._index[staff], phone, self._nurses, self._crew, self._leaves)
            self.people[staff] = person
            spawn(person.live(), f"{staff} at work", self._crew, ends=True)

        await asyncio.gather(*(come(staff) for staff in sorted(wanted - set(self.people))))
        await asyncio.gather(*(person.phone.close() for person in gone))

    async def keep_shifts(self) -> None:
        """Follow the roster for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.change_shift()

    async def sign_off(self) -> None:
        """All phones off."""
        people, self.people = list(self.people.values()), {}
        await asyncio.gather(*(person.phone.close() for person in people))

    def finish_later(self, alarm: str, delay_s: float) -> None:
        """Somebody ends this alarm after a while, on the phone if a phone can, else in the room."""
        spawn(self._finish(alarm, delay_s), f"end of {alarm}", self._crew, ends=True)

    def _reset_later(self, frame: Frame, delay_ns: int) -> None:
        self.finish_later(frame.id, delay_ns / NS)

    async def _finish(self, alarm: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        for person in list(self.people.values()):
            if await person.finishes(alarm):
                return
        await self._at_place(alarm)


def _frame(shown: AlarmShown) -> Frame:
    return Frame(
        "alarm", id=shown.id, rev=shown.rev, kind=shown.kind, priority=shown.priority, turn=shown.turn
    )
