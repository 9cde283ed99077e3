"""Character sets of ESPA lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.espa444_charset import CHARSETS, decode, encode


@pytest.mark.parametrize(
    ("charset", "raw", "text"),
    [
        ("ascii", b"Sal 12 [1]", "Sal 12 [1]"),
        ("ascii", b"V\xe5rd", "V\ufffdrd"),
        ("latin-1", b"V\xe5rd", "Vård"),
        ("cp1252", b"V\xe5rd \x96", "Vård –"),
        ("cp437", b"V\x86rd", "Vård"),
        ("cp850", b"V\x86rd \x9d", "Vård Ø"),
        ("utf-8", "Vård".encode(), "Vård"),
        ("utf-8", b"V\xe5rd", "V\ufffdrd"),
        ("iso646-de", b"[\\]{|}~@", "ÄÖÜäöüß§"),
        ("iso646-se", b"[\\]{|}~@^`$", "ÄÖÅäöå‾@^`¤"),
        ("iso646-se-c", b"[\\]{|}~@^`$", "ÄÖÅäöåüÉÜé¤"),
        ("iso646-dk", b"[\\]{|}", "ÆØÅæøå"),
        ("iso646-no", b"[\\]{|}~", "ÆØÅæøå‾"),
        ("iso646-se", b"\x91", "\ufffd"),
    ],
)
def test_bytes_and_their_letters(charset: str, raw: bytes, text: str) -> None:
    """The letters each set has where ASCII has brackets, and U+FFFD for what it does not have."""
    assert decode(raw, charset) == text
    if "\ufffd" not in text:
        assert encode(text, charset) == raw


@pytest.mark.parametrize("charset", CHARSETS)
@given(data=st.binary(max_size=50), text=st.text(max_size=50))
def test_no_set_ever_fails(charset: str, data: bytes, text: str) -> None:
    """A text with a hole still tells where to run. What a set can write, it reads back."""
    once = decode(data, charset)
    encode(text, charset)
    if "\ufffd" not in once:
        assert decode(encode(once, charset), charset) == once


@pytest.mark.parametrize("function", [lambda: decode(b"", "koi8"), lambda: encode("", "koi8")])
def test_a_set_that_is_not_listed_is_a_mistake_of_the_caller(function: object) -> None:
    """The link's settings are checked when they are read; nothing is guessed here."""
    assert callable(function)
    with pytest.raises(ValueError, match="koi8"):
        function()
