"""Which addresses a browser may name as its push service, and where they may lead.

A subscription's endpoint is a URL that a client chose, and the hub calls it: without these rules anybody with
a phone could make the hub call machines of the hospital's own network. So the host must be listed, over TLS
and on its usual port, and the address that its name leads to must be a public one, at the very moment in
which the connection is made. It refuses plain addresses, listed or not.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from alarmhub.push.http1 import Forbidden
from alarmhub.push.settings import WebPushSettings, is_loopback

URL_MOST_CHARS: Final = 2_000
TLS_PORT: Final = 443

_NAT64: Final = IPv6Network("64:ff9b::/96")


def endpoint_fault(text: str, settings: WebPushSettings) -> str | None:
    """Why a browser may not name this push service: what was expected. None when it may."""
    if len(text) > URL_MOST_CHARS or not text.isascii() or not text.isprintable() or " " in text:
        return f"expected a URL of at most {URL_MOST_CHARS} plain characters"
    try:
        url = urlsplit(text)
        host, port = url.hostname or "", url.port
        # What calls it reads URLs by another parser: where the two see different hosts, neither is right.
        is_clear = URL(text).host == host
    except ValueError:
        return "expected a URL"
    if not host or not is_clear or "@" in url.netloc or "\\" in text:
        return "expected https://HOST/…"
    if settings.allow_loopback and is_loopback(host) and ":" not in host and url.scheme in ("http", "https"):
        return None
    if url.scheme != "https" or port not in (None, TLS_PORT):
        return "expected https://HOST/… without a port"
    if not service(host, settings) or _is_plain(host):
        return f"expected a push service that this hub knows, got {host[:100]}"
    return None


def service(host: str, settings: WebPushSettings) -> str:
    """The entry of `hosts` that a host falls under, "" = none. Names below one pattern are one service."""
    return next((pattern for pattern in settings.hosts if _fits(host, pattern)), "")


def origin(endpoint: str) -> str:
    """Whom the hub proves itself to: https://HOST of an endpoint without fault."""
    return str(URL(endpoint).origin())


def _fits(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern


def _is_plain(host: str) -> bool:
    """Whether it is an address, also in the forms that only the resolver knows (127.1, 0x7f000001)."""
    try:
        socket.inet_aton(host)
    except OSError:
        try:
            ip_address(host)
        except ValueError:
            return False
    return True


def is_public(address: str) -> bool:
    """Whether this address is one of the open network, whatever it is wrapped in."""
    ip = ip_address(address.partition("%")[0])
    inner = _unwrapped(ip)
    return ip.is_global and inner.is_global and not (inner.is_multicast or ip.is_multicast)


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one that leads to it."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None) or ip


class PublicResolver(AbstractResolver):
    """Finds the addresses of a name, and none at all when one of them is inside. The connection is made to
    just these, so that a name cannot lead elsewhere a moment later."""

    def __init__(self, *, allow_loopback: bool, inner: AbstractResolver | None = None) -> None:
        self._allow_loopback = allow_loopback
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """As aiohttp asks. Raises Forbidden."""
        found = await self._inner.resolve(host, port, family)
        if not self._may_be_called(host, [result["host"] for result in found]):
            raise Forbidden(f"{host} leads inside the own network")
        return found

    def _may_be_called(self, host: str, addresses: Sequence[str]) -> bool:
        if all(is_public(address) for address in addresses):
            return True
        return self._allow_loopback and is_loopback(host) and all(map(is_loopback, addresses))

    async def close(self) -> None:
        """Let go of what it holds."""
        await self._inner.close()
