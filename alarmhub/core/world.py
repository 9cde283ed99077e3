"""What a decision may know beside the alarm and the event, and the shape of its outcome.

Values only; the decision itself is `core.decide`.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from msgspec import Struct

from alarmhub.core.alarm import Alarm
from alarmhub.core.effects import Effect
from alarmhub.core.reach import Reach
from alarmhub.core.reasons import Reason
from alarmhub.core.roster import Roster
from alarmhub.core.site import Site


class World(Struct, frozen=True):
    """What a decision may know beside the alarm and the event. Mappings are read, never changed.

    `reach`: best reach per staff id, missing = none. `grace_until`: until then (epoch ms) nobody who is
    `recent` is skipped for a missing receipt. `untouched`: staff whose last two rings in 30 min met no touch.
    `texts`: there is a link for text messages.
    `push`: staff with a phone that a push reaches, whatever their reach.
    """

    site: Site
    roster: Roster
    reach: Mapping[str, Reach]
    grace_until: int = 0
    untouched: frozenset[str] = frozenset()
    texts: bool = False
    push: Set[str] = frozenset()


class Verdict(Struct, frozen=True, gc=False):
    """What an answering person or source is told: `ok`, or the error's name from the closed list."""

    ok: bool = True
    error: str = ""


class Decision(Struct, frozen=True, gc=False):
    """The outcome. `alarm` is the same object when nothing changed."""

    alarm: Alarm | None
    effects: tuple[Effect, ...] = ()
    reasons: tuple[Reason, ...] = ()
    verdict: Verdict = Verdict()
