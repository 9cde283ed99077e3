"""Phones over HTTP: enrolled by a scanned code, handed over, put back, revoked.

A code travels in the fragment of a URL, which no server and no log sees. It refuses to keep anything: what
counts is `engine.carrying`.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

import msgspec
import segno
from aiohttp import hdrs, web
from msgspec import Meta, Struct

from alarmhub.core.reach import Reach
from alarmhub.core.rights import EVERY_UNIT, Action
from alarmhub.engine.carrying import Carrying, NoSuchPhone, PhoneBusy, ReceiverNeeded
from alarmhub.engine.invitations import CodeOver, Invitation, TooManyGuesses
from alarmhub.people import Device, Devices
from alarmhub.ports import Desk, Token
from alarmhub.web import reading, wire
from alarmhub.web.auth import forbidden, require
from alarmhub.web.named import receiver_needed
from alarmhub.web.problems import Failed, later, unknown
from alarmhub.web.server import WebSettings, read_body, reply
from alarmhub.web.sessions import Sessions
from alarmhub.web.views import language_of
from alarmhub.web.wire import Name, moment

LABEL_CHARS: Final = 64
MODULE_PX: Final = 6
QUIET_MODULES: Final = 4
"""ISO/IEC 18004 section 6.3.8: nothing may stand nearer to the code."""

Code = Annotated[str, Meta(min_length=1, max_length=64)]
Label = Annotated[str, Meta(max_length=LABEL_CHARS, pattern=r"^[^\x00-\x1f\x7f]*$")]
Receivers = Annotated[dict[str, Name], Meta(max_length=100)]

Serve = Callable[[web.BaseRequest, Token | None, str], Awaitable[web.StreamResponse]]

_encode = msgspec.json.Encoder().encode


class EnrolmentIn(Struct, frozen=True, kw_only=True):
    """Which phone is to be enrolled: mine, or one for a unit's drawer (`pool`, with its `unit`)."""

    label: Label = ""
    pool: bool = False
    unit: Name | None = None


class CodeOut(Struct, frozen=True, kw_only=True):
    """A code, as a URL to open, and as a QR code (SVG) to scan. It is over after two minutes or one use."""

    code: str
    url: str
    qr: str
    expires_at: datetime


class DeviceIn(Struct, frozen=True, kw_only=True):
    """This phone, and the code it was given."""

    code: Code
    label: Label = ""
    platform: Label = ""


class EnrolledOut(Struct, frozen=True, kw_only=True):
    """Enrolled. `secret` is told this once. `staff`: who carries the phone, "" = nobody yet."""

    device: str
    secret: str
    staff: str
    pool: bool


class HandoverIn(Struct, frozen=True, kw_only=True):
    """The code a pool phone shows. `receivers`: who takes on what its carrier has in hand, by alarm."""

    code: Code
    receivers: Receivers = {}


class BindIn(Struct, frozen=True, kw_only=True):
    """`receivers`: who takes on what the phone's carrier has in hand, by alarm."""

    receivers: Receivers = {}


class DeviceOut(Struct, frozen=True, kw_only=True):
    """A phone. `staff`, `name`: who carries it, "" = nobody; `reach`: live, recent, pushable or none."""

    device: str
    label: str
    platform: str
    pool: bool
    unit: str
    staff: str
    name: str
    enrolled_at: datetime
    reach: str


class DevicePage(Struct, frozen=True, kw_only=True):
    """Some phones, none of them revoked."""

    devices: tuple[DeviceOut, ...]


_ENROLMENT: Final = msgspec.json.Decoder(EnrolmentIn)
_DEVICE: Final = msgspec.json.Decoder(DeviceIn)
_HANDOVER: Final = msgspec.json.Decoder(HandoverIn)
_BIND: Final = msgspec.json.Decoder(BindIn)


