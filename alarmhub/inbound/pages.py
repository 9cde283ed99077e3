"""Messages to pager numbers, alike for every door that takes them (SNPP, SMTP).

A page to a number opens an alarm of its own, which staff end: nothing else ever ends it, and the same words
an hour later are a new page, whatever became of the first. A page whose place the site's rules know is a call
at that place, like any plant's. It refuses to speak a protocol and to store.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from msgspec.structs import replace

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.site import Site, SourceRules, number_of
from alarmhub.inbound.mapping import MAX_TEXT_CHARS, clean

MAX_MESSAGE_CHARS: Final = 1_000
"""Of one message, as shown; what a rule searches is shorter (`mapping.MAX_TEXT_CHARS`)."""
MOST_TRANSMISSIONS: Final = 1_024
"""Remembered at once."""


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

    The same words get the same name within the window, and, as the name is made of them and of the time cut
    into stretches as long, nearly always from a hub that was restarted in between too. None can be guessed
    without `secret`, if there is one.
    """

    def __init__(self, window_ms: int, secret: str = "") -> None:
        self._window_ms = window_ms
        self._secret = blake2b(secret.encode("utf-8", "replace")).digest() if secret else b""
        self._lately: dict[tuple[str, ...], tuple[int, bytes]] = {}

    def name(self, words: tuple[str, ...], now: int) -> bytes:
        """The name of the transmission of these words at `now`."""
        known = self._lately.get(words)
        if known is not None and now - known[0] < self._window_ms:
            return known[1]
        stretch = now // self._window_ms if self._window_ms else now
        said = "\x00".join((str(stretch), *words)).encode("utf-8", "replace")
        name = blake2b(said, digest_size=16, key=self._secret).digest()
        if self._window_ms:
            self._remember(words, now, name)
        return name

    def _remember(self, words: tuple[str, ...], now: int, name: bytes) -> None:
        if len(self._lately) >= MOST_TRANSMISSIONS:
            fresh = {w: known for w, known in self._lately.items() if now - known[0] < self._window_ms}
            self._lately = fresh if len(fresh) < MOST_TRANSMISSIONS else {}
        self._lately[words] = (now, name)


def known_address(address: str, rules: SourceRules, site: Site) -> bool:
    """Whether the site says anything of this address: a number, or a rule that looks for it."""
    if number_of(site, address) is not None:
        return True
    bounded = address[:MAX_TEXT_CHARS]
    return any(rule.address is not None and re.search(rule.address, bounded) for rule in rules.rules)
