"""Every word in both languages, none of them ambiguous on a ward."""

from __future__ import annotations

from alarmhub.core import words


def test_every_entry_has_both_languages() -> None:
    """Nothing is empty, nothing is the code itself in Swedish."""
    tables = [t for name, t in vars(words).items() if name.isupper() and isinstance(t, dict)]
    assert len(tables) >= 10
    for table in tables:
        for code, both in table.items():
            assert len(both) == 2 and all(text.strip() == text and text for text in both), code


def test_buttons_are_short_enough_for_a_button() -> None:
    """Two or three words."""
    assert max(len(text) for both in words.ANSWERS.values() for text in both) <= 16
