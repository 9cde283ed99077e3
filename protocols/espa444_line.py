"""The ESPA 4.4.4 line: what is agreed for it, and who is meant by what is said on it.

`Link` holds the settings, `Line` follows polls and selects of all stations and tells what an `x ENQ` means
for us. It refuses to answer anything: that is `protocols.espa444`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum

from protocols.espa444_block import MAX_BLOCK_BYTES
from protocols.espa444_charset import CHARSETS

BURST_GAP_MS = 100
"""An EOT and a `me ENQ` closer than this were sent together, which only a polling station does."""


class LinkMode(StrEnum):
    """How `EOT me ENQ` is read.

    polled: as a poll. select-only: as a select, always; status can never be sent back. auto: as a select,
    unless this link has ever shown `EOT control ENQ`, or an EOT that ended nothing together with `me ENQ`.
    """

    POLLED = "polled"
    SELECT_ONLY = "select-only"
    AUTO = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Deadlines in milliseconds, repeats as counts. None of them is in the standard's public text."""

    inter_character_ms: int = 1_000
    block_ms: int = 3_000
    select_to_block_ms: int = 15_000
    reply_ms: int = 2_000  # for the control station's answer to us
    answer_ms: int = 1_800  # for the owner's answer to a block; then busy, before a 2 s plant stops listening
    repeats: int = 2  # of a status block after NAK or silence
    select_attempts: int = 10  # polls at which a status may fail to be selected before it is given up
    character_us: int = 0  # what one takes on a wire (start, data, parity and stop bits); 0: no wire

    def wire_ms(self, characters: int) -> int:
        """How long so many characters are on the wire; deadlines begin after them."""
        return -(-characters * self.character_us // 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What is agreed for one line. Raises ValueError when it cannot be."""

    own: str = "2"
    control: str = "1"
    mode: LinkMode = LinkMode.POLLED
    eot_select: bool = False  # treat `EOT me ENQ` as a select
    charset: str = "latin-1"
    seven_bit: bool = False  # the top bit of each byte is parity: masked before anything else
    max_block_bytes: int = MAX_BLOCK_BYTES
    timers: Timers = field(default_factory=Timers)

    def __post_init__(self) -> None:
        for name, address in (("own", self.own), ("control", self.control)):
            if len(address) != 1 or address not in "0123456789":
                raise ValueError(f"{name} address must be one digit, not {address!r}")
        if self.own == self.control:
            raise ValueError("own and control station address are the same")
        if self.charset not in CHARSETS:
            raise ValueError(f"unknown character set {self.charset!r}; one of {', '.join(CHARSETS)}")

    @property
    def takes_status(self) -> bool:
        """Whether this link ever has a poll that a status can answer."""
        return self.mode is not LinkMode.SELECT_ONLY and not self.eot_select


class Meaning(Enum):
    """What an `x ENQ` is."""

    POLL_OF_US = 0
    SELECT_OF_US = 1
    POLL_OF_OTHER = 2
    SELECT_OF_OTHER = 3


class Line:
    """What was said since the last EOT, by anybody.

    `foreign`: another station is selected, the next block is not for us. `polling_seen`: evidence for `auto`.
    """

    def __init__(self, link: Link, polling_seen: bool) -> None:
        self._link = link
        self.polling_seen = polling_seen
        self.foreign = False
        self._after_eot = False
        self._eot_at: int | None = None
        self._polled: str | None = None

    def eot(self, now: int, *, ended_something: bool) -> None:
        """The other side sent EOT. One that ends a transaction is no sign of polling: every sender has it."""
        self._after_eot = True
        self._eot_at = None if ended_something else now
        self._polled = None
        self.foreign = False

    def own_eot(self) -> None:
        """We sent EOT; a poll may follow anybody's."""
        self._after_eot = True
        self._eot_at = None
        self._polled = None

    def enq(self, station: str, now: int) -> Meaning:
        """Tell what `station ENQ` means, and remember that it was said."""
        first, self._after_eot = self._after_eot, False
        if station == self._link.own:
            self.foreign = False
            return Meaning.POLL_OF_US if self._is_poll(first, now) else Meaning.SELECT_OF_US
        if first and station == self._link.control:
            self.polling_seen = True
        # The second after an EOT is a select, unless it is the control station: that one polls itself.
        self.foreign = not first and (
            station != self._link.control or self._polled not in (None, self._link.control)
        )
        if self.foreign:
            return Meaning.SELECT_OF_OTHER
        self._polled = station
        return Meaning.POLL_OF_OTHER

    def _is_poll(self, first: bool, now: int) -> bool:
        if not first or not self._link.takes_status:
            return False
        if self._link.mode is LinkMode.POLLED:
            return True
        if self._eot_at is not None and now - self._eot_at <= BURST_GAP_MS:
            self.polling_seen = True
        return self.polling_seen
