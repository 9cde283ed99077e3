"""What the settings of every link share."""

from __future__ import annotations

import pytest

from alarmhub.inbound.settings import allows, host_port, not_an_address, not_networks


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


@pytest.mark.parametrize(
    ("networks", "host", "may"),
    [
        ((), "10.1.2.3", True),
        (("10.1.2.0/24",), "10.1.2.3", True),
        (("10.1.2.0/24",), "::ffff:10.1.2.3", True),
        (("10.1.2.0/24", "fe80::/10"), "fe80::1%eth0", True),
        (("10.1.2.0/24",), "10.1.3.3", False),
        (("10.1.2.3",), "", False),
        (("10.1.2.3",), "plant.example", False),
    ],
)
def test_who_may_connect(networks: tuple[str, ...], host: str, may: bool) -> None:
    """Addresses and networks of both families; nothing listed means anybody."""
    assert allows(networks, host) is may


def test_what_is_no_network_is_named() -> None:
    """An address is one too."""
    assert not_networks("allow", ("10.1.2.3", "10.1.2.0/24", "::1")) == []
    assert not_networks("allow", ("10.1.2.3/8",)) == ["allow: not a network: '10.1.2.3/8'"]
