"""Which addresses may talk to a door."""

from __future__ import annotations

import pytest

from alarmhub.inbound.peers import Peers, not_networks


@pytest.mark.parametrize(
    ("networks", "host", "allowed"),
    [
        ((), "192.0.2.1", True),
        ((), "nonsense", True),
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8", "192.0.2.7"), "192.0.2.7", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("::1",), "127.0.0.1", False),
        (("10.0.0.0/8",), "unknown", False),
        (("10.0.0.0/8",), "", False),
    ],
)
def test_who_may_talk(networks: tuple[str, ...], host: str, allowed: bool) -> None:
    """Those in a network; everybody where none is named; never what is no address."""
    assert Peers(networks).allows(host) is allowed


def test_what_is_no_network_is_named_by_its_place() -> None:
    """Names and networks with host bits set."""
    assert not_networks("allow", ("10.0.0.0/8", "::1")) == []
    faults = not_networks("allow", ("10.0.0.1/8", "example.org"))
    assert [fault.partition(": ")[0] for fault in faults] == ["allow[0]", "allow[1]"]
    with pytest.raises(ValueError, match="host bits"):
        Peers(("10.0.0.1/8",))
