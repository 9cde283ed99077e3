"""What an installation sets about people who sign in."""

from __future__ import annotations

from alarmhub.web.sign_in_settings import SignIn


def test_a_session_cannot_be_idle_for_longer_than_it_lasts() -> None:
    """On both sides."""
    assert SignIn(idle_hours=14, longest_hours=14).faults() == []
    assert SignIn(idle_hours=14.1, longest_hours=14).faults() == [
        "idle_hours: expected at most longest_hours"
    ]
