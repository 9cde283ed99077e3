"""What the settings of every link share."""

from __future__ import annotations

import pytest

from alarmhub.inbound.settings import host_port, not_an_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2023", ("127.0.0.1", 2023)),
        ("plant.example:0", ("plant.example", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    """IPv6 is written in brackets; port 0 means any."""
    assert host_port(text) == address
    assert not_an_address("listen", text) == []


@pytest.mark.parametrize("text", ["", "2023", ":2023", "host:", "host:x", "host:65536", "host:２"])
def test_anything_else_is_a_fault_that_names_the_setting(text: str) -> None:
    """Missing host, missing port, a port out of range or in other digits."""
    assert not_an_address("listen", text) == [f"listen: expected host:port, got {text!r}"]
