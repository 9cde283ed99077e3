"""Drills and the health of phones over HTTP: begin a drill, what became of the last ones, how phones are.

Rights are per unit: who may see a unit's board sees its drills, who looks after its phones sees how they are.
It refuses to decide what a drill is, and to show anything of people who are off duty.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from aiohttp import hdrs, web
from msgspec import Meta, Struct

from alarmhub.core.drilling import DrillLine, Result
from alarmhub.core.rights import Action
from alarmhub.core.site import Site
from alarmhub.core.words import DRILL_WHY
from alarmhub.engine.drills import DrillRefused, Drills
from alarmhub.engine.handset import Health
from alarmhub.engine.handsets import Handsets
from alarmhub.people import DrillRow
from alarmhub.ports import Desk, Refused, Token
from alarmhub.web import wire
from alarmhub.web.auth import require
from alarmhub.web.problems import Failed, invalid
from alarmhub.web.server import WebSettings, read_body, reply
from alarmhub.web.views import language_of
from alarmhub.web.wire import moment

SHOWN: Final = 10
SHOWN_MOST: Final = 100

_Serve = Callable[[web.BaseRequest, Token | None, str], Awaitable[web.StreamResponse]]


class DrillIn(Struct, frozen=True, kw_only=True):
    """A drill to begin now."""

    heard: Annotated[bool, Meta(description="Phones show and speak PROV; else they stay silent.")] = False


class DrillLineOut(Struct, frozen=True, kw_only=True):
    """One way to one phone. `channel`: socket, webpush, apns, fcm, sms or pager. `outcome`: waiting, rang,
    delivered, cannot, failed or interrupted; `text`: why, in plain words."""

    staff: str
    name: str
    device: str
    label: str
    channel: str
    outcome: str
    why: str
    text: str
    after_ms: int | None


class DrillOut(Struct, frozen=True, kw_only=True):
    """A drill. `state`: running, ok, failed or interrupted. `lines` is empty once phones are forgotten."""

    id: str
    unit: str
    cause: str
    began_at: datetime
    ended_at: datetime | None
    state: str
    good: int
    red: int
    open: int
    version: str
    lines: tuple[DrillLineOut, ...]


class DrillsOut(Struct, frozen=True, kw_only=True):
    """A unit's drills, newest first."""

    unit: str
    drills: tuple[DrillOut, ...]


class WarningOut(Struct, frozen=True, kw_only=True):
    """What is wrong with a phone."""

    cause: str
    text: str
    since: datetime


class PhoneOut(Struct, frozen=True, kw_only=True):
    """How a phone on duty is; null where it cannot tell. `device` "": nobody has heard of one."""

    staff: str
    name: str
    device: str
    label: str
    reach: str
    app: str
    heard_at: datetime | None
    battery: int | None
    charging: bool | None
    muted: bool | None
    volume: int | None
    notifications: str | None
    push: bool | None
    visible: bool | None
    warnings: tuple[WarningOut, ...]


class PhonesOut(Struct, frozen=True, kw_only=True):
    """The phones on duty in a unit, by name."""

    unit: str
    phones: tuple[PhoneOut, ...]


_read = msgspec.json.Decoder(DrillIn)
_encode = msgspec.json.Encoder().encode


class DrillDoor:
    """The operations, by name of their route."""

    def __init__(self, *, drills: Drills, handsets: Handsets, desk: Desk, settings: WebSettings) -> None:
        self._drills, self._handsets, self._desk, self._settings = drills, handsets, desk, settings

    def serves(self) -> dict[str, _Serve]:
        """Each operation as the API calls it."""
        return {"listDrills": self._list, "postDrill": self._begin, "listPhones": self._phones}

    async def _list(self, request: web.BaseRequest, token: Token | None, unit: str) -> web.StreamResponse:
        site = self._admitted(token, Action.BOARD_READ, unit)
        rows = await self._drills.drills(unit, _limit(request.query.get("limit")))
        language = _language(request, site)
        return reply(
            _encode(DrillsOut(unit=unit, drills=tuple(self._shown(row, site, language) for row in rows)))
        )

    async def _begin(self, request: web.BaseRequest, token: Token | None, unit: str) -> web.StreamResponse:
        site = self._admitted(token, Action.DRILLS_RUN, unit)
        taken = wire.decoded(await read_body(request, self._settings), _read)
        try:
            row = await self._drills.drill(unit, heard=taken.heard)
        except DrillRefused as refused:
            raise Failed(
                HTTPStatus.CONFLICT,
                "drill_refused",
                f"{refused.field}: expected {refused.why}",
                field=refused.field,
                expected=refused.why,
            ) from None
        except Refused:
            raise Failed(
                HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", "this drill can never be stored", retry=False
            ) from None
        return reply(_encode(self._shown(row, site, _language(request, site))), HTTPStatus.CREATED)

    async def _phones(self, request: web.BaseRequest, token: Token | None, unit: str) -> web.StreamResponse:
        self._admitted(token, Action.DEVICES_UNIT, unit)
        return reply(_encode(PhonesOut(unit=unit, phones=tuple(map(_phone, self._handsets.phones(unit))))))

    def _admitted(self, token: Token | None, action: Action, unit: str) -> Site:
        assert token is not None
        require(token, action, unit)
        site = self._desk.world().site
        if unit not in site.units:
            raise Failed(HTTPStatus.NOT_FOUND, "not_found", "there is no such unit")
        return site

    def _shown(self, row: DrillRow, site: Site, language: str) -> DrillOut:
        result: Result = row.result
        labels = {p.device: p.label for n in result.lines for p in self._handsets.phones_of(n.staff)}
        return DrillOut(
            id=row.id, unit=row.unit, cause=row.cause, began_at=moment(row.began_at),
            ended_at=None if row.ended_at is None else moment(row.ended_at), state=str(result.state),
            good=result.good, red=result.red, open=result.open, version=result.version,
            lines=tuple(_line(n, site, language, labels) for n in result.lines),
        )  # fmt: skip


def _line(line: DrillLine, site: Site, language: str, labels: dict[str, str]) -> DrillLineOut:
    person = site.staff.get(line.staff)
    why = DRILL_WHY.get(line.why)
    return DrillLineOut(
        staff=line.staff, name=person.name if person is not None else line.staff, device=line.device,
        label=labels.get(line.device, ""), channel=line.channel, outcome=str(line.outcome), why=line.why,
        text="" if why is None else why[0 if language == "sv" else 1], after_ms=line.after_ms,
    )  # fmt: skip


def _phone(health: Health) -> PhoneOut:
    said = health.said
    return PhoneOut(
        staff=health.staff, name=health.name, device=health.device, label=health.label, reach=health.reach,
        app=health.app, heard_at=None if health.heard_at is None else moment(health.heard_at),
        battery=said.battery, charging=said.charging, muted=said.muted, volume=said.volume,
        notifications=said.notifications, push=said.push, visible=said.visible,
        warnings=tuple(
            WarningOut(cause=w.cause, text=w.text, since=moment(w.since)) for w in health.warnings
        ),
    )  # fmt: skip


def _limit(text: str | None) -> int:
    if text is None:
        return SHOWN
    if not (text.isascii() and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= SHOWN_MOST):
        raise invalid("limit", f"a whole number from 1 to {SHOWN_MOST}")
    return int(text)


def _language(request: web.BaseRequest, site: Site) -> str:
    return language_of(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), site)


ANSWERS: Final[dict[str, Any]] = {"listDrills": DrillsOut, "postDrill": DrillOut, "listPhones": PhonesOut}
