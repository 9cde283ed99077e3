"""What is wrong with the phone of somebody on duty, as pure functions: causes, thresholds, words.

A warning is about a phone, never about a person: it begins and ends by what the phone is and does, and
nothing here counts, compares or remembers beyond it. Each threshold has another side, so that a battery at
15 % or a phone in a lift does not flap. It refuses clocks, and to know who is told.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Literal

from msgspec import Struct

from alarmhub.core import words

S: Final = 1000
MutedRule = Literal["warn", "alone", "allow"]


class Cause(StrEnum):
    """What is wrong, the worst first."""

    SILENT = "silent"  # nothing has been heard of it for too long
    BATTERY_CRITICAL = "battery_critical"
    NO_PERMISSION = "no_permission"  # the system does not let it notify
    PUSH_DEAD = "push_dead"  # nothing will ever reach the address by which it was woken
    MUTED = "muted"
    UNTOUCHED = "untouched"  # rang twice and nobody touched it: the phone in the locker
    BATTERY_LOW = "battery_low"


class Said(Struct, frozen=True):
    """How a phone says it is; None where it cannot tell. `battery`, `volume`: percent."""

    battery: int | None = None
    charging: bool | None = None
    muted: bool | None = None
    volume: int | None = None
    notifications: str | None = None
    push: bool | None = None
    visible: bool | None = None


class HandsetRules(Struct, frozen=True):
    """When something counts as wrong. `muted`: warn always, only who is alone in a unit, or never.

    `silent_s`: without contact so long is silent; `asleep_s`: the same for a phone that pushes wake, which
    keeps no contact while it sleeps. Battery levels in percent.
    """

    silent_s: float = 120.0
    asleep_s: float = 4 * 3600.0
    back_s: float = 30.0
    muted: MutedRule = "warn"
    muted_s: float = 60.0
    battery_low: int = 15
    battery_critical: int = 5


FINE_ABOVE_LOW: Final = 5
FINE_ABOVE_CRITICAL: Final = 3
"""Percent above the threshold from which a battery is well again."""
CHARGING_S: Final = 60
"""On the charger so long is charging: a loose plug is not."""
SOUND_S: Final = 10
PERMISSION_S: Final = 10


class Seen(Struct, frozen=True):
    """All that counts of one phone of somebody on duty, at one instant; times in epoch ms.

    `contact_at`: since when it is connected, or when it was heard of last. `asleep`: not connected, but a
    push wakes it; `push_lost_at`: when a push to it had brought no receipt in time, and nothing since;
    `push_dead`: its last push address died, and it has not said a new one.
    `newest`: of her phones the one heard of last, which stands for all where a cause is about having one at
    all. `away`: busy or on a break, `alone`: the only one on duty in a unit.
    """

    said: Said
    contact_at: int
    live: bool
    asleep: bool
    newest: bool
    duty_since: int
    push_lost_at: int | None = None
    push_dead: bool = False
    away: bool = False
    alone: bool = False
    untouched: bool = False


class Track(Struct, frozen=True):
    """One cause of one phone. `since`: when the warning began, None = there is none. `turning_at`: since when
    the opposite holds."""

    since: int | None = None
    turning_at: int | None = None


class Finding(Struct, frozen=True):
    """What one look says. `bad`: None = between the thresholds, what was remains. It counts once it has held
    for `after_ms`, reckoned from `since` where that is known. `again_at`: a later look will say something
    else, though nothing happens."""

    bad: bool | None
    after_ms: float = 0
    since: int | None = None
    again_at: int | None = None


def find(cause: Cause, seen: Seen, rules: HandsetRules, now: int) -> Finding:
    """What a look at the phone says of one cause."""
    return _silent(seen, rules, now) if cause is Cause.SILENT else _FINDERS[cause](seen, rules)


def step(track: Track, found: Finding, now: int) -> tuple[Track, int | None]:
    """The track after a look, and when to look again if nothing else happens (epoch ms; None: no need)."""
    if found.bad is None or found.bad is (track.since is not None):
        return (track if track.turning_at is None else Track(track.since)), found.again_at
    if found.since is not None:
        turning_at = found.since
    else:
        turning_at = now if track.turning_at is None else track.turning_at
    due = round(turning_at + found.after_ms)
    if now >= due:
        return Track(now if found.bad else None), found.again_at
    return Track(track.since, turning_at), due


def own_text(cause: Cause, said: Said, language: str) -> str:
    """The warning to whoever carries the phone."""
    return _text(words.PHONE_OWN, cause, said, language)


def text(cause: Cause, said: Said, language: str) -> str:
    """The warning to others, to follow the phone's name."""
    return _text(words.PHONE, cause, said, language)


def _text(table: dict[str, words.Both], cause: Cause, said: Said, language: str) -> str:
    texts = table[cause]
    battery = "?" if said.battery is None else said.battery
    return (texts[0] if language == "sv" else texts[1]).format(battery=battery)


def _silent(seen: Seen, rules: HandsetRules, now: int) -> Finding:
    since = max(seen.contact_at, seen.duty_since)
    if not seen.newest:
        return Finding(False)
    if seen.live:
        return Finding(False, rules.back_s * S, seen.contact_at)
    if not seen.asleep:
        return Finding(True, rules.silent_s * S, since)
    if seen.push_lost_at is not None:
        # It was called and did not answer: that is as silent as a broken connection.
        return Finding(True)
    too_long_at = round(since + rules.asleep_s * S)
    return Finding(True) if now >= too_long_at else Finding(False, again_at=too_long_at)


def _muted(seen: Seen, rules: HandsetRules) -> Finding:
    ruled_out = rules.muted == "allow" or (rules.muted == "alone" and not seen.alone)
    if seen.away or ruled_out:
        return Finding(False)
    if seen.said.muted or seen.said.volume == 0:
        return Finding(True, rules.muted_s * S)
    return Finding(False, SOUND_S * S)


def _no_permission(seen: Seen, rules: HandsetRules) -> Finding:
    refused = seen.said.notifications not in (None, "granted")
    # Allowed is allowed: whoever has just done what the warning asks must see it go.
    return Finding(refused, PERMISSION_S * S if refused else 0)


def _push_dead(seen: Seen, rules: HandsetRules) -> Finding:
    return Finding(seen.push_dead)


def _untouched(seen: Seen, rules: HandsetRules) -> Finding:
    return Finding(seen.untouched and seen.newest)


def _battery(threshold: int, fine_above: int, seen: Seen) -> Finding:
    level = seen.said.battery
    if level is None:
        return Finding(False)
    if level >= threshold + fine_above:
        return Finding(False)
    if seen.said.charging:
        return Finding(False, CHARGING_S * S)
    return Finding(True if level < threshold else None)


def _battery_low(seen: Seen, rules: HandsetRules) -> Finding:
    return _battery(rules.battery_low, FINE_ABOVE_LOW, seen)


def _battery_critical(seen: Seen, rules: HandsetRules) -> Finding:
    return _battery(rules.battery_critical, FINE_ABOVE_CRITICAL, seen)


_FINDERS: Final[dict[Cause, Callable[[Seen, HandsetRules], Finding]]] = {
    Cause.BATTERY_CRITICAL: _battery_critical,
    Cause.NO_PERMISSION: _no_permission,
    Cause.PUSH_DEAD: _push_dead,
    Cause.MUTED: _muted,
    Cause.UNTOUCHED: _untouched,
    Cause.BATTERY_LOW: _battery_low,
}
