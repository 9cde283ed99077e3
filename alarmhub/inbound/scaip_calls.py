"""The sessions of social alarms a hub has answered: which message repeats which, and what to answer now.

A unit that was told to hold sends the same request again every 5 to 20 s to ask (SS 91100); that is no second
alarm. What is asked for is kept here: what the hub's reports said last. The memory is bounded, and losing it
(a restart) costs nothing but one look at the engine: a repeated start finds its open alarm by its key. It
refuses to know sockets and to decide about people.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Final

from msgspec import Struct

from alarmhub.core.alarm import Phase
from alarmhub.core.effects import ReportStatus
from protocols.scaip import Mrq, Snu, merged

MOST: Final = 4_096
PARTS: Final = 16
"""Different messages remembered of one session."""
KEPT_ENDED_MS: Final = 1_800_000
"""A unit asks for 30 minutes at most."""
KEPT_MS: Final = 86_400_000


class State(StrEnum):
    """What the unit is to know of its alarm."""

    HELD = "held"  # nobody has accepted
    ACCEPTED = "accepted"
    RETURNED = "returned"  # nobody accepted in time, or nobody can: the unit's next alarm action
    DONE = "done"


SNU: Final[dict[State, Snu]] = {
    State.HELD: Snu.HOLD,
    State.ACCEPTED: Snu.DONE,
    State.RETURNED: Snu.NOT_TREATED,
    State.DONE: Snu.DONE,
}
_ACCEPTED_PHASES: Final = (Phase.ACCEPTED, Phase.ATTENDED)


class Way(Struct, frozen=True):
    """How the unit is reached, in words that survive a restart (`Signal.origin`): transport, host and port
    its message came from, the addresses of both sides, and the form it speaks (content type, root)."""

    transport: str
    host: str
    port: int
    us: str
    them: str
    user: str = ""
    contact: str = ""
    form: str = ""
    root: str = "mrs"


class Call:
    """One session of one controller."""

    def __init__(self, key: str, request: Mrq, way: Way, now: int) -> None:
        self.key = key
        self.known = request  # what all its messages said together
        self.parts = [request]  # none: all that is known of the session is what the hub reported
        self.way = way
        self.state = State.HELD
        self.told: Snu | None = None  # the last that has reached the unit for certain
        self.sending: dict[asyncio.Task[None], int] = {}  # answers on their way, and what they say
        self.heard_at = now
        self.ended = False
        self.stored = False
        self.lock = asyncio.Lock()

    @property
    def snu(self) -> Snu:
        """What to answer."""
        return SNU[self.state]

    def repeats(self, request: Mrq, now: int, repeat_ms: int) -> bool:
        """Whether this message only asks for the answer. One after a long pause, or after the end and its
        last answer, is a new press of a unit that does not change its reference: it rings."""
        unknown = self.parts and request not in self.parts
        if not self.stored or unknown or now - self.heard_at >= repeat_ms:
            return False
        return not (self.ended and self.told is self.snu)

    def add(self, request: Mrq) -> None:
        """One more message of the session."""
        self.known = merged(self.known, request) if self.parts else request
        if request not in self.parts:
            self.parts = [*self.parts[-PARTS + 1 :], request]

    def learn(self, phase: str, *, new: bool = False, returned: bool = False) -> None:
        """What the engine said when it took a signal of this session. `new`: it raised an alarm; whatever the
        unit was told of an earlier one does not count for it. `returned`: responsibility for it was given
        back, perhaps before a restart of the hub, and nobody has taken it since."""
        self.stored = True
        if new:
            self.state, self.ended, self.told = State.HELD, False, None
        if self.state is State.HELD and phase in _ACCEPTED_PHASES:
            self.state = State.ACCEPTED
        elif self.state is State.HELD and returned:
            self.state = State.RETURNED

    def reported(self, status: ReportStatus) -> bool:
        """Take in a report; whether the unit has something new to hear."""
        before = self.snu
        if status is ReportStatus.ACCEPTED:
            self.state = State.ACCEPTED
        elif status in (ReportStatus.ABSENT, ReportStatus.UNANSWERED):
            self.state = State.RETURNED
        elif status is ReportStatus.ENDED:
            self.ended = True
            if self.state is State.HELD:
                self.state = State.DONE
        return self.snu is not before or self.told is not self.snu

    def reset(self) -> None:
        """The unit itself has ended it and is being told so."""
        self.state, self.ended, self.told = State.DONE, True, Snu.DONE


class Calls:
    """The sessions of one link, by controller and reference."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._known: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, session: str) -> Call | None:
        """The session of this name."""
        return self._known.get(session)

    def keep(self, session: str, call: Call) -> Call:
        """Remember a session, in place of an earlier one of the same name."""
        self._known.pop(session, None)
        if len(self._known) >= self._most:
            self._make_room(call.heard_at)
        self._known[session] = call
        return call

    def open_of(self, request: Mrq) -> Call | None:
        """The newest session of the same device that has not ended."""
        same = (request.cid, request.dco, request.did)
        for call in reversed(self._known.values()):
            if not call.ended and call.stored and (call.known.cid, call.known.dco, call.known.did) == same:
                return call
        return None

    def _make_room(self, now: int) -> None:
        for session, call in list(self._known.items()):
            if now - call.heard_at >= (KEPT_ENDED_MS if call.ended else KEPT_MS):
                del self._known[session]
        if len(self._known) >= self._most:
            ended = next((session for session, call in self._known.items() if call.ended), None)
            del self._known[ended or next(iter(self._known))]
