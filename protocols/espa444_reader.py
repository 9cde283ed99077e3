"""One ESPA 4.4.4 block as it arrives: from after SOH to the check, in bounded memory, with its verdict.

It refuses to answer and to know the line. Only SOH, ETX and EOT have a meaning inside a block; other control
bytes are text (in code page 437 some of them are printable), and the block check judges them.
"""

from __future__ import annotations

import re
from enum import Enum

from protocols.espa444_block import EOT, ETX, BccRule, Block, matching_bcc, parse_block
from protocols.espa444_events import Cause

_STRUCTURAL = re.compile(rb"[\x01\x03\x04]")


class Stop(Enum):
    """What ended or interrupted the block."""

    ETX = 0
    RESTART = 1
    EOT = 2


class BlockReader:
    """Collects one block.

    `selected`: we were selected for it. `foreign`: it is for another station. `started`: it had its SOH.
    `by`: when it must be complete, in ms.
    """

    __slots__ = ("_covered", "_max", "by", "foreign", "selected", "started", "too_long")

    def __init__(self, *, by: int, selected: bool, foreign: bool, started: bool, max_bytes: int) -> None:
        self.by = by
        self.selected = selected
        self.foreign = foreign
        self.started = started
        self.too_long = False
        self._covered = bytearray()
        self._max = max_bytes

    @property
    def empty(self) -> bool:
        """Nothing has come yet."""
        return not self._covered and not self.too_long

    def take(self, pending: bytearray) -> Stop | None:
        """Move bytes out of `pending` up to and including what stops the block; None: more must come."""
        match = _STRUCTURAL.search(pending)
        end = len(pending) if match is None else match.start()
        if self.too_long or len(self._covered) + end > self._max:
            self.too_long = True
            self._covered.clear()
        else:
            self._covered += pending[:end]
        if match is None:
            pending.clear()
            return None
        code = pending[end]
        del pending[: end + 1]
        return Stop.ETX if code == ETX else Stop.EOT if code == EOT else Stop.RESTART

    def verdict(self, check: int, *, seven_bit_line: bool) -> tuple[Block, BccRule] | Cause:
        """The parsed block and the rule its check matched, or why it is refused."""
        if not self.started:
            return Cause.NO_START
        if self.too_long:
            return Cause.TOO_LONG
        covered = bytes(self._covered)
        rule = matching_bcc(covered + b"\x03", check, seven_bit_line=seven_bit_line)
        if rule is None:
            return Cause.BCC
        parsed = parse_block(covered)
        return (parsed, rule) if isinstance(parsed, Block) else Cause.NOT_A_MESSAGE
