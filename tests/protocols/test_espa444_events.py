"""Events: what a call says when read."""

from __future__ import annotations

from protocols.espa444_block import BccRule, Block, Record
from protocols.espa444_events import NAK_FOR, BlockReceived, Cause


def received(*records: tuple[str, bytes], charset: str = "latin-1") -> BlockReceived:
    """A call with these records."""
    return BlockReceived(1, Block("1", tuple(Record(*r) for r in records)), charset, BccRule.EIGHT_BIT)


def test_values_are_strings_and_stripped() -> None:
    """'01' is not '1'; blanks around values are not part of them, blanks in a text are."""
    event = received(("1", b" 1201 "), ("2", b" Sal 1 "), ("4", b" 1 "), ("6", b"01"))
    assert (event.address, event.text, event.call_type, event.priority) == ("1201", " Sal 1 ", "1", "01")


def test_empty_records_count_as_not_sent() -> None:
    """An empty record 4 or 6 has the usual value."""
    event = received(("1", b"1201"), ("3", b""), ("4", b""), ("5", b" "), ("6", b""))
    assert (event.beep, event.call_type, event.transmissions, event.priority) == ("3", "3", "1", "3")
    assert event.text == ""


def test_the_text_is_read_in_the_links_letters() -> None:
    """The same bytes, two lines."""
    assert received(("2", b"V}rd"), charset="iso646-se").text == "Vård"
    assert received(("2", b"V}rd")).text == "V}rd"


def test_silent_causes_are_those_nobody_waits_for() -> None:
    """A NAK is for a sender that waits; a cut-off block and noise have none."""
    assert set(Cause) - set(NAK_FOR) == {Cause.CUT_OFF, Cause.NO_BLOCK, Cause.NOISE}
