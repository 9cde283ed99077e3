"""A friendly phone for the demo and for acceptance tests: one device, connected, telling what it shows.

It keeps the alarms it was sent as whole snapshots, believes the hub's word (lower revs are ignored, what
was not sent before `synced` is gone), and offers one coroutine per answer that returns the hub's result.
It is comfortable, not fast: load.phones is the one for thousands.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from load.wsframes import SUBPROTOCOL

DEFAULT_BEAT_S = 5.0
RESULT_WITHIN_S = 5.0

T = TypeVar("T")


class AlarmShown(msgspec.Struct, kw_only=True):
    """One alarm as this phone shows it. Times: the hub's clock, epoch ms. `alarm_type`: the site's own type.

    `why`: {"code", "text"} each. `you`: what this person has said so far. `rings`: it should sound now;
    it sounds anew when `turn` rises.
    """

    id: str
    rev: int
    phase: str = ""
    flags: list[str] = []
    kind: str = ""
    alarm_type: str = ""
    type_label: str = ""
    priority: str = ""
    place: str = ""
    place_label: str = ""
    text: str | None = None
    source_text: str | None = None
    count: int = 1
    raised_at: int = 0
    why: list[dict[str, str]] = []
    can: list[str] = []
    accepted_by: list[str] = []
    next_step_at: int | None = None
    callback: str | None = None
    drill: bool = False
    turn: int = 0
    you: str = ""
    rings: bool = False
    at: int = 0


class Result(msgspec.Struct):
    """The hub's answer to one request, or to a faulty frame (`field`, `expected`, `detail`)."""

    req: str | None = None
    ok: bool = False
    error: str | None = None
    retry: bool = False
    field: str | None = None
    expected: str | None = None
    detail: str | None = None


