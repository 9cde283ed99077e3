"""Shift start and shift end over HTTP: me, my unit, my beds, one tap that proves I heard the phone.

It refuses to decide what a shift is (`core.shifts`), and to let anybody go with an alarm in hand that has no
receiver: it says which, and who could.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from aiohttp import hdrs, web
from msgspec import Meta, Struct

from alarmhub.core import shifts
from alarmhub.core.alarm import told_of
from alarmhub.core.rights import EVERY_UNIT, Action
from alarmhub.core.roster import Shift
from alarmhub.core.shifts import Heard, SignOff, SignOn
from alarmhub.core.site import Place, Site
from alarmhub.core.wording import error_label
from alarmhub.engine import notices
from alarmhub.ports import AnswerOutcome, Desk, Intake, Token
from alarmhub.web import reading, wire
from alarmhub.web.auth import require, units_allowed
from alarmhub.web.device_door import Receivers, Serve
from alarmhub.web.named import colleague, in_hand, receiver_needed
from alarmhub.web.problems import Colleague, Failed, InHand, unknown
from alarmhub.web.server import WebSettings, read_body, reply
from alarmhub.web.views import language_of
from alarmhub.web.wire import Name, moment

BEDS_MOST: Final = 200
ROLES_MOST: Final = 20

_encode = msgspec.json.Encoder().encode


class ShiftIn(Struct, frozen=True, kw_only=True):
    """Where I work, with which beds, in which roles besides the scheduled ones. `staff`: somebody else whom I
    sign on, as shift leader."""

    unit: Name
    beds: Annotated[tuple[wire.Place, ...], Meta(max_length=BEDS_MOST)] = ()
    roles: Annotated[tuple[Name, ...], Meta(max_length=ROLES_MOST)] = ()
    staff: Name | None = None


class HeardIn(Struct, frozen=True, kw_only=True):
    """`alarm`: the test ring that I heard; without it the phone rings."""

    alarm: Name | None = None


class OffIn(Struct, frozen=True, kw_only=True):
    """`receivers`: who takes on what is in hand, by alarm. `staff`: whom I sign off, as shift leader."""

    receivers: Receivers = {}
    staff: Name | None = None


class UnitOut(Struct, frozen=True, kw_only=True):
    """A unit by name."""

    id: str
    name: str


class BedOut(Struct, frozen=True, kw_only=True):
    """A bed and who has it now; nobody: it rings everyone on duty."""

    place: str
    label: str
    team: tuple[Colleague, ...]
    mine: bool


class ShiftNow(Struct, frozen=True, kw_only=True):
    """What I said. `heard_at`: when I proved that my phone rings, null = not yet in this shift."""

    unit: str
    since: datetime
    until: datetime
    beds: tuple[str, ...]
    roles: tuple[str, ...]
    heard_at: datetime | None


class ShiftOut(Struct, frozen=True, kw_only=True):
    """Everything shift start and end need. `shift`: null = I have not signed on; the schedule counts.
    `accepted`: what I have in hand."""

    me: Colleague
    unit: str
    units: tuple[UnitOut, ...]
    shift: ShiftNow | None
    beds: tuple[BedOut, ...]
    accepted: tuple[InHand, ...]


class HeardOut(Struct, frozen=True, kw_only=True):
    """The test ring. `heard`: it is proved."""

    alarm: str
    heard: bool
    heard_at: datetime | None = None


class OffOut(Struct, frozen=True, kw_only=True):
    """Off duty, to the end of what the schedule has."""

    ok: bool = True
    until: datetime


_SHIFT: Final = msgspec.json.Decoder(ShiftIn)
_HEARD: Final = msgspec.json.Decoder(HeardIn)
_OFF: Final = msgspec.json.Decoder(OffIn)


class ShiftDoor:
    """The operations, by name of their route. `shifts`: what people said last, by staff."""

    def __init__(
        self,
        *,
        intake: Intake,
        desk: Desk,
        shifts: Callable[[], Mapping[str, Shift]],
        settings: WebSettings,
    ) -> None:
        self._intake, self._desk, self._shifts, self._settings = intake, desk, shifts, settings
        self._rings: dict[str, str] = {}  # staff → key of the last test ring

    def serves(self) -> dict[str, Serve]:
        """Each operation as the API calls it."""
        return {
            "getShift": self._get,
            "putShift": self._put,
            "postHeard": self._heard,
            "endShift": self._off,
        }

    async def _get(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        caller = _known(token)
        unit = reading.unit_asked(request.query)
        if unit:
            self._unit(unit)
            require(caller, Action.SHIFT_OWN, unit)
        return reply(_encode(self._shown(request, caller, caller.subject, unit)))

    async def _put(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        caller = _known(token)
        taken = wire.decoded(await read_body(request, self._settings), _SHIFT)
        self._unit(taken.unit)
        staff = self._whose(caller, taken.staff, {taken.unit})
        site = self._desk.world().site
        wrong = shifts.fault_in(site, staff, taken.unit, taken.beds, taken.roles, self._desk.now())
        if wrong is not None:
            raise unknown(wrong.field, wrong.expected)
        said = SignOn(taken.unit, taken.beds, taken.roles)
        outcome = await self._intake.duty(staff=staff, said=said)
        if not outcome.ok:
            raise self._refused(request, outcome, staff)
        return reply(_encode(self._shown(request, caller, staff, taken.unit)))

    async def _off(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        caller = _known(token)
        taken = wire.decoded(await read_body(request, self._settings), _OFF)
        staff = caller.subject
        if taken.staff is not None:
            staff = self._whose(caller, taken.staff, set())
        outcome = await self._intake.duty(staff=staff, said=SignOff(taken.receivers))
        if not outcome.ok:
            raise self._refused(request, outcome, staff)
        off = self._shifts().get(staff)
        return reply(_encode(OffOut(until=moment(off.until if off is not None else self._desk.now()))))

    def _whose(self, caller: Token, staff: str | None, units: set[str]) -> str:
        """Me by my own right in these units, somebody else by a shift leader's: there, and in all units that
        lose who is on duty there now."""
        if staff is None or staff == caller.subject:
            for unit in units:
                require(caller, Action.SHIFT_OWN, unit)
            return caller.subject
        now = {duty.unit for duty in self._desk.world().roster.by_staff.get(staff, ())}
        for unit in sorted(units | now) or [EVERY_UNIT]:
            require(caller, Action.SHIFT_OTHERS, unit)
        return staff

    # The test ring

    async def _heard(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        staff = _known(token).subject
        taken = wire.decoded(await read_body(request, self._settings), _HEARD)
        shift = self._signed_on(staff)
        if shift is None:
            raise self._refused(request, AnswerOutcome(False, "not_signed_on"), staff)
        if taken.alarm is None:
            return await self._ring(staff, shift)
        alarm = self._desk.open_alarm(taken.alarm)
        told = None if alarm is None else told_of(alarm, staff)
        if alarm is None or told is None or not notices.is_trial_ring(alarm, staff):
            raise Failed(HTTPStatus.NOT_FOUND, "not_found", "this test ring is over: start another")
        if told.rang_at is None:
            raise Failed(
                HTTPStatus.CONFLICT, "not_rang", "no phone of yours has rung for it yet", error="not_rang",
                retry=True,
            )  # fmt: skip
        outcome = await self._intake.duty(staff=staff, said=Heard())
        if not outcome.ok:
            raise self._refused(request, outcome, staff)
        await self._intake.signal(notices.drill_over(alarm.key, alarm.unit))
        now = self._signed_on(staff)
        heard_at = None if now is None or now.heard_at is None else moment(now.heard_at)
        return reply(_encode(HeardOut(alarm=alarm.id, heard=True, heard_at=heard_at)))

    async def _ring(self, staff: str, shift: Shift) -> web.StreamResponse:
        """One at a time: what rang before is over."""
        before = self._rings.get(staff)
        if before is not None:
            await self._intake.signal(notices.drill_over(before, shift.unit))
        signal = notices.trial_ring(self._desk.world().site, staff, shift.unit, self._desk.now())
        outcome = await self._intake.signal(signal)
        self._rings[staff] = signal.key
        return reply(_encode(HeardOut(alarm=outcome.alarm or "", heard=False)), HTTPStatus.CREATED)

    # What is shown

    def _shown(self, request: web.BaseRequest, caller: Token, staff: str, unit: str) -> ShiftOut:
        world = self._desk.world()
        site, shift = world.site, self._signed_on(staff)
        units = self._units(caller)
        unit = unit or (shift.unit if shift is not None else "") or next((u.id for u in units), "")
        beds = sorted((p for p in site.places.values() if p.unit == unit and p.point == "bed"), key=_natural)
        return ShiftOut(
            me=colleague(staff, site),
            unit=unit,
            units=units,
            shift=None if shift is None else _now(shift),
            beds=tuple(self._bed(place, staff, site) for place in beds),
            accepted=in_hand(self._desk, staff, _language(request, site)),
        )

    def _bed(self, place: Place, staff: str, site: Site) -> BedOut:
        team = self._desk.world().roster.by_bed.get(place.path, ())
        return BedOut(
            place=place.path, label=place.label, team=tuple(colleague(one, site) for one in team),
            mine=staff in team,
        )  # fmt: skip

    def _units(self, caller: Token) -> tuple[UnitOut, ...]:
        """Where this person may sign on: the own ones first."""
        site, allowed = self._desk.world().site, units_allowed(caller, Action.SHIFT_OWN)
        person = site.staff.get(caller.subject)
        own = person.units if person is not None else ()
        found = [u for u in site.units.values() if allowed is None or u.id in allowed]
        found.sort(key=lambda unit: (unit.id not in own, unit.id))
        return tuple(UnitOut(id=unit.id, name=unit.name) for unit in found)

    def _signed_on(self, staff: str) -> Shift | None:
        shift = self._shifts().get(staff)
        return shift if shift is not None and shift.unit and self._desk.now() < shift.until else None

    def _unit(self, unit: str) -> None:
        if unit not in self._desk.world().site.units:
            raise unknown("unit", "the id of a unit of the site")

    def _refused(self, request: web.BaseRequest, outcome: AnswerOutcome, staff: str) -> Failed:
        language = _language(request, self._desk.world().site)
        if outcome.error == "receiver_needed":
            return receiver_needed(self._desk, outcome, staff, language)
        detail = error_label(outcome.error, language)
        return Failed(HTTPStatus.CONFLICT, "shift_refused", detail, error=outcome.error)


def _now(shift: Shift) -> ShiftNow:
    return ShiftNow(
        unit=shift.unit, since=moment(shift.at), until=moment(shift.until), beds=shift.beds,
        roles=shift.roles, heard_at=None if shift.heard_at is None else moment(shift.heard_at),
    )  # fmt: skip


def _language(request: web.BaseRequest, site: Site) -> str:
    return language_of(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), site)


def _natural(place: Place) -> list[tuple[int, str]]:
    """Room 2 before room 10."""
    return [(int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", place.path)]


def _known(token: Token | None) -> Token:
    if token is None:
        raise RuntimeError("a route for people has reached its operation without one")
    return token
