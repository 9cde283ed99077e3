"""Status back to the control station (ESPA 4.4.4 header 2): what is said, what is remembered, what waits.

Values and a bounded queue. When the line is free to say it is decided by `protocols.espa444`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass

from protocols.espa444_block import CallType, RecordId, call_records, encode_block

MAX_REPORTS = 64
STATUS_MEMORY_CALLS = 256


@dataclass(frozen=True, slots=True)
class StatusReport:
    """What the pager system tells the control station with header 2.

    Either the fate of one call (`address`, `text` as the call had them, `call_status` of record 7), or the
    state of the pager system itself (`system_status`, record 8: `1` transmitter failure). `id` names it in
    `StatusDelivered` and `StatusFailed`; "" asks for neither.
    """

    id: str
    address: str = ""
    text: str | None = None
    call_status: str | None = None
    system_status: str | None = None

    def encoded(self, charset: str) -> bytes:
        """The whole block."""
        records = []
        if self.call_status is not None:
            records += call_records(self.address, self.text, charset)
            records.append((str(RecordId.CALL_STATUS), self.call_status.encode("ascii", "replace")))
        if self.system_status is not None:
            records.append((str(RecordId.SYSTEM_STATUS), self.system_status.encode("ascii", "replace")))
        return encode_block("2", records)


class StatusMemory:
    """The last status of each recent call, to answer header 3 with. Bounded: the oldest call is forgotten.

    One per link, handed to each new connection, so that a reconnect forgets nothing.
    """

    def __init__(self, calls: int = STATUS_MEMORY_CALLS) -> None:
        self._calls = calls
        self._last: OrderedDict[tuple[str, str], str] = OrderedDict()

    def note(self, address: str, text: str | None, call_status: str) -> None:
        """Remember what became of a call."""
        key = (address, text or "")
        self._last[key] = call_status
        self._last.move_to_end(key)
        if len(self._last) > self._calls:
            self._last.popitem(last=False)

    def last(self, address: str, text: str | None) -> str | None:
        """The last status of this call; without `text`, of the newest call to that address."""
        if text is not None:
            return self._last.get((address, text))
        return next((status for (to, _), status in reversed(self._last.items()) if to == address), None)

    def __len__(self) -> int:
        return len(self._last)


def first_status(call_type: str) -> str:
    """The status of a call that was just taken: 2 in queue; of a reset: 5 terminated."""
    return "5" if call_type == CallType.RESET else "2"


class Waiting:
    """One queued status: `attempts` polls at which it was not taken, `repeats` within the present one."""

    __slots__ = ("attempts", "block", "id", "repeats")

    def __init__(self, id: str, block: bytes) -> None:
        self.id = id
        self.block = block
        self.attempts = 0
        self.repeats = 0


class StatusQueue:
    """First in, first out, at most `MAX_REPORTS`. The first is the one on the line, if any is."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def first(self) -> Waiting:
        """The next to be said; only when there is one."""
        return self._waiting[0]

    def add(self, id: str, block: bytes) -> bool:
        """False when the queue is full."""
        if len(self._waiting) >= MAX_REPORTS:
            return False
        self._waiting.append(Waiting(id, block))
        return True

    def pop(self) -> Waiting:
        """Take the first out."""
        return self._waiting.popleft()

    def remove(self, id: str, *, keep_first: bool) -> bool:
        """Take one back by id; the first only when it is not on the line. False when there is none."""
        for index, report in enumerate(self._waiting):
            if report.id == id and not (keep_first and index == 0):
                del self._waiting[index]
                return True
        return False
