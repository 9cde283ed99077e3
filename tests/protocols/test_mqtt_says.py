"""Reading the small values devices send."""

from __future__ import annotations

import pytest

from protocols.mqtt_says import as_battery, as_bool, bare_word, epoch_ms, read_json, word


@pytest.mark.parametrize(
    ("value", "percent"),
    [(97, 97.0), (0, 0.0), (12.5, 12.5), (101, None), (-1, None), (True, None), ("9", None)],
)
def test_a_battery_is_a_percentage(value: object, percent: float | None) -> None:
    """Millivolts and words are none."""
    assert as_battery(value) == percent


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true"), (" a ", "a"), (None, ""), ([], "")],
)
def test_a_word_is_short_and_plain(value: object, text: str) -> None:
    """Whole numbers are written as such, whatever the sender's JSON library did."""
    assert word(value) == text
    assert len(word("x" * 1_000)) == 64


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"single", "single"),
        (b'"single"', "single"),
        (b" on\n", "on"),
        (b"{}", None),
        (b"[", None),
        (b"\xff", None),
    ],
)
def test_a_bare_word(payload: bytes, text: str | None) -> None:
    """With quotes or without; an object is none."""
    assert bare_word(payload) == text


@pytest.mark.parametrize(
    ("value", "at"),
    [
        ("2024-11-22T08:00:00.000+00:00", 1_732_262_400_000),
        ("2024-11-22T08:00:00.123456789Z", 1_732_262_400_123),
        ("2024-11-22T08:00:00", None),
        ("yesterday", None),
        (1_732_262_400, None),
    ],
)
def test_a_time(value: object, at: int | None) -> None:
    """Without a zone, or out of reach, it is none: it is only shown."""
    assert epoch_ms(value) == at


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_the_ends_of_time_are_no_trouble(value: str) -> None:
    """Whatever they are, they do not raise."""
    assert isinstance(epoch_ms(value), int | None)


def test_json_that_is_none_is_explained() -> None:
    """And nothing raises."""
    assert read_json(b"{")[0] is None and "no JSON" in read_json(b"{")[1]
    assert as_bool(1) is None and as_bool(False) is False
