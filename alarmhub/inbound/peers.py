"""Which addresses may talk to a door: a list of networks.

An empty list lets everybody in. It refuses names: who may page is not to hang on a name server.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network


def not_networks(key: str, written: Sequence[str]) -> list[str]:
    """The faults of a setting that should be networks ("10.1.0.0/16") or addresses; for a link's `faults`."""
    faults = []
    for index, text in enumerate(written):
        try:
            ip_network(text)
        except ValueError as error:
            faults.append(f"{key}[{index}]: {error}")
    return faults


class Peers:
    """The networks of one door. Raises ValueError for what is none."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(text) for text in networks]

    def allows(self, host: str) -> bool:
        """Whether this peer may talk. `host`: as the socket names it, a zone or a port left off."""
        if not self._networks:
            return True
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)
