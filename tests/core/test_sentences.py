"""Sentences about reasons: templates that can be filled, in two languages."""

from __future__ import annotations

import re

import pytest

from alarmhub.core.sentences import REASONS


@pytest.mark.parametrize("code", sorted(REASONS))
def test_a_sentence_has_no_brace_or_bracket_out_of_place(code: str) -> None:
    """What is left after taking out the fields and the optional parts is plain text."""
    for text in REASONS[code]:
        plain = re.sub(r"\[([^\]|]*)(\|[^\]]*)?\]", r"\1", re.sub(r"\{\w+:\w+\}", "x", text))
        assert not set("{}[]|") & set(plain), plain
        assert "  " not in plain
