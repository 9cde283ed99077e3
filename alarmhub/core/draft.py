"""The scratch pad of one decision: the alarm so far, and what has been said and asked for on the way.

It lives for one call of `decide` and never leaves it. It refuses to decide anything.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Flag
from alarmhub.core.effects import Effect
from alarmhub.core.reasons import Reason
from alarmhub.core.world import Verdict, World


class Draft(Struct):
    """Mutable on purpose: rules in sequence read better than nested tuples of results."""

    alarm: Alarm
    world: World
    now: int
    effects: list[Effect]
    reasons: list[Reason]
    verdict: Verdict = Verdict()


def change(draft: Draft, **fields: Any) -> None:
    """Set fields of the alarm."""
    draft.alarm = replace(draft.alarm, **fields)


def say(draft: Draft, code: str, **facts: str | int | bool | list[str] | None) -> None:
    """Record a named reason with the facts it used."""
    draft.reasons.append(Reason(code, facts))


def refuse(draft: Draft, error: str, code: str, **facts: str | int | bool | list[str] | None) -> None:
    """Answer the asker with an error from the closed list, and record why."""
    draft.verdict = Verdict(ok=False, error=error)
    say(draft, code, **facts)


def flag(draft: Draft, *flags: Flag) -> None:
    """Add flags, keeping their order stable."""
    have = draft.alarm.flags
    missing = tuple(f for f in flags if f not in have)
    if missing:
        change(draft, flags=have + missing)


def unflag(draft: Draft, *flags: Flag) -> None:
    """Remove flags."""
    if any(f in flags for f in draft.alarm.flags):
        change(draft, flags=tuple(f for f in draft.alarm.flags if f not in flags))
