"""Failed proofs of who somebody is, counted in memory by login and by address (`core.attempts`).

It refuses to keep what was typed: its keys are digests, and the oldest are forgotten when there are many.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from hashlib import sha256
from http import HTTPStatus
from typing import Final

from alarmhub import logs
from alarmhub.core import attempts
from alarmhub.core.attempts import Bucket
from alarmhub.logs import Line
from alarmhub.web.problems import later

REMEMBERED: Final = 20_000
"""Buckets; past it the one longest untouched is forgotten."""

_log = logs.get("web")


class Failures:
    """See the module."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[bytes, Bucket] = OrderedDict()

    def begin(self, login: str, peer: str, now: int) -> None:
        """One try. Raises Failed (429) when it must wait. Counted before it is known to fail, so that a
        hundred at once are no way around."""
        keys = _keys(login, peer)
        here, anywhere, address = map(self._at, keys)
        wait_ms = attempts.sign_in_wait_ms(here, anywhere, address, now)
        if wait_ms:
            _log.info(Line.SIGN_IN_REFUSED, reason="too_many", peer=peer)
            raise later(
                HTTPStatus.TOO_MANY_REQUESTS, "too_many", "too many failed sign-ins: wait a little",
                -(-wait_ms // 1000), error="too_many",
            )  # fmt: skip
        bounds = (attempts.HERE, attempts.ANYWHERE, attempts.ADDRESS)
        for key, bound in zip(keys, bounds, strict=True):
            self._buckets[key] = attempts.charged(self._at(key), bound, now)
            self._buckets.move_to_end(key)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)

    def was_right(self, login: str, peer: str, now: int) -> None:
        """It did not fail: forget this login here, and what it cost the others."""
        here, anywhere, address = _keys(login, peer)
        self._buckets.pop(here, None)
        for key, bound in ((anywhere, attempts.ANYWHERE), (address, attempts.ADDRESS)):
            self._buckets[key] = attempts.refunded(self._at(key), bound, now)

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._buckets)

    def _at(self, key: bytes) -> Bucket:
        return self._buckets.get(key, attempts.EMPTY)


def area(peer: str) -> str:
    """One who calls: an address, or of IPv6 the /64 that one connection has to itself."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if address.version == 4:
        return peer
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))


def _keys(login: str, peer: str) -> tuple[bytes, bytes, bytes]:
    peer = area(peer)
    texts = (f"here\0{login}\0{peer}", f"login\0{login}", f"peer\0{peer}")
    here, anywhere, address = (sha256(text.encode("utf-8", "replace")).digest() for text in texts)
    return here, anywhere, address
