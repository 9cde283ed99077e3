"""What every push transport is: one note to one address, and within a deadline what became of it.

The values here are all that crosses between a transport and its caller. They refuse anything that a provider
should not read: a note has no name, no room and no text.

When a transport is full (`settings.at_once` pushes in flight), further ones wait in a bounded line, the most
urgent first, no longer than their own deadline; past the line's bound the least urgent is answered `LATER` at
once. So a call of `send` always ends within its deadline, and no caller waits for another's provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from alarmhub.people import PushTarget

WITHIN_S: Final = 3.0
"""How long one push may take by default, its retry on a second connection included."""


class Note(Struct, frozen=True, kw_only=True):
    """What a push says. `alarm`: opaque id; `id`: unique for each push, a UUID where the provider is to name
    it as we do; `priority`: a `core.kinds.Priority`; `ttl_s`: how long the provider keeps it for a phone it
    cannot reach, 0 = now or never; `drill`: rings nobody."""

    id: str
    alarm: str
    rev: int
    priority: str
    ttl_s: int
    drill: bool = False


class Outcome(StrEnum):
    """What became of a push, and so what its caller does next."""

    TAKEN = "taken"  # by the provider: nothing is known of the phone yet
    DEAD = "dead"  # nothing will ever reach this address: forget it, tell its owner
    LATER = "later"  # may be tried again after `retry_after_s`
    REFUSED = "refused"  # by our own fault (credentials, settings): say it loudly, keep the address
    LOST = "lost"  # nobody answered within the deadline; it may have arrived


class Sent(Struct, frozen=True):
    """The answer to one push. `detail`: in the provider's own words where it said any, without secrets;
    `retry_after_s`: with LATER, the shortest time to wait, as the provider asked."""

    outcome: Outcome
    detail: str = ""
    retry_after_s: float = 0.0


class Transport(Protocol):
    """One provider. `start` before the first `send`, `stop` after the last. None of the calls raises for what
    a provider, a network, a wrong setting or a bad address does; cancelling one `send` harms no other."""

    @property
    def name(self) -> str:
        """apns, fcm or webpush: the transport of the targets it serves."""
        ...

    def address_fault(self, address: str, keys: Mapping[str, str]) -> str | None:
        """Why this can be no address of this transport: "FIELD: what was expected". None when it can."""
        ...

    async def start(self) -> None:
        """Open what is kept open. Does not wait for the provider."""
        ...

    async def send(self, target: PushTarget, note: Note, *, within_s: float | None = None) -> Sent:
        """Push the note to the target. Answers within `within_s` (default: as set for this provider)."""
        ...

    async def check(self) -> Sequence[str]:
        """Prove credentials and settings to the provider, without a phone: what is wrong, one line each;
        empty when all is well. Between `start` and `stop`."""
        ...

    async def stop(self) -> None:
        """Close everything; what is in flight is answered LOST."""
        ...
