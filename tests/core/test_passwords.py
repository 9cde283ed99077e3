"""Which passwords are good enough."""

from __future__ import annotations

import pytest

from alarmhub.core.passwords import LONGEST, SHORTEST, Weak, normalised, weakness

OWN = ("anna.berg", "Anna Berg", "Medicin 201", "Fjällmark")


@pytest.mark.parametrize(
    "password",
    [
        "tre blå kattor i regn",
        "correct horse battery",
        "k7mp-3xqd-abcd-9w2z",
        "åäöåäö-fisk-regn",
        "x9#Lq!2vT@7z",
        "Berget vid havet",
    ],
)
def test_long_and_not_obvious_is_enough(password: str) -> None:
    """No capitals, digits or signs are asked for."""
    assert weakness(password, OWN) is None


@pytest.mark.parametrize(
    "password",
    [
        "password1234", "Password12345!", "Sommar2026!!", "Vinter-2026-Vinter", "123456789012",
        "aaaaaaaaaaaa", "ababababababab", "abcdefghijkl", "210987654321", "qwertyuiop12", "annaberg2026",
        "Anna.Berg.201", "Lösenord2026", "fjällmark-201", "BergAnna12345", "alarmhub1234", "väl­kommen!!!!!!",
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_refused(password: str) -> None:
    """Whatever digits and signs are hung on it; own names too."""
    assert weakness(password, OWN) is Weak.GUESSED


def test_length_on_both_sides_of_its_bounds() -> None:
    """In characters, of the form that is hashed."""
    text = "regnblå ugglor över sjön " * 20

    assert weakness(text[: SHORTEST - 1]) is Weak.SHORT
    assert weakness(text[:SHORTEST]) is None
    assert weakness(text[:LONGEST]) is None
    assert weakness(text[: LONGEST + 1]) is Weak.LONG
    assert weakness("ﬀ" * 6 + "regn") is None  # ligatures are two letters each once normalised


def test_the_same_letters_typed_elsewhere_are_the_same_password() -> None:
    """A ring on its own or on the a."""
    assert normalised("gra\u030asten") == normalised("gr\u00e5sten")
