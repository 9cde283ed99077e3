"""The settings of an ESPA-X link say what contradicts them, and never the password."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from alarmhub.settings import SettingsRefused, parse

LINK = '[[espax]]\nsource = "plant-x"\nlisten = "127.0.0.1:2024"\nuser = "lichtruf"\npassword = "geheim12"\n'


def faults(text: str) -> list[str]:
    """What is said about this file."""
    with pytest.raises(SettingsRefused) as refused:
        parse(tomllib.loads(text), {})
    return refused.value.faults


def test_a_link_needs_its_door_and_its_user() -> None:
    """The rest has defaults."""
    (link,) = parse(tomllib.loads(LINK), {}).espax
    assert link.listens() == ("127.0.0.1", 2024)
    assert (link.session_limit_s, link.details, link.returned, link.tls_cert) == (75.0, "All", "status", None)
    assert "geheim12" not in repr(link)
    assert faults('[[espax]]\nsource = "x"\nlisten = "127.0.0.1:1"\n') == [
        "[[espax]] 0 user: missing",
        "[[espax]] 0 password: missing",
    ]


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"listen": "2024"}, "listen: expected host:port, got '2024'"),
        ({"password": "abc"}, "password: expected 4 to 12 characters"),
        ({"password": "x" * 13}, "password: expected 4 to 12 characters"),
        ({"tls_cert": "a.pem"}, "tls_cert: goes with tls_key"),
        ({"tls_key": "a.key"}, "tls_cert: goes with tls_key"),
        (
            {"session_limit_s": 200, "link_down_s": 100},
            "link_down_s: expected at least session_limit_s, one late heartbeat is no dead link",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(more: dict[str, Any], fault: str) -> None:
    """Each by its key."""
    document = tomllib.loads(LINK)
    document["espax"][0] |= more
    with pytest.raises(SettingsRefused) as refused:
        parse(document, {})
    assert refused.value.faults == [f"[[espax]] 0 {fault}"]
