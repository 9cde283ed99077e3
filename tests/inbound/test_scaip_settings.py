"""What may be set for a receiver of social alarms."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.inbound.scaip_settings import ScaipLink
from alarmhub.secret import Secret
from alarmhub.settings import SettingsRefused, parse

LINK: dict[str, Any] = {"source": "s", "udp": "127.0.0.1:5060", "users": {"luc": "hemligt"}}


def faults(**more: Any) -> list[str]:
    """What is refused about this link; None leaves a setting out."""
    table = {key: value for key, value in (LINK | more).items() if value is not None}
    try:
        parse({"scaip": [table]}, {})
    except SettingsRefused as refused:
        return refused.faults
    return []


def test_users_are_secrets() -> None:
    """They never print."""
    link = parse({"scaip": [LINK]}, {}).scaip[0]
    assert link.users == {"luc": Secret("hemligt")}
    assert "hemligt" not in repr(link)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"udp": None}, "udp: expected an address in udp, tcp or tls"),
        ({"udp": "5060"}, "udp: expected host:port, got '5060'"),
        ({"tls": "0.0.0.0:5061"}, "tls: goes with tls_cert and tls_key"),
        ({"users": None}, 'users: expected at least one, or auth = "none"'),
        ({"heartbeat_min": 60}, "down_s: shorter than heartbeat_min"),
        ({"medium_from": 8}, "medium_from: above high_from"),
        ({"allow": ["here"]}, "allow[0]: 'here' does not appear to be an IPv4 or IPv6 network"),
        ({"voice": 4}, "voice: expected int <= 3"),
        ({"controllers": ["x"]}, "controllers: expected str matching regex"),
        ({"reply": "mail"}, "reply: expected one of message, response, got 'mail'"),
    ],
)
def test_contradictions(more: dict[str, Any], fault: str) -> None:
    """Each named with its key."""
    (told,) = faults(**more)
    assert told.startswith(f"[[scaip]] 0 {fault}")


def test_nobody_need_be_asked() -> None:
    """Where the site says so."""
    assert faults(users=None, auth="none") == []


def test_only_tcp_doors_share_ports_with_others() -> None:
    """The first of them is told."""
    assert ScaipLink(source="s", udp="0.0.0.0:5060").listens() is None
    assert ScaipLink(source="s", tls="[::1]:5061").listens() == ("::1", 5061)
