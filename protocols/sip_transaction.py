"""Repetition over SIP (RFC 3261 section 17, non-INVITE): what is sent twice is done once and answered alike.

`ServerTransactions` holds what was answered for as long as a repetition may come (timer J); a repetition of a
request that is still being worked on is simply absorbed. `ClientTransactions` sends a request again until its
final response comes (timers E and F; a late repetition of that response fits nothing and is dropped, which is
all timer K is for). Timers A, B, D, G, H and I belong to INVITE and are not here.

Both are pure: time is an argument (integer ms), and where to send is the owner's business. Both are bounded.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from protocols.sip import MAGIC_COOKIE, Request, Response, cseq_of, via_of

T1_MS: Final = 500
T2_MS: Final = 4_000
TIMER_J_MS: Final = 64 * T1_MS
TIMER_F_MS: Final = 64 * T1_MS
MAX_SERVER: Final = 4_096
MAX_CLIENT: Final = 1_024


class Again(Struct, frozen=True):
    """A repetition: send `response` once more; None while the first is still worked on."""

    response: bytes | None


class Busy(Struct, frozen=True):
    """So many requests are being worked on that no more can be taken now."""


class Begun(Struct, frozen=True):
    """A new request; answer it with `ServerTransactions.answered(key, …)`."""

    key: str


def server_key(request: Request, peer: str) -> str:
    """What tells this request from every other and not from its repetition (RFC 3261 17.2.3). `peer`: whom
    it came from, so that nobody fetches another's answer by guessing a branch."""
    via = via_of(request)
    if via is not None and via.branch.startswith(MAGIC_COOKIE):
        parts: tuple[object, ...] = (via.branch, via.host.lower(), via.port, request.method)
    else:
        names = ("call-id", "cseq", "from", "to", "via")
        parts = (request.uri, request.method, *(request.header(name) for name in names))
    return repr((peer, *parts))


class _Answered:
    __slots__ = ("response", "until")

    def __init__(self) -> None:
        self.response: bytes | None = None
        self.until: int | None = None


class ServerTransactions:
    """The requests of one door."""

    def __init__(self, *, keep_ms: int = TIMER_J_MS, most: int = MAX_SERVER) -> None:
        self._keep_ms, self._most = keep_ms, most
        self._known: dict[str, _Answered] = {}

    def __len__(self) -> int:
        return len(self._known)

    def receive(self, request: Request, peer: str, now: int) -> Begun | Again | Busy:
        """What this request is. `peer`: its source, as far as the transport knows it for certain."""
        key = server_key(request, peer)
        known = self._known.get(key)
        if known is not None and (known.until is None or now < known.until):
            return Again(known.response)
        if known is None and len(self._known) >= self._most and not self._make_room(now):
            return Busy()
        # Taken out first: the dictionary's order is that of age, and answered ones are dropped oldest first.
        self._known.pop(key, None)
        self._known[key] = _Answered()
        return Begun(key)

    def answered(self, key: str, response: bytes, now: int, *, reliable: bool) -> None:
        """The final response. Over a reliable transport nothing is repeated and nothing need be kept."""
        known = self._known.get(key)
        if known is None:
            return
        if reliable:
            del self._known[key]
        else:
            known.response, known.until = response, now + self._keep_ms

    def forget(self, key: str) -> None:
        """It will not be answered (its connection is gone)."""
        self._known.pop(key, None)

    def handle_timer(self, now: int) -> None:
        """Forget what can no longer be repeated."""
        for key in [k for k, known in self._known.items() if known.until is not None and known.until <= now]:
            del self._known[key]

    def next_timer(self) -> int | None:
        """When the next may be forgotten."""
        return min((known.until for known in self._known.values() if known.until is not None), default=None)

    def _make_room(self, now: int) -> bool:
        self.handle_timer(now)
        if len(self._known) < self._most:
            return True
        oldest = next((key for key, known in self._known.items() if known.until is not None), None)
        if oldest is None:
            return False
        del self._known[oldest]
        return True


class Outcome(Struct, frozen=True):
    """What became of a request of ours: its final response, or None when none came in time."""

    branch: str
    response: Response | None


class Sending(Struct, frozen=True):
    """Write these bytes (again)."""

    branch: str
    data: bytes


class _Sent:
    __slots__ = ("data", "interval", "method", "next", "until")

    def __init__(self, method: str, data: bytes, now: int, *, reliable: bool, within_ms: int) -> None:
        self.method, self.data = method, data
        self.interval = T1_MS
        self.next = None if reliable else now + T1_MS
        self.until = now + within_ms


class ClientTransactions:
    """The requests we have sent and that are not settled."""

    def __init__(self, *, most: int = MAX_CLIENT) -> None:
        self._most = most
        self._open: dict[str, _Sent] = {}

    def __len__(self) -> int:
        return len(self._open)

    def start(
        self, branch: str, method: str, data: bytes, now: int, *, reliable: bool, within_ms: int = TIMER_F_MS
    ) -> Sending | None:
        """Send this request; None when too many are unsettled. `branch` is unique among them."""
        if len(self._open) >= self._most or branch in self._open:
            return None
        self._open[branch] = _Sent(method, data, now, reliable=reliable, within_ms=within_ms)
        return Sending(branch, data)

    def receive(self, response: Response, now: int) -> Outcome | None:
        """A response came: the outcome when it is final and fits a request of ours (17.1.3), else None."""
        via, cseq = via_of(response), cseq_of(response)
        sent = self._open.get(via.branch) if via is not None else None
        if sent is None or via is None or cseq is None or cseq[1] != sent.method:
            return None
        if response.status < 200:
            if sent.next is not None:
                sent.interval, sent.next = T2_MS, now + T2_MS  # 17.1.2.2: proceeding repeats at T2
            return None
        del self._open[via.branch]
        return Outcome(via.branch, response)

    def forget(self, branch: str) -> None:
        """Nobody waits for it any more."""
        self._open.pop(branch, None)

    def handle_timer(self, now: int) -> list[Sending | Outcome]:
        """What to write again, and what has had its time."""
        done: list[Sending | Outcome] = []
        for branch, sent in list(self._open.items()):
            if now >= sent.until:
                del self._open[branch]
                done.append(Outcome(branch, None))
            elif sent.next is not None and now >= sent.next:
                sent.interval = min(2 * sent.interval, T2_MS)
                sent.next = now + sent.interval
                done.append(Sending(branch, sent.data))
        return done

    def next_timer(self) -> int | None:
        """When `handle_timer` has something to do."""
        times = [at for sent in self._open.values() for at in (sent.next, sent.until) if at is not None]
        return min(times, default=None)
