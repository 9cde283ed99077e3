"""The phone's side of push over HTTP: where it can be woken, that it rang, and what there is to show.

A woken phone has an opaque id and nothing else: it asks for its alarms here, as the same frames the socket
sends, and says here that it rang. It refuses phones that were not enrolled a place to be woken at, and never
shows an alarm to who is not told of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Final, Literal, Protocol

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from alarmhub.core.alarm import concerned
from alarmhub.ports import Desk, Intake, Token
from alarmhub.web import reading, wire
from alarmhub.web.problems import Failed, invalid
from alarmhub.web.server import WebSettings, read_body, reply
from protocols.phone import AlarmFrame

ADDRESS_CHARS: Final = 2048
KEY_CHARS: Final = 512
KEYS: Final = 8

_Serve = Callable[[web.BaseRequest, Token | None, str], Awaitable[web.StreamResponse]]


class PushTargetIn(Struct, frozen=True, kw_only=True):
    """Where this phone can be woken: a token, or a browser's endpoint with its keys (p256dh, auth)."""

    transport: Literal["apns", "fcm", "webpush"]
    address: Annotated[str, Meta(min_length=1, max_length=ADDRESS_CHARS, pattern=r"^[\x21-\x7e]*$")]
    keys: Annotated[
        dict[wire.Name, Annotated[str, Meta(max_length=KEY_CHARS, pattern=r"^[^\x00]*$")]],
        Meta(max_length=KEYS),
    ] = {}


class ReceiptIn(Struct, frozen=True, kw_only=True):
    """The phone rang, or somebody looked. `rev`: as pushed or shown; `via`: what it learned of it by."""

    event: Literal["rang", "seen"]
    rev: Annotated[float, Meta(ge=0, le=wire.REV_MAX, multiple_of=1, extra_json_schema={"type": "integer"})]
    via: Literal["socket", "webpush", "apns", "fcm"] = "webpush"


class PushOut(Struct, frozen=True, kw_only=True):
    """By which ways this phone can be woken now."""

    transports: tuple[str, ...]


class ReceiptOut(Struct, frozen=True, kw_only=True):
    """It was heard."""

    ok: bool = True


class PhoneAlarmsOut(Struct, frozen=True, kw_only=True):
    """All alarms this phone's person is told of, most urgent first; what is not here is gone. `at`: the hub's
    clock, epoch ms."""

    at: int
    alarms: tuple[AlarmFrame, ...]


class Targets(Protocol):
    """The push addresses of all phones (`push.targets`)."""

    def fault(self, transport: str, address: str, keys: Mapping[str, str]) -> str | None:
        """Why this can be no target here: "FIELD: what was expected"; None when it can."""
        ...

    def transports_of(self, device: str) -> Sequence[str]:
        """By which transports this phone can be woken."""
        ...

    async def put(
        self, device: str, staff: str, transport: str, address: str, keys: Mapping[str, str]
    ) -> None:
        """From now on this phone, carried by `staff`, is woken here. Raises StoreUnavailable."""
        ...

    async def drop(self, device: str) -> bool:
        """This phone is not woken any more. Raises StoreUnavailable."""
        ...


_read_target = msgspec.json.Decoder(PushTargetIn)
_read_receipt = msgspec.json.Decoder(ReceiptIn)
_encode = msgspec.json.Encoder().encode


class PushDoor:
    """Answers the operations of a phone that may sleep. `frames_of(staff)`: the hub's clock, and the alarm
    frames of that person as the socket would send them, each as JSON."""

    def __init__(
        self,
        *,
        targets: Targets,
        intake: Intake,
        desk: Desk,
        frames_of: Callable[[str], tuple[int, Sequence[bytes]]],
        settings: WebSettings,
    ) -> None:
        self._targets, self._intake, self._desk = targets, intake, desk
        self._frames_of, self._settings = frames_of, settings

    def serves(self) -> dict[str, _Serve]:
        """Name of the operation → what answers it."""
        return {
            "putPushTarget": self._put,
            "deletePushTarget": self._delete,
            "postReceipt": self._receipt,
            "listPhoneAlarms": self._alarms,
        }

    async def _put(self, request: web.BaseRequest, token: Token | None, _id: str) -> web.Response:
        phone = _phone(token)
        taken = wire.decoded(await read_body(request, self._settings), _read_target)
        device = _enrolled(phone)
        fault = self._targets.fault(taken.transport, taken.address, taken.keys)
        if fault is not None:
            raise _no_target(fault)
        await self._targets.put(device, phone.subject, taken.transport, taken.address, taken.keys)
        return self._ways(device)

    async def _delete(self, _request: web.BaseRequest, token: Token | None, _id: str) -> web.Response:
        device = _enrolled(_phone(token))
        await self._targets.drop(device)
        return self._ways(device)

    def _ways(self, device: str) -> web.Response:
        return reply(_encode(PushOut(transports=tuple(self._targets.transports_of(device)))))

    async def _receipt(self, request: web.BaseRequest, token: Token | None, alarm: str) -> web.Response:
        phone = _phone(token)
        taken = wire.decoded(await read_body(request, self._settings), _read_receipt)
        staff = phone.subject
        known = self._desk.open_alarm(alarm)
        if known is None or staff not in concerned(known):
            raise reading.no_such_alarm()
        self._intake.receipt(
            staff=staff, device=phone.device or f"http:{staff}", alarm=alarm, rev=int(taken.rev),
            seen=taken.event == "seen", via=taken.via,
        )  # fmt: skip
        return reply(_encode(ReceiptOut()))

    async def _alarms(self, _request: web.BaseRequest, token: Token | None, _id: str) -> web.Response:
        at, frames = self._frames_of(_phone(token).subject)
        return reply(b'{"at":%d,"alarms":[%s]}' % (at, b",".join(frames)))


def _no_target(fault: str) -> Failed:
    """What a transport, or the lack of one, says against it."""
    field, _, why = fault.partition(": ")
    expected = why.removeprefix("expected ")
    if field == "transport":
        return Failed(
            HTTPStatus.CONFLICT, "push_off", fault, field=field, expected=expected, error="push_off",
            retry=False,
        )  # fmt: skip
    return invalid(field, expected)


def _phone(token: Token | None) -> Token:
    if token is None:
        raise RuntimeError("a phone's operation was reached without its secret")
    return token


def _enrolled(phone: Token) -> str:
    if not phone.device:
        raise Failed(
            HTTPStatus.CONFLICT, "not_enrolled", "only an enrolled phone can be woken; enrol it first",
            error="not_enrolled", retry=False,
        )  # fmt: skip
    return phone.device
