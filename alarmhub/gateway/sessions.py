"""The conversation with each phone: hello, beats, receipts, answers, faults (design.md section 5).

It knows the order of things on one connection and nothing about bytes or rendering. It refuses everything
before a hello with a valid token, and a peer that makes twenty faults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import structs

from alarmhub import logs
from alarmhub.core.handsets import Said
from alarmhub.gateway.asking import Asking
from alarmhub.gateway.connection import Connection, Stage, text_frame
from alarmhub.gateway.reach import DeviceKey
from alarmhub.gateway.screens import Screens
from alarmhub.gateway.seats import Seat, Seats
from alarmhub.gateway.tokens import TokenDesk, digest_of
from alarmhub.logs import Line
from alarmhub.ports import Desk, Intake, PhoneWatch, StoreUnavailable
from alarmhub.tasks import Crew, spawn
from protocols.phone import (
    AnswerFrame,
    Availability,
    Beat,
    Closing,
    Fault,
    FromPhone,
    Hello,
    Rang,
    Seen,
    State,
    Status,
    Welcome,
    decode,
    encode,
    refusal,
)

FEATURES: Final[tuple[str, ...]] = ()
_NOT_TEXT = Fault("not_text", "frames are text; this one was binary")
_HELLO_FIRST = Fault("hello_first", "the first frame is hello")
_HELLO_TWICE = Fault("hello_twice", "this connection has said hello already")

_log = logs.get("gateway")


class Sessions:
    """Implements what `connection.Owner` asks about frames. `on_seated` and `on_left` are for the server."""

    def __init__(
        self,
        *,
        intake: Intake,
        desk: Desk,
        tokens: TokenDesk,
        seats: Seats,
        screens: Screens,
        crew: Crew,
        beat_s: float,
        faults_allowed: int,
        on_seated: Callable[[DeviceKey], None],
    ) -> None:
        self._intake = intake
        self._desk = desk
        self._tokens = tokens
        self._seats = seats
        self._screens = screens
        self._crew = crew
        self._beat_s = beat_s
        self._faults_allowed = faults_allowed
        self._on_seated = on_seated
        self._asking = Asking(intake, desk, seats, crew)
        self.banners_of: Callable[[str], tuple[str, ...]] = lambda staff: ()
        """What stands on a person's screens, in plain words."""
        self.watch: PhoneWatch = _Unwatched()
        """Who supervises the phones."""
        self.faults = 0
        self.bad_tokens = 0

    def received(self, connection: Connection, payload: bytes) -> None:
        """One text message of a phone."""
        frame = decode(payload)
        seat: Seat | None = connection.seat
        if type(frame) is Beat and seat is not None:
            connection.send_frames(text_frame(b'{"type":"beat","at":%d}' % self._desk.now()))
        elif isinstance(frame, Fault):
            self._fault(connection, frame)
        elif seat is None:
            self._introduce(connection, frame)
        else:
            self._converse(connection, seat, frame)

    def received_binary(self, connection: Connection) -> None:
        """A binary message of a phone."""
        self._fault(connection, _NOT_TEXT)

    def state_of(self, staff: str) -> State:
        """What a person's phones are told of hub and phones now."""
        return State(
            storing=self._desk.storing,
            at=self._desk.now(),
            banners=self.banners_of(staff),
            warnings=self.watch.warnings_of(staff),
        )

    def _converse(self, connection: Connection, seat: Seat, frame: FromPhone) -> None:
        staff, device = seat.key
        match frame:
            case AnswerFrame() | Availability():
                self._asking.take(seat, frame)
            case Rang() | Seen():
                self._intake.receipt(
                    staff=staff, device=device, alarm=frame.alarm, rev=frame.rev, seen=isinstance(frame, Seen)
                )
            case Status():
                self.watch.status(staff, device, Said(**structs.asdict(frame)))
            case Hello():
                self._fault(connection, _HELLO_TWICE)

    def _fault(self, connection: Connection, fault: Fault) -> None:
        self.faults += 1
        connection.faults += 1
        if connection.faults == 1:
            who = connection.seat.key if connection.seat is not None else None
            _log.warning(
                Line.PHONE_FAULT, who=who, peer=connection.peer, error=fault.error, detail=fault.detail
            )
        connection.send(encode(refusal(fault)))
        if connection.faults >= self._faults_allowed:
            connection.close(Closing.TOO_MANY_FAULTS, f"{connection.faults} faults, the last: {fault.error}")

    # -- hello ----------------------------------------------------------------------------------

    def _introduce(self, connection: Connection, frame: FromPhone) -> None:
        if not isinstance(frame, Hello):
            self._fault(connection, _HELLO_FIRST)
            return
        digest = digest_of(frame.token)
        known, staff = self._tokens.remembered(digest)
        if known:
            self._admit(connection, staff, frame, digest)
            return
        connection.checking()
        spawn(self._look_up(connection, frame, digest), "phone token", self._crew, ends=True)

    async def _look_up(self, connection: Connection, hello: Hello, digest: bytes) -> None:
        try:
            staff = await self._tokens.staff(digest)
        except StoreUnavailable:
            connection.close(Closing.TRY_LATER, "the token cannot be checked now, try again")
            return
        if connection.stage is Stage.CHECKING:
            self._admit(connection, staff, hello, digest)

    def _admit(self, connection: Connection, staff: str | None, hello: Hello, digest: bytes) -> None:
        world = self._desk.world()
        site = world.site
        if staff == "":
            connection.close(Closing.NOBODY, "nobody is signed in on this phone")
            return
        if staff is None or staff not in site.staff:
            self.bad_tokens += 1
            _log.warning(Line.PHONE_REFUSED, peer=connection.peer, cause="bad token", device=hello.device)
            connection.close(Closing.BAD_TOKEN, "this token is not valid")
            return
        # An enrolled phone is known by its secret, whatever it calls itself.
        key = DeviceKey(staff, self._tokens.device_of(digest) or hello.device)
        replaced = self._seats.take(key, connection)
        if replaced is not None:
            self._screens.left(replaced)
            replaced.close(Closing.REPLACED, "this device has a newer connection")
        connection.digest = digest
        now = self._desk.now()
        duties = world.roster.by_staff.get(staff, ())
        self._screens.sync(
            connection,
            Welcome(
                staff=staff, beat_every=self._beat_s, at=now, features=FEATURES, name=site.staff[staff].name,
                availability=duties[0].availability if duties else "",
            ),
        )  # fmt: skip
        state = self.state_of(staff)
        if state.banners or state.warnings or not state.storing:
            connection.send(encode(state))
        _log.debug(Line.PHONE_CONNECTED, staff=staff, device=key.device, replaced=replaced is not None)
        self._on_seated(key)
        self.watch.hello(staff, key.device, hello.app or "")
        connection.checked()


class _Unwatched:
    """Nobody supervises the phones."""

    def hello(self, staff: str, device: str, app: str) -> None:
        """Not kept."""

    def status(self, staff: str, device: str, said: Said) -> None:
        """Not kept."""

    def warnings_of(self, staff: str) -> tuple[str, ...]:
        """None."""
        return ()
