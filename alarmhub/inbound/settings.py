"""What the settings of every link share: their types, and how an address is written.

Each adapter describes its own link with these; `alarmhub.settings` reads the file. It refuses to read
anything itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from typing import Annotated, Final

from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]

LONGEST_FAULT_VALUE_CHARS: Final = 40


def host_port(text: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises ValueError when it is neither."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("expected host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def not_an_address(key: str, text: str) -> list[str]:
    """The fault of a setting that should be `host:port`, or nothing; for a link's `faults`."""
    try:
        host_port(text)
    except ValueError as error:
        return [f"{key}: {error}, got {text[:LONGEST_FAULT_VALUE_CHARS]!r}"]
    return []


def not_networks(key: str, networks: Iterable[str]) -> list[str]:
    """The faults of a setting that should list addresses and networks; for a link's `faults`."""
    faults = []
    for text in networks:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            faults.append(f"{key}: not a network: {text[:LONGEST_FAULT_VALUE_CHARS]!r}")
    return faults


def allows(networks: Collection[str], host: str) -> bool:
    """Whether a peer at this address may connect; anybody where no networks are listed."""
    if not networks:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    peer = getattr(address, "ipv4_mapped", None) or address
    return any(peer in ipaddress.ip_network(network) for network in networks)
