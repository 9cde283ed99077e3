"""A call as a sender words it (ESPA 4.4.4 header 1), and its reset.

Values and their bytes. Which numbers a site gives its beep codes, and when a call is sent, is the owner's; it
refuses to send anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from protocols.espa444_block import MAX_TEXT_OUT, CallType, Header, RecordId, call_records, encode_block
from protocols.espa444_events import DEFAULT_BEEP, DEFAULT_PRIORITY, DEFAULT_TRANSMISSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerCall:
    """Records 1 to 6. `priority`: `1` alarm, `2` high, `3` normal; `beep` as agreed per site."""

    address: str
    text: str
    beep: str = DEFAULT_BEEP
    call_type: str = CallType.STANDARD
    transmissions: str = DEFAULT_TRANSMISSIONS
    priority: str = DEFAULT_PRIORITY

    def reset(self) -> PagerCall:
        """What takes this call back: the same address and text, call type 1."""
        return replace(self, call_type=CallType.RESET)

    def encoded(self, charset: str, *, text_chars: int = MAX_TEXT_OUT) -> bytes:
        """The whole block. A longer text is cut to `text_chars`; what the set does not have becomes `?`."""
        records = call_records(self.address, self.text[:text_chars].rstrip(), charset)
        records += [
            (str(record), value.encode("ascii", "replace"))
            for record, value in (
                (RecordId.BEEP, self.beep),
                (RecordId.CALL_TYPE, str(self.call_type)),
                (RecordId.TRANSMISSIONS, self.transmissions),
                (RecordId.PRIORITY, self.priority),
            )
        ]
        return encode_block(str(Header.CALL), records)
