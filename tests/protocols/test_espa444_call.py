"""Calls as a sender words them."""

from __future__ import annotations

import pytest

from protocols.espa444_block import encode_block
from protocols.espa444_call import PagerCall
from tests.support.espa_replay import load_transactions


def test_the_recorded_calls_are_worded_to_the_byte() -> None:
    """The standard call and the priority alarm of the worked transactions."""
    recorded = load_transactions()
    standard = PagerCall(address="1201", text="Zi 12 Bett 1 Ruf")
    assert standard.encoded("latin-1") in recorded["01_call_selfpoll_select"].said
    alarm = PagerCall(address="1201", text="Zi 12 HERZALARM", beep="9", transmissions="3", priority="1")
    assert alarm.encoded("latin-1") in recorded["10_high_priority_alarm"].said


def test_a_reset_names_the_same_call() -> None:
    """Address and text as before, call type 1."""
    call = PagerCall(address="1042", text="Sal 12", beep="5")
    assert call.reset().encoded("ascii") == encode_block(
        "1", [("1", b"1042"), ("2", b"Sal 12"), ("3", b"5"), ("4", b"1"), ("5", b"1"), ("6", b"3")]
    )


@pytest.mark.parametrize(
    ("text", "charset", "chars", "sent"),
    [
        ("x" * 200, "ascii", 128, b"x" * 128),
        ("Sal 12 plats 1", "ascii", 7, b"Sal 12"),
        ("Hjärtlarm på 201", "iso646-se", 128, b"Hj{rtlarm p} 201"),
        ("Hjärtlarm på 201", "ascii", 128, b"Hj?rtlarm p? 201"),
        ("a\x01b\x03c\r\nd", "ascii", 128, b"a b c  d"),
    ],
)
def test_texts_fit_the_line(text: str, charset: str, chars: int, sent: bytes) -> None:
    """Cut at the site's limit, in the line's letters, and no byte that would break the frame."""
    block = PagerCall(address="1042", text=text).encoded(charset, text_chars=chars)
    assert b"\x1e2\x1f" + sent + b"\x1e3\x1f" in block