class ClosedByHub(ConnectionError):
    """The hub closed the socket; `code` and `reason` say why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed by the hub: {code} {reason}")
        self.code, self.reason = code, reason


class PhoneClient:
    """One device of one person, as a context manager: in means welcome and synced have come.

    Public state: `alarms` (shown now, by id), `gone` (reason by id), `welcome` (the whole frame), `storing`,
    `warnings` (what the hub says is wrong with it), `frames` (every frame as a dict, in order), `closed`
    (ClosedByHub or None). `auto_rang`: report at once that the phone rings, and confirm silent drills; off
    for a phone in a locker whose sound nobody should believe in.
    """

    def __init__(
        self, url: str, token: str, device: str | None = None, *, auto_rang: bool = True, name: str = ""
    ) -> None:
        self.url, self.token, self.auto_rang = url, token, auto_rang
        self.device = device or f"device-{uuid.uuid4().hex[:12]}"
        self.name = name or self.device
        self.alarms: dict[str, AlarmShown] = {}
        self.gone: dict[str, str] = {}
        self.frames: list[dict[str, Any]] = []
        self.welcome: dict[str, Any] = {}
        self.synced = False
        self.storing = True
        self.warnings: list[str] = []
        self.closed: ClosedByHub | None = None
        self._revs: dict[str, int] = {}
        self._results: dict[str, Result] = {}
        self._fresh: set[str] = set()
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> PhoneClient:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # -- connection -------------------------------------------------------------------------------

    async def connect(self, within_s: float = 10) -> None:
        """Connects, says hello, and returns once synced. Raises ClosedByHub, OSError or TimeoutError."""
        await self.open_socket(within_s)
        hello = {"type": "hello", "token": self.token, "device": self.device, "app": "demo", "features": []}
        await self.send(hello)
        await self.wait_for(lambda phone: phone.synced, within_s)

    async def open_socket(self, within_s: float = 10) -> None:
        """Only the WebSocket, without a hello; for tests of what the hub does then."""
        self.closed, self.synced, self._fresh, self.warnings = None, False, set(), []
        self._socket = await connect(
            self.url,
            subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]  # a NewType of str
            compression=None,
            ping_interval=None,
            open_timeout=within_s,
            close_timeout=1,
        )
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._read(self._socket), name=f"{self.name} reads")]

    async def close(self) -> None:
        """Closes in good order."""
        if self._socket is not None:
            await self._socket.close()
        await self._end_tasks()

    async def cut(self) -> None:
        """Breaks the connection as a radio gap does: the hub hears nothing, not even a close."""
        if self._socket is not None:
            self._socket.transport.abort()
        await self._end_tasks()

    async def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome
        self._tasks, self._socket = [], None

    # -- answers ----------------------------------------------------------------------------------

    async def rang(self, alarm: str) -> None:
        """Reports that this device sounds for the alarm."""
        await self.send({"type": "rang", "alarm": alarm, "rev": self._rev(alarm)})

    async def seen(self, alarm: str) -> None:
        """Reports that the person looked at it."""
        await self.send({"type": "seen", "alarm": alarm, "rev": self._rev(alarm)})

    async def accept(self, alarm: str, **more: Any) -> Result:
        """Jag tar den."""
        return await self.answer("accept", alarm, **more)

    async def decline(self, alarm: str, **more: Any) -> Result:
        """Kan inte."""
        return await self.answer("decline", alarm, **more)

    async def release(self, alarm: str, **more: Any) -> Result:
        """Lämna tillbaka."""
        return await self.answer("release", alarm, **more)

    async def attend(self, alarm: str, **more: Any) -> Result:
        """På plats."""
        return await self.answer("attend", alarm, **more)

    async def done(self, alarm: str, **more: Any) -> Result:
        """Klar."""
        return await self.answer("done", alarm, **more)

    async def help(self, alarm: str, **more: Any) -> Result:
        """Hjälp hit."""
        return await self.answer("help", alarm, **more)

    async def extend(self, alarm: str, **more: Any) -> Result:
        """Three minutes more."""
        return await self.answer("extend", alarm, **more)

    async def take_over(self, alarm: str, **more: Any) -> Result:
        """Takes the alarm over from a colleague."""
        return await self.answer("take_over", alarm, **more)

    async def hold(self, alarm: str, **more: Any) -> Result:
        """Kommer strax: of whoever is alone on the ward."""
        return await self.answer("hold", alarm, **more)

    async def safe(self, alarm: str, **more: Any) -> Result:
        """The place of an assault is safe."""
        return await self.answer("safe", alarm, **more)

    async def availability(self, state: str, within_s: float = RESULT_WITHIN_S) -> Result:
        """available, busy or break."""
        return await self._request({"type": "availability", "state": state, "req": _req()}, within_s)

    async def answer(
        self,
        answer: str,
        alarm: str,
        *,
        rev: int | None = None,
        req: str | None = None,
        within_s: float = RESULT_WITHIN_S,
        **more: Any,
    ) -> Result:
        """Any answer to an alarm, by default to the rev shown; further fields (reason, …) as keywords."""
        body = {"type": answer, "alarm": alarm, "rev": self._rev(alarm) if rev is None else rev}
        return await self._request({**body, "req": req or _req(), **more}, within_s)

    async def status(self, **said: Any) -> None:
        """How the phone is: battery, charging, muted, volume, notifications, push, visible."""
        await self.send({"type": "status", **said})

    async def send(self, frame: dict[str, Any] | str | bytes) -> None:
        """Any frame: a dict as JSON text, str as text, bytes as binary. Raises ClosedByHub."""
        if self._socket is None:
            raise ClosedByHub(1006, "not connected")
        data = msgspec.json.encode(frame).decode() if isinstance(frame, dict) else frame
        try:
            await self._socket.send(data)
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def _request(self, body: dict[str, Any], within_s: float) -> Result:
        req = str(body["req"])
        self._results.pop(req, None)
        await self.send(body)
        return await self.wait_for(lambda phone: phone._results.get(req), within_s)

    # -- waiting ----------------------------------------------------------------------------------

    async def wait_for(self, seen: Callable[[PhoneClient], T | None], within_s: float) -> T:
        """The first true value of `seen(self)`, asked after every frame.

        Raises ClosedByHub if the hub hangs up meanwhile, TimeoutError with what the phone shows otherwise.
        """
        try:
            async with asyncio.timeout(within_s):
                async with self._changed:
                    while True:
                        value = seen(self)
                        if value:
                            return value
                        if self.closed is not None:
                            raise self.closed
                        await self._changed.wait()
        except TimeoutError:
            shown = [f"{one.kind} {one.place} {one.phase} rev {one.rev}" for one in self.alarms.values()]
            raise TimeoutError(f"{self.name} waited {within_s} s; it shows {shown or 'nothing'}") from None

    async def wait_alarm(self, within_s: float, **fields: Any) -> AlarmShown:
        """The first alarm shown whose fields (kind=…, place=…, phase=…, text=…) have these values."""

        def match(phone: PhoneClient) -> AlarmShown | None:
            for alarm in phone.alarms.values():
                if all(getattr(alarm, name) == value for name, value in fields.items()):
                    return alarm
            return None

        return await self.wait_for(match, within_s)

    async def wait_gone(self, alarm: str, within_s: float) -> str:
        """Waits until the alarm is gone from this phone; the hub's reason."""
        await self.wait_for(lambda phone: alarm in phone.gone, within_s)
        return self.gone[alarm]

    async def wait_closed(self, within_s: float) -> ClosedByHub:
        """Waits until the hub closes the socket; code and reason."""
        return await self.wait_for(lambda phone: phone.closed, within_s)

    # -- frames -----------------------------------------------------------------------------------

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                frame = msgspec.json.decode(data)
                self.frames.append(frame)
                await self._take(frame)
                async with self._changed:
                    self._changed.notify_all()
            self.closed = ClosedByHub(socket.close_code or 1006, socket.close_reason or "")
        except ConnectionClosed as error:
            self.closed = _closed(error)
        except ClosedByHub as error:
            self.closed = error  # it went while the phone was saying something
        async with self._changed:
            self._changed.notify_all()

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame.get("type"):
            case "welcome":
                self.welcome = frame
                self._tasks.append(
                    asyncio.get_running_loop().create_task(self._beat(), name=f"{self.name} beats")
                )
            case "alarm":
                await self._alarm(frame)
            case "gone":
                if frame["rev"] >= self._revs.get(frame["id"], 0):
                    self._revs[frame["id"]] = frame["rev"]
                    self.alarms.pop(frame["id"], None)
                    self.gone[frame["id"]] = str(frame.get("reason") or "")
            case "synced":
                for alarm in set(self.alarms) - self._fresh:
                    self.alarms.pop(alarm)
                    self.gone.setdefault(alarm, "not sent at sync")
                self.synced = True
            case "result":
                result = msgspec.convert(frame, Result)
                self._results[result.req or ""] = result
            case "state":
                self.storing = bool(frame.get("storing", True))
                self.warnings = list(frame.get("warnings", []))

    async def _alarm(self, frame: dict[str, Any]) -> None:
        shown = msgspec.convert(frame, AlarmShown)
        self._fresh.add(shown.id)
        if shown.rev < self._revs.get(shown.id, 0):
            return
        before = self.alarms.get(shown.id)
        self._revs[shown.id] = shown.rev
        self.alarms[shown.id] = shown
        self.gone.pop(shown.id, None)
        fresh = before is None or before.turn < shown.turn or not before.rings
        # A silent drill is confirmed without a sound, once.
        confirms = shown.rings or (shown.drill and before is None)
        if self.auto_rang and confirms and fresh:
            await self.rang(shown.id)

    async def _beat(self) -> None:
        every_s = float(self.welcome.get("beat_every") or DEFAULT_BEAT_S)
        socket = self._socket
        while socket is not None and self._socket is socket:
            await asyncio.sleep(every_s)
            try:
                await socket.send('{"type":"beat"}')
            except ConnectionClosed:
                return

    def _rev(self, alarm: str) -> int:
        return self._revs.get(alarm, 0)


def _req() -> str:
    return uuid.uuid4().hex


def _closed(error: ConnectionClosed) -> ClosedByHub:
    if error.rcvd is not None:
        return ClosedByHub(error.rcvd.code, error.rcvd.reason)
    return ClosedByHub(1006, "connection lost")