class DeviceDoor:
    """The operations, by name of their route. `reach(staff, device)`: how one phone can be reached."""

    def __init__(
        self,
        *,
        carrying: Carrying,
        devices: Devices,
        sessions: Sessions,
        desk: Desk,
        reach: Callable[[str, str], Reach],
        settings: WebSettings,
    ) -> None:
        self._carrying, self._devices, self._sessions = carrying, devices, sessions
        self._desk, self._reach, self._settings = desk, reach, settings

    def serves(self) -> dict[str, Serve]:
        """Each operation as the API calls it."""
        return {
            "postEnrolment": self._invite,
            "enrolDevice": self._enrol,
            "listDevices": self._list,
            "revokeDevice": self._revoke,
            "offerHandover": self._offer,
            "takeHandover": self._take,
            "bindDevice": self._bind,
            "unbindDevice": self._unbind,
        }

    # Enrolling

    async def _invite(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        caller = _known(token)
        taken = wire.decoded(await read_body(request, self._settings), _ENROLMENT)
        unit = taken.unit or ""
        if unit and unit not in self._desk.world().site.units:
            raise unknown("unit", "the id of a unit of the site")
        if taken.pool:
            if not unit:
                raise unknown("unit", "the unit whose drawer the phone belongs to")
            require(caller, Action.DEVICES_UNIT, unit)
        code, invitation = self._carrying.codes.issue(
            "enrol", caller.subject, label=taken.label, pool=taken.pool, unit=unit if taken.pool else ""
        )
        return reply(self._shown(request, "enrol", code, invitation), HTTPStatus.CREATED)

    async def _enrol(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        taken = wire.decoded(await read_body(request, self._settings), _DEVICE)
        with _explained(self._desk, request):
            device, secret = await self._carrying.enrol(
                taken.code, self._sessions.peer(request), taken.label, taken.platform
            )
        out = EnrolledOut(device=device.id, secret=secret, staff=device.staff, pool=device.pool)
        return reply(_encode(out), HTTPStatus.CREATED)

    # Handing over

    async def _offer(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        device = await self._phone(token)
        if not device.pool:
            raise Failed(
                HTTPStatus.CONFLICT, "not_pool", "only a unit's pool phones are handed over by scanning",
                error="not_pool",
            )  # fmt: skip
        code, invitation = self._carrying.codes.issue("handover", device.id)
        return reply(self._shown(request, "handover", code, invitation), HTTPStatus.CREATED)

    async def _take(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        caller = _known(token)
        taken = wire.decoded(await read_body(request, self._settings), _HANDOVER)
        peer = self._sessions.peer(request)
        with _explained(self._desk, request):
            device = await self._carrying.take(taken.code, peer, caller.subject, taken.receivers)
        return reply(_encode(self._out(device)))

    async def _bind(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        # The phone has shown its secret; who is signed in on it has shown the session.
        person = await self._sessions.caller(request)
        device = await self._phone(token)
        taken = wire.decoded(await read_body(request, self._settings), _BIND)
        with _explained(self._desk, request):
            bound = await self._carrying.bind(device.id, person.subject, taken.receivers)
        return reply(_encode(self._out(bound)))

    async def _unbind(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        device = await self._phone(token)
        taken = wire.decoded(await read_body(request, self._settings), _BIND)
        with _explained(self._desk, request):
            free = await self._carrying.bind(device.id, "", taken.receivers)
        return reply(_encode(self._out(free)))

    async def _phone(self, token: Token | None) -> Device:
        caller = _known(token)
        device = await self._devices.device(caller.device) if caller.device else None
        if device is None:
            raise Failed(
                HTTPStatus.CONFLICT, "not_enrolled", "this phone was given a secret by hand: enrol it first",
                error="not_enrolled",
            )  # fmt: skip
        return device

    # Lists, and lost ones

    async def _list(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        caller, unit = _known(token), reading.unit_asked(request.query)
        if not unit:
            found = list(await self._devices.devices(staff=caller.subject))
        else:
            require(caller, Action.DEVICES_UNIT, unit)
            every = await self._devices.devices()
            found = [d for d in every if unit in self._units_of(d)]
        return reply(_encode(DevicePage(devices=tuple(map(self._out, found)))))

    async def _revoke(self, request: web.BaseRequest, token: Token | None, id: str) -> web.StreamResponse:
        caller = _known(token)
        device = await self._devices.device(id)
        if device is None:
            raise _no_such_phone()
        if device.staff != caller.subject and (device.enrolled_by != caller.subject or device.pool):
            self._require_over(caller, device)
        with _explained(self._desk, request):
            gone = await self._carrying.revoke(id)
        return reply(_encode(self._out(gone)))

    def _require_over(self, caller: Token, device: Device) -> None:
        """Whoever may in one of the phone's units, or may for all phones."""
        for unit in sorted(self._units_of(device)):
            try:
                require(caller, Action.DEVICES_UNIT, unit)
            except Failed:
                continue
            return
        require(caller, Action.DEVICES_ALL, EVERY_UNIT)

    def _units_of(self, device: Device) -> set[str]:
        """Where a phone belongs: its drawer, and where its carrier belongs or is on duty."""
        world = self._desk.world()
        person = world.site.staff.get(device.staff)
        units = set(person.units if person is not None else ())
        units |= {duty.unit for duty in world.roster.by_staff.get(device.staff, ())}
        return units | ({device.unit} if device.unit else set())

    def _out(self, device: Device) -> DeviceOut:
        person = self._desk.world().site.staff.get(device.staff)
        return DeviceOut(
            device=device.id, label=device.label, platform=device.platform, pool=device.pool,
            unit=device.unit, staff=device.staff, name=person.name if person is not None else "",
            enrolled_at=moment(device.enrolled_at), reach=self._reach(device.staff, device.id),
        )  # fmt: skip

    def _shown(self, request: web.BaseRequest, name: str, code: str, invitation: Invitation) -> bytes:
        scheme = "https" if self._sessions.settings.secure else "http"
        url = f"{scheme}://{request.headers.get(hdrs.HOST, '')}/phone#{name}={quote(code)}"
        out = CodeOut(code=code, url=url, qr=_qr(url), expires_at=moment(invitation.until))
        return _encode(out)


def _qr(url: str) -> str:
    """SVG, dark on light whatever the page's colours are: cameras want it so."""
    drawn = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        drawn, kind="svg", scale=MODULE_PX, border=QUIET_MODULES, dark="#000", light="#fff", xmldecl=False,
        svgns=True, omitsize=True,
    )  # fmt: skip
    return drawn.getvalue().decode()


class _explained:
    """What can go wrong with a phone, in the caller's words."""

    def __init__(self, desk: Desk, request: web.BaseRequest) -> None:
        self._desk, self._request = desk, request

    def __enter__(self) -> None:
        """Nothing yet."""

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        """Raises Failed instead."""
        match error:
            case CodeOver():
                raise Failed(
                    HTTPStatus.NOT_FOUND, "code_over", "this code was used, or is older than two minutes",
                    error="code_over",
                ) from None  # fmt: skip
            case TooManyGuesses():
                raise later(
                    HTTPStatus.TOO_MANY_REQUESTS, "guesses", "too many wrong codes from here",
                    -(-error.wait_ms // 1000),
                ) from None  # fmt: skip
            case NoSuchPhone():
                raise _no_such_phone() from None
            case PhoneBusy():
                raise Failed(
                    HTTPStatus.CONFLICT, "busy", "somebody else is taking this phone right now",
                    error="busy", retry=True,
                ) from None  # fmt: skip
            case ReceiverNeeded():
                site = self._desk.world().site
                language = language_of(self._request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), site)
                raise receiver_needed(self._desk, error.outcome, error.staff, language) from None


def _no_such_phone() -> Failed:
    return Failed(HTTPStatus.NOT_FOUND, "not_found", "there is no such phone, or it is revoked")


def _known(token: Token | None) -> Token:
    if token is None:
        raise forbidden("this needs a caller")
    return token
