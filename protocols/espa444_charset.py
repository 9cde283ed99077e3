"""Character sets seen on ESPA 4.4.4 lines (IA5 with its national variants, and what vendors send instead).

The standard says IA5 (ISO 646); the national variants put letters where ASCII has brackets. A link names its
set; nothing is guessed from the bytes. Decoding never fails: what the set does not know becomes U+FFFD, and
encoding writes `?`, because a text with a hole still tells where to run and a refused one does not.
"""

from __future__ import annotations

from collections.abc import Mapping

# ISO 646 variants as differences from ASCII. de: DIN 66003. se: SEN 850200 Annex B (text), se-c: Annex C
# (names, with é and ü). dk: DS 2089. no: NS 4551-1. dk and no keep ASCII's dollar.
_VARIANTS: Mapping[str, dict[int, str]] = {
    "iso646-de": {
        0x40: "§", 0x5B: "Ä", 0x5C: "Ö", 0x5D: "Ü", 0x7B: "ä", 0x7C: "ö", 0x7D: "ü", 0x7E: "ß",
    },
    "iso646-se": {
        0x24: "¤", 0x5B: "Ä", 0x5C: "Ö", 0x5D: "Å", 0x7B: "ä", 0x7C: "ö", 0x7D: "å", 0x7E: "‾",
    },
    "iso646-se-c": {
        0x24: "¤", 0x40: "É", 0x5B: "Ä", 0x5C: "Ö", 0x5D: "Å", 0x5E: "Ü", 0x60: "é",
        0x7B: "ä", 0x7C: "ö", 0x7D: "å", 0x7E: "ü",
    },
    "iso646-dk": {0x5B: "Æ", 0x5C: "Ø", 0x5D: "Å", 0x7B: "æ", 0x7C: "ø", 0x7D: "å"},
    "iso646-no": {0x5B: "Æ", 0x5C: "Ø", 0x5D: "Å", 0x7B: "æ", 0x7C: "ø", 0x7D: "å", 0x7E: "‾"},
}  # fmt: skip

_PYTHON_NAMES: Mapping[str, str] = {
    "ascii": "ascii",
    "latin-1": "latin-1",
    "cp1252": "cp1252",
    "cp437": "cp437",
    "cp850": "cp850",
    "utf-8": "utf-8",
}

CHARSETS: tuple[str, ...] = (*_PYTHON_NAMES, *_VARIANTS)
"""The names a link may use."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def _table(changes: dict[int, str]) -> tuple[str, ...]:
    return tuple(changes.get(code, chr(code)) if code < 0x80 else REPLACEMENT for code in range(256))


_DECODE: Mapping[str, tuple[str, ...]] = {name: _table(changes) for name, changes in _VARIANTS.items()}
_ENCODE: Mapping[str, dict[str, int]] = {
    name: {char: code for code, char in enumerate(table) if char != REPLACEMENT}
    for name, table in _DECODE.items()
}


def decode(data: bytes, charset: str) -> str:
    """The text of `data`; unknown bytes become U+FFFD. Raises ValueError on a charset not in `CHARSETS`."""
    if charset in _DECODE:
        table = _DECODE[charset]
        return "".join([table[code] for code in data])
    if charset not in _PYTHON_NAMES:
        raise ValueError(f"unknown character set {charset!r}")
    return data.decode(_PYTHON_NAMES[charset], errors="replace")


def encode(text: str, charset: str) -> bytes:
    """The bytes of `text`; characters the set does not have become `?`. Raises as `decode`."""
    if charset in _ENCODE:
        codes = _ENCODE[charset]
        return bytes(codes.get(char, 0x3F) for char in text)
    if charset not in _PYTHON_NAMES:
        raise ValueError(f"unknown character set {charset!r}")
    return text.encode(_PYTHON_NAMES[charset], errors="replace")
