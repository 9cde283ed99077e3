"""A reason is a name with facts, and nothing but data."""

from __future__ import annotations

import msgspec

from alarmhub.core.reasons import Reason


def test_a_reason_survives_being_stored_with_every_type_of_fact() -> None:
    """Strings, numbers, booleans, lists of ids and nothing."""
    reason = Reason("x", {"a": "b", "n": 1, "yes": True, "ids": ["p", "q"], "none": None})
    assert msgspec.json.decode(msgspec.json.encode(reason), type=Reason) == reason
