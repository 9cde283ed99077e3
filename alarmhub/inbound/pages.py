"""Messages to pager numbers, alike for every door that takes them (SNPP, SMTP).

A page to a number opens an alarm of its own, which staff end: nothing else ever ends it, and the same words
an hour later are a new page, whatever became of the first. A page whose place the site's rules know is a call
at that place, like any plant's. It refuses to speak a protocol and to store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.site import Site, SourceRules, number_of
from alarmhub.inbound.mapping import MAX_TEXT_CHARS, clean

MAX_MESSAGE_CHARS: Final = 1_000
"""Of one message, as shown; what a rule searches is shorter (`mapping.MAX_TEXT_CHARS`)."""
MOST_TRANSMISSIONS: Final = 1_024
"""Remembered at once."""
NAME_BYTES: Final = 8
"""Of a transmission's name, as many as any door's keys hold."""

_KEY = re.compile(rf"[a-z]+:([0-9a-f]{{{2 * NAME_BYTES}}})")


def as_pages(signals: Iterable[Signal], site: Site, key: str, message: str) -> list[Signal]:
    """What one address of a transmission was mapped to, each a page of its own; see `as_page`."""
    return [as_page(s, site, f"{key}/{n}" if n else key, message) for n, s in enumerate(signals)]


def as_page(signal: Signal, site: Site, key: str, message: str) -> Signal:
    """A mapped signal as a page: keyed by its own transmission and ended by staff where no place is known,
    with the whole message where the mapping saw only its beginning. `key`: unique for this transmission."""
    if len(message) > MAX_TEXT_CHARS and not signal.text:
        signal = replace(signal, text=clean(message, MAX_MESSAGE_CHARS))
    if signal.place in site.places or signal.event not in (SignalEvent.START, SignalEvent.ONCE):
        return signal
    return replace(signal, event=SignalEvent.ONCE, key=signal.key or key)


class Transmissions:
    """What names one transmission: sixteen bytes for the same words within `window_ms`.

    The same words get the same name within the window, also from a hub that was restarted in between: the
    name is made of them and of the time cut into stretches as long, and where the window reaches back over
    the edge of a stretch, `opened` tells which names of before have an open alarm (`names_of`). None can be
    guessed without `secret`, if there is one.
    """

    def __init__(
        self, window_ms: int, secret: str = "", opened: Callable[[], Mapping[bytes, int]] | None = None
    ) -> None:
        self._window_ms = window_ms
        self._secret = blake2b(secret.encode("utf-8", "replace")).digest() if secret else b""
        self._lately: dict[tuple[str, ...], tuple[int, bytes]] = {}
        self._opened = opened
        self._before: Mapping[bytes, int] = {}

    def name(self, words: tuple[str, ...], now: int) -> bytes:
        """The name of the transmission of these words at `now`."""
        if self._opened is not None:
            # Asked for once: what comes later is remembered here.
            self._before, self._opened = self._opened(), None
        known = self._lately.get(words)
        if known is not None and now - known[0] < self._window_ms:
            return known[1]
        if not self._window_ms:
            return self._named(now, words)
        stretch, at = now // self._window_ms, now
        name = self._named(stretch, words)
        if self._before:
            earlier = self._named(stretch - 1, words)
            raised_at = self._before.get(earlier[:NAME_BYTES])
            if raised_at is not None and now - raised_at < self._window_ms:
                name, at = earlier, raised_at
        self._remember(words, at, name)
        return name

    def _named(self, stretch: int, words: tuple[str, ...]) -> bytes:
        said = "\x00".join((str(stretch), *words)).encode("utf-8", "replace")
        return blake2b(said, digest_size=16, key=self._secret).digest()

    def _remember(self, words: tuple[str, ...], at: int, name: bytes) -> None:
        self._lately.pop(words, None)
        while len(self._lately) >= MOST_TRANSMISSIONS:
            del self._lately[next(iter(self._lately))]
        self._lately[words] = (at, name)


def names_of(alarms: Iterable[Alarm], source: str) -> dict[bytes, int]:
    """The first bytes of the names of a source's transmissions that have an alarm, and when it was raised."""
    found: dict[bytes, int] = {}
    for alarm in alarms:
        key = _KEY.match(alarm.key) if alarm.source == source else None
        if key is not None:
            found[bytes.fromhex(key[1])] = alarm.raised_at
    return found


def known_address(address: str, rules: SourceRules, site: Site) -> bool:
    """Whether the site says anything of this address: a number, or a rule that looks for it."""
    if number_of(site, address) is not None:
        return True
    bounded = address[:MAX_TEXT_CHARS]
    return any(rule.address is not None and re.search(rule.address, bounded) for rule in rules.rules)
