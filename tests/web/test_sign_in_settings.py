"""What an installation sets about people who sign in."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.web.sign_in_settings import Oidc, SignIn


def test_a_session_cannot_be_idle_for_longer_than_it_lasts() -> None:
    """On both sides."""
    assert SignIn(idle_hours=14, longest_hours=14).faults() == []
    assert SignIn(idle_hours=14.1, longest_hours=14).faults() == [
        "idle_hours: expected at most longest_hours"
    ]


GOOD: dict[str, Any] = {
    "issuer": "https://login.example/x", "client_id": "alarmhub", "public_url": "https://alarm.example/",
}  # fmt: skip


def test_without_an_issuer_there_is_nothing_to_be_wrong() -> None:
    """And with everything there is not either."""
    assert Oidc(algorithms=()).faults() == []
    assert Oidc(**GOOD).faults() == []
    assert Oidc(**GOOD).redirect_uri == "https://alarm.example/oidc/return"


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"issuer": "http://login.example"}, "issuer"),
        ({"issuer": "https://login.example/?x=1"}, "issuer"),
        ({"public_url": ""}, "public_url"),
        ({"public_url": "http://alarm.example"}, "public_url"),
        ({"client_id": ""}, "client_id"),
        ({"scope": "profile"}, "scope"),
        ({"algorithms": ("HS256",)}, "algorithms"),
        ({"algorithms": ("none",)}, "algorithms"),
        ({"algorithms": ()}, "algorithms"),
        ({"grants": {"x": "boss"}}, "grants"),
    ],
)
def test_each_setting_that_cannot_be_is_named(change: dict[str, Any], key: str) -> None:
    """One line each."""
    (fault,) = Oidc(**(GOOD | change)).faults()
    assert fault.startswith(f"{key}: ")
