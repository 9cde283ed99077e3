"""A crowd of dumb phones: raw sockets in one process, so that the client is not what gets measured.

Each phone says hello, beats, reports that it rang, and answers as its `Answers` decide. It reads frame
lengths and a handful of fields, and keeps the books of its connection: the same id and rev twice is a
duplicate, a lower rev after a higher one an order fault. It never reconnects by itself; profiles do that.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from load import wsframes
from load.ledger import Ledger
from load.reactor import READ, WRITE, Reactor, now_ns
from load.wsframes import FrameFault

SECOND_NS = 1_000_000_000
CONNECTS_AT_ONCE = 64
PORTS_PER_ADDRESS = 20_000
DEFAULT_BEAT_S = 5.0
RETRY_S = 1.0
_BEAT = wsframes.client_frame(b'{"type":"beat"}')
_BEAT_PREFIX = b'{"type":"beat"'


class Frame(msgspec.Struct, gc=False):
    """The few fields of a hub frame that phones and books need; the rest is skipped."""

    type: str
    id: str = ""
    rev: int = 0
    phase: str = ""
    kind: str = ""
    priority: str = ""
    text: str | None = None
    source_text: str | None = None
    next_step_at: int | None = None
    raised_at: int = 0
    at: int = 0
    turn: int = 0
    can: list[str] = []
    rings: bool = False
    drill: bool = False
    you: str = ""
    beat_every: float = 0
    req: str | None = None
    ok: bool = True
    error: str | None = None
    retry: bool = False
    storing: bool = True


class Answers(Protocol):
    """How the person with the phone behaves."""

    def ring(self, phone: Phone, frame: Frame, first: bool) -> tuple[int, str] | None:
        """The alarm rings (`first`: the first time here): (delay in ns, answer type), else None."""

    def told(self, phone: Phone, frame: Frame, answer: str) -> tuple[int, str] | None:
        """The hub confirmed `answer` to the alarm in `frame`: what the person does next, or None."""


class Watcher(Protocol):
    """Who else wants to see each alarm frame: profiles that measure steps rather than presses."""

    def frame(self, phone: Phone, frame: Frame, first: bool, at_ns: int) -> None:
        """A frame of type alarm arrived at `at_ns`; `first`: this phone has not seen the alarm before."""


class Phone:
    """One device of one person; state of its current connection only."""

    __slots__ = (
        "closed", "fd", "incoming", "index", "number", "open", "outgoing", "pending", "requests",
        "revs", "secret", "sock", "stage", "synced_ns", "turns", "upgraded",
    )  # fmt: skip

    def __init__(self, index: int, secret: str) -> None:
        self.index = index
        self.secret = secret
        self.number = 0
        self.requests = 0
        self.sock: socket.socket | None = None
        self.fd = -1
        self.reset()

    def reset(self) -> None:
        """Forgets what belonged to the last connection."""
        self.incoming = b""
        self.outgoing = b""
        self.upgraded = False
        self.stage = "off"
        self.closed = ""
        self.synced_ns = 0
        self.revs: dict[str, list[int]] = {}
        self.turns: dict[str, int] = {}
        self.open: dict[str, Frame] = {}
        self.pending: dict[str, tuple[str, str, bytes]] = {}


class Crowd:
    """All phones of a run. `ledger` takes the books, `answers` decides what people do."""

    def __init__(
        self, reactor: Reactor, host: str, port: int, secrets: Sequence[str], ledger: Ledger, answers: Answers
    ) -> None:
        self._reactor = reactor
        self._host, self._port = host, port
        self.phones = [Phone(index, secret) for index, secret in enumerate(secrets)]
        self.ledger, self.answers = ledger, answers
        self.watcher: Watcher | None = None
        self.on_idle: Callable[[Phone], None] | None = None
        self.beat_every_s = DEFAULT_BEAT_S
        self.synced = 0
        self._decoder = msgspec.json.Decoder(Frame)
        self._handshake = wsframes.handshake(host, port)
        self._queue: Iterator[Phone] = iter(())
        self._beating: set[int] = set()
        self._closing = False

    # -- connecting -------------------------------------------------------------------------------

    def connect(self, phones: Sequence[Phone] | None = None, within_s: float = 120) -> None:
        """Connects `phones` (default all), a few at a time, until each is synced.

        Raises TimeoutError with what is missing if that takes longer than `within_s`, or one is turned away.
        """
        wanted = self.phones if phones is None else phones
        for one in wanted:
            one.closed = ""
        self._queue = iter(wanted)
        for _ in range(CONNECTS_AT_ONCE):
            self._next()

        def over() -> bool:
            return all(one.stage == "synced" for one in wanted) or any(one.closed for one in wanted)

        self._reactor.run_until(over, within_s, every_s=0.01)
        missing = [one for one in wanted if one.stage != "synced"]
        if missing:
            turned_away = [one for one in missing if one.closed]
            why = turned_away[0].closed if turned_away else f"stopped at {missing[0].stage}"
            raise TimeoutError(f"{len(missing)} of {len(wanted)} phones did not get in; the first: {why}")

    def connect_one(self, phone: Phone) -> None:
        """Starts connecting one phone; it is in when its stage is "synced"."""
        phone.reset()
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # More than one address only when one has not ports enough.
        if len(self.phones) > PORTS_PER_ADDRESS:
            sock.bind((f"127.0.0.{2 + phone.index // PORTS_PER_ADDRESS}", 0))
        phone.sock, phone.fd, phone.stage = sock, sock.fileno(), "connecting"
        try:
            sock.connect((self._host, self._port))
        except BlockingIOError:
            pass
        phone.outgoing = self._handshake
        self._reactor.watch(phone.fd, lambda events: self._ready(phone, events), READ | WRITE)

    def _next(self) -> None:
        phone = next(self._queue, None)
        if phone is not None:
            self.connect_one(phone)

    def close(self) -> None:
        """Closes all sockets without ceremony; nothing is counted as a fault any more."""
        self._closing = True
        for phone in self.phones:
            self.cut(phone)

    def cut(self, phone: Phone) -> None:
        """Breaks one phone's connection off as a radio gap does: no close frame."""
        if phone.sock is None:
            return
        self._reactor.forget(phone.fd)
        phone.sock.close()
        phone.sock = None
        self._left(phone, "cut")

    # -- bytes ------------------------------------------------------------------------------------

    def _ready(self, phone: Phone, events: int) -> None:
        sock = phone.sock
        if sock is None:
            return
        if phone.outgoing and events & WRITE:
            data, phone.outgoing = phone.outgoing, b""
            self._reactor.change(phone.fd, READ)
            self._write(phone, data)
        if not events & ~WRITE:
            return
        try:
            data = sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(phone, f"{errno.errorcode.get(error.errno or 0, '?')}")
            return
        if not data:
            self._lose(phone, phone.closed or "end of stream")
            return
        at_ns = now_ns()
        try:
            self._receive(phone, phone.incoming + data if phone.incoming else data, at_ns)
        except (FrameFault, msgspec.DecodeError) as error:
            self.ledger.counts["frame_faults"] += 1
            self._lose(phone, str(error))

    def _write(self, phone: Phone, data: bytes) -> None:
        if phone.sock is None:
            return
        if phone.outgoing:
            phone.outgoing += data
            return
        try:
            sent = phone.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._lose(phone, f"{errno.errorcode.get(error.errno or 0, '?')}")
            return
        if sent < len(data):
            phone.outgoing = data[sent:]
            self._reactor.change(phone.fd, READ | WRITE)

    def _receive(self, phone: Phone, data: bytes, at_ns: int) -> None:
        if not phone.upgraded:
            start = wsframes.handshake_end(data)
            if not start:
                phone.incoming = data
                return
            phone.upgraded, phone.stage = True, "hello"
            hello = {"type": "hello", "token": phone.secret, "device": f"load-{phone.index}", "features": []}
            self.send(phone, msgspec.json.encode(hello))
            data = data[start:]
        frames, used = wsframes.split(data)
        phone.incoming = data[used:] if used < len(data) else b""
        for head, payload in frames:
            if head == 0x81:
                if not payload.startswith(_BEAT_PREFIX):
                    self._frame(phone, self._decoder.decode(payload), at_ns)
            else:
                self._control(phone, head & 0x0F, payload)

    def _control(self, phone: Phone, opcode: int, payload: bytes) -> None:
        if opcode == wsframes.PING:
            self._write(phone, wsframes.client_frame(payload, wsframes.PONG))
        elif opcode == wsframes.CLOSE:
            code = int.from_bytes(payload[:2], "big")
            phone.closed = f"closed by the hub with {code} {payload[2:].decode(errors='replace')}".strip()
            self._write(phone, wsframes.client_frame(payload, wsframes.CLOSE))
        elif opcode != wsframes.PONG:
            raise FrameFault(f"unexpected opcode {opcode}")

    def send(self, phone: Phone, payload: bytes) -> None:
        """One text frame from this phone."""
        self._write(phone, wsframes.client_frame(payload))

    def _lose(self, phone: Phone, why: str) -> None:
        if phone.sock is None:
            return
        self._reactor.forget(phone.fd)
        phone.sock.close()
        phone.sock = None
        phone.closed = why
        if not self._closing:
            self.ledger.counts["phones_lost"] += 1
        self._left(phone, why)

    def _left(self, phone: Phone, why: str) -> None:
        if phone.stage == "synced":
            self.synced -= 1
        else:
            if not self._closing:
                self._next()
        phone.stage, phone.closed = "off", why

    # -- frames -----------------------------------------------------------------------------------

    def _frame(self, phone: Phone, frame: Frame, at_ns: int) -> None:
        if frame.type == "alarm":
            self._alarm(phone, frame, at_ns)
        elif frame.type == "gone":
            self._gone(phone, frame)
        elif frame.type == "result":
            self._result(phone, frame)
        elif frame.type == "welcome":
            self._welcome(phone, frame)
        elif frame.type == "synced":
            phone.stage, phone.synced_ns = "synced", at_ns
            self.synced += 1
            self._next()
        elif frame.type == "state" and not frame.storing:
            self.ledger.counts["not_storing"] += 1

    def _welcome(self, phone: Phone, frame: Frame) -> None:
        phone.stage = "welcome"
        if frame.beat_every > 0:
            self.beat_every_s = frame.beat_every
        if phone.index not in self._beating:
            self._beating.add(phone.index)
            # Spread over the period, as phones that were not switched on together are.
            first = self.beat_every_s * ((phone.index * 0.6180339887) % 1)
            self._reactor.call_in(first, self._beat, phone)

    def _beat(self, phone: Phone) -> None:
        if self._closing:
            return
        if phone.sock is not None and phone.upgraded:
            self._write(phone, _BEAT)
        self._reactor.call_in(self.beat_every_s, self._beat, phone)

    def _alarm(self, phone: Phone, frame: Frame, at_ns: int) -> None:
        revs = phone.revs.get(frame.id)
        first = revs is None
        if revs is None:
            phone.revs[frame.id] = [frame.rev]
        elif frame.rev in revs:
            self.ledger.counts["duplicate"] += 1
            return
        else:
            if frame.rev < revs[-1]:
                self.ledger.counts["order_faults"] += 1
            revs.append(frame.rev)
        phone.open[frame.id] = frame
        if first:
            number = self.ledger.number_in(frame.text)
            if number < 0:
                number = self.ledger.number_in(frame.source_text)
            if number >= 0:
                self.ledger.rang(number, phone.index, at_ns)
        if self.watcher is not None:
            self.watcher.frame(phone, frame, first, at_ns)
        if frame.drill and not frame.rings and first:
            # A silent drill is confirmed without a sound; nobody answers it.
            self.ledger.counts["drills"] += 1
            self._say_rang(phone, frame)
        # A phone sounds, and says so, once for each turn that rings it.
        if frame.rings and (sounded := phone.turns.get(frame.id, -1)) < frame.turn:
            phone.turns[frame.id] = frame.turn
            self._say_rang(phone, frame)
            self._plan(phone, frame.id, self.answers.ring(phone, frame, sounded < 0))

    def _say_rang(self, phone: Phone, frame: Frame) -> None:
        self.send(phone, b'{"type":"rang","alarm":"%s","rev":%d}' % (frame.id.encode(), frame.rev))

    def _gone(self, phone: Phone, frame: Frame) -> None:
        revs = phone.revs.setdefault(frame.id, [])
        if frame.rev in revs:
            self.ledger.counts["duplicate_gone"] += 1
        revs.append(frame.rev)
        phone.open.pop(frame.id, None)
        self.ledger.counts["gone"] += 1

    def _plan(self, phone: Phone, alarm: str, step: tuple[int, str] | None) -> None:
        if step is not None:
            self._reactor.call_at(now_ns() + step[0], self._answer, phone, alarm, step[1])

    def _answer(self, phone: Phone, alarm: str, answer: str) -> None:
        frame = phone.open.get(alarm)
        if self._closing or phone.sock is None or frame is None or answer not in frame.can:
            return
        phone.requests += 1
        req = f"{phone.index}-{self.ledger.marker}{phone.requests}"
        self.ledger.counts[f"answer_{answer}"] += 1
        body = msgspec.json.encode({"type": answer, "alarm": alarm, "rev": frame.rev, "req": req})
        phone.pending[req] = (alarm, answer, body)
        self.send(phone, body)

    def _repeat(self, phone: Phone, req: str) -> None:
        kept = phone.pending.get(req)
        if kept is not None and not self._closing and phone.sock is not None:
            self.send(phone, kept[2])

    def _result(self, phone: Phone, frame: Frame) -> None:
        if not frame.ok and frame.retry:
            # Not stored: the phone keeps the answer and says it again, as the same request.
            self.ledger.counts[f"result_{frame.error}"] += 1
            self._reactor.call_in(RETRY_S, self._repeat, phone, frame.req or "")
            return
        alarm, answer, _ = phone.pending.pop(frame.req or "", ("", "", b""))
        if not answer:
            self.ledger.counts["unknown_results"] += 1
            return
        if not frame.ok:
            self.ledger.counts[f"result_{frame.error}"] += 1
            return
        self.ledger.counts["results"] += 1
        shown = phone.open.get(alarm)
        if shown is not None:
            self._plan(phone, alarm, self.answers.told(phone, shown, answer))
