"""How many failed sign-ins are too many: leaky buckets, by login and by where they come from.

A bucket holds failures and forgets one after another, so that nobody is locked out for ever. It refuses
clocks and names: whose bucket it is, and what time, are the caller's.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Bound(Struct, frozen=True):
    """At most `most` failures remembered, one of them forgotten each `forget_ms`."""

    most: int
    forget_ms: int


class Bucket(Struct, frozen=True):
    """What is remembered: forgotten altogether `owed_ms` after `at` (epoch ms)."""

    owed_ms: int = 0
    at: int = 0


EMPTY: Final = Bucket()

HERE: Final = Bound(most=10, forget_ms=60_000)
"""One login from one address: a person who mistypes, or somebody who guesses."""
ANYWHERE: Final = Bound(most=100, forget_ms=60_000)
"""One login from all addresses: about 1,500 guesses a day, none worth anything against twelve characters."""
ADDRESS: Final = Bound(most=60, forget_ms=2_000)
"""All logins from one address: a whole ward may share it, so it empties within seconds."""


def owed_ms(bucket: Bucket, now: int) -> int:
    """How long until every failure is forgotten."""
    return max(0, bucket.owed_ms - max(0, now - bucket.at))


def charged(bucket: Bucket, bound: Bound, now: int) -> Bucket:
    """One more; never beyond the bound, so that no flood makes the way back longer."""
    return Bucket(min(owed_ms(bucket, now) + bound.forget_ms, bound.most * bound.forget_ms), now)


def refunded(bucket: Bucket, bound: Bound, now: int) -> Bucket:
    """It was no failure after all."""
    return Bucket(max(0, owed_ms(bucket, now) - bound.forget_ms), now)


def wait_ms(bucket: Bucket, bound: Bound, now: int) -> int:
    """How long until another may be tried; 0 = now."""
    return max(0, owed_ms(bucket, now) + bound.forget_ms - bound.most * bound.forget_ms)


def sign_in_wait_ms(here: Bucket, anywhere: Bucket, address: Bucket, now: int) -> int:
    """How long a sign-in of this login from this address must wait; 0 = not at all.

    A full address lets through whoever has not failed there lately: one person who guesses on the ward's
    computers does not keep her colleagues out.
    """
    wait = max(wait_ms(here, HERE, now), wait_ms(anywhere, ANYWHERE, now))
    if owed_ms(here, now):
        wait = max(wait, wait_ms(address, ADDRESS, now))
    return wait
