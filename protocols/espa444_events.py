"""What an ESPA 4.4.4 conversation tells its owner: frozen events.

Values only. Which bytes lead to which event is `protocols.espa444`; what an event means for an alarm is the
adapter's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from protocols.espa444_block import (
    NAK_BUSY,
    NAK_INVALID,
    NAK_TRANSMISSION,
    BccRule,
    Block,
    RecordId,
)
from protocols.espa444_charset import decode

DEFAULT_BEEP, DEFAULT_CALL_TYPE, DEFAULT_TRANSMISSIONS, DEFAULT_PRIORITY = "3", "3", "1", "3"
"""Values of records 3 to 6 when a sender leaves them out (in the field they are optional)."""


@dataclass(frozen=True, slots=True)
class BlockReceived:
    """A call (header 1, or 4: to a subscriber line) with a good check. It waits for an answer by `token`.

    `station`: whose call it is, where we polled for it; "" where only one station can be meant.
    """

    token: int
    block: Block
    charset: str
    bcc_rule: BccRule
    station: str = ""

    @property
    def header(self) -> str:
        """Header id, `1` or `4`."""
        return self.block.header

    @property
    def address(self) -> str:
        """Record 1, the number called; blanks around it stripped; "" when it was not sent."""
        return self._text(RecordId.ADDRESS, "").strip()

    @property
    def text(self) -> str:
        """Record 2, the display message as sent; "" when it was not sent."""
        return self._text(RecordId.TEXT, "")

    @property
    def beep(self) -> str:
        """Record 3; its meaning is agreed per site."""
        return self._value(RecordId.BEEP, DEFAULT_BEEP)

    @property
    def call_type(self) -> str:
        """Record 4: `1` reset, `2` speech, `3` standard, others by dialect."""
        return self._value(RecordId.CALL_TYPE, DEFAULT_CALL_TYPE)

    @property
    def transmissions(self) -> str:
        """Record 5."""
        return self._value(RecordId.TRANSMISSIONS, DEFAULT_TRANSMISSIONS)

    @property
    def priority(self) -> str:
        """Record 6: `1` alarm, `2` high, `3` normal."""
        return self._value(RecordId.PRIORITY, DEFAULT_PRIORITY)

    def _text(self, record_id: RecordId, default: str) -> str:
        data = self.block.get(record_id)
        return default if data is None else decode(data, self.charset)

    def _value(self, record_id: RecordId, default: str) -> str:
        return self._text(record_id, default).strip() or default


@dataclass(frozen=True, slots=True)
class InformationReceived:
    """A block that asks for nothing (headers 2 and 5): acknowledged, worth a line in the log."""

    block: Block
    bcc_rule: BccRule


@dataclass(frozen=True, slots=True)
class StatusRequested:
    """Header 3. `known`: that call's last status goes out at the next poll; else only the owner knows it."""

    address: str
    text: str | None
    known: bool


@dataclass(frozen=True, slots=True)
class PollSeen:
    """The control station polled somebody: the line is alive. `mine`: it asked us."""

    station: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Selected:
    """We were selected and answered (`ready`: with ACK, else busy): the line is alive."""

    ready: bool


class Cause(StrEnum):
    """Why something was not taken."""

    BCC = "wrong block check"
    NO_START = "block without its start"
    TOO_LONG = "block too long"
    CUT_OFF = "block cut off"
    TIMED_OUT = "block not completed in time"
    NO_BLOCK = "no block after select"
    NOT_A_MESSAGE = "block is not a message"
    UNKNOWN_HEADER = "unknown header"
    NOISE = "bytes that are no protocol"
    NOT_STORED = "not stored in time"


NAK_FOR: Mapping[Cause, bytes] = {
    Cause.BCC: NAK_TRANSMISSION,
    Cause.NO_START: NAK_TRANSMISSION,
    Cause.TIMED_OUT: NAK_TRANSMISSION,
    Cause.TOO_LONG: NAK_INVALID,
    Cause.NOT_A_MESSAGE: NAK_INVALID,
    Cause.UNKNOWN_HEADER: NAK_INVALID,
    Cause.NOT_STORED: NAK_BUSY,
}
"""What a sender is told; causes that are not here get no answer, because nobody waits for one."""


@dataclass(frozen=True, slots=True)
class FrameRefused:
    """Something arrived that was no good. `answer`: the NAK prefix sent, "" when nothing was answered."""

    cause: Cause
    answer: str = ""


@dataclass(frozen=True, slots=True)
class AnswerUnwanted:
    """The master went on without waiting for the answer to `token`; none will be sent."""

    token: int


class StatusCause(StrEnum):
    """Why a status did not reach the control station."""

    NOT_SELECTED = "control station refused the select"
    REFUSED = "control station refused the block"
    NO_ANSWER = "control station did not answer"
    CONNECTION_LOST = "connection lost"


@dataclass(frozen=True, slots=True)
class StatusDelivered:
    """The control station acknowledged the status `id`."""

    id: str


@dataclass(frozen=True, slots=True)
class StatusFailed:
    """The status `id` was given up on this connection."""

    id: str
    cause: StatusCause


@dataclass(frozen=True, slots=True)
class StationHeard:
    """A station answered our poll or select. `back`: it was off-line until now."""

    station: str
    back: bool = False


@dataclass(frozen=True, slots=True)
class StationLost:
    """A station has not answered so often that it is off-line now; it is polled more seldom."""

    station: str


class SendCause(StrEnum):
    """Why a block did not reach the station it was for."""

    NOT_SELECTED = "station refused the select"
    BUSY = "station is busy"
    INVALID = "station says the message is invalid"
    REFUSED = "station refused the block"
    NO_ANSWER = "station did not answer"
    CONNECTION_LOST = "connection lost"


@dataclass(frozen=True, slots=True)
class SendTaken:
    """The station acknowledged the block `id`."""

    id: str


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The block `id` was given up on this connection. INVALID: it would be refused again."""

    id: str
    cause: SendCause


EspaEvent = (
    BlockReceived
    | InformationReceived
    | StatusRequested
    | PollSeen
    | Selected
    | FrameRefused
    | AnswerUnwanted
    | StatusDelivered
    | StatusFailed
    | StationHeard
    | StationLost
    | SendTaken
    | SendFailed
)
