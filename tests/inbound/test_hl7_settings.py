"""`[[hl7]]`: what may be set together."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.inbound.hl7_settings import Hl7Link

LINE = Hl7Link(source="gw", listen="127.0.0.1:6661")


def test_the_smallest_line_has_no_fault_and_says_nothing_back() -> None:
    """Source and address are enough."""
    assert LINE.faults() == []
    assert (LINE.listens(), LINE.connects()) == (("127.0.0.1", 6661), None)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"listen": "6661"}, "listen"),
        ({"allow": ("gateway.example",)}, "allow[0]"),
        ({"tls_cert_file": "c.pem"}, "tls_cert_file"),
        ({"tls_key_file": "c.key"}, "tls_cert_file"),
        ({"tls_client_ca_file": "ca.pem"}, "tls_client_ca_file"),
        ({"status_back": "other"}, "status_back"),
        ({"status_back": "connect nowhere"}, "status_back"),
        ({"status_back": "same", "status_tls": True}, "status_tls"),
    ],
)
def test_contradictions_are_named(changes: dict[str, Any], fault: str) -> None:
    """Each by its key."""
    (found,) = replace(LINE, **changes).faults()
    assert found.startswith(f"{fault}: ")


def test_a_connection_of_our_own_has_an_address() -> None:
    """Written after the word."""
    line = replace(LINE, status_back="connect [::1]:6662", status_tls=True)
    assert (line.faults(), line.connects()) == ([], ("::1", 6662))
