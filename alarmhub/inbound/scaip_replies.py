"""Answers that travel as messages of their own: to the unit's registered contact, its Contact, or its source.

An answer is a SIP MESSAGE in the other direction (SS 91100). A contact that cannot be reached (behind address
translation) is tried first and the source after it, over the connection the unit holds open. `send` says
whether the unit has taken it. It refuses to decide what is answered, and to reach for addresses the link does
not allow.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

import msgspec

from alarmhub import logs
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.peers import Peers
from alarmhub.inbound.scaip_calls import Way
from alarmhub.inbound.scaip_settings import ScaipLink
from alarmhub.inbound.settings import host_port
from alarmhub.inbound.sip_ends import TLS, UDP, Path, SipEnds, SipLine, Target
from alarmhub.logs import Line
from protocols.scaip import Mrs, write_mrs
from protocols.sip import Request, address_of, uri_of
from protocols.sip_registrar import Bindings

MAX_URI_CHARS: Final = 300
MAX_LINES: Final = 4_096
ROOTS: Final = {"mrq": "mrs", "mrs": "mrs", "scaip": "scaip"}
"""The root of an answer, by that of the request."""

_log = logs.get("scaip")
_way = msgspec.json.Decoder(Way)


def way_in(request: Request, path: Path, user: str, form: str, root: str) -> Way:
    """How the sender of this request is reached. Addresses too long to be kept are left out."""
    contacts = request.all("contact")
    return Way(
        transport=path.transport,
        host=path.host,
        port=path.port,
        us=_uri(request.header("to")) or request.uri[:MAX_URI_CHARS],
        them=_uri(request.header("from")),
        user=user,
        contact=_uri(contacts[0]) if contacts else "",
        form=form,
        root=ROOTS.get(root, "mrs"),
    )


def way_of(way: Way) -> str:
    """A way in words, to be kept with the alarm."""
    return msgspec.json.encode(way).decode()


def way_from(origin: str) -> Way | None:
    """The way kept with an alarm, None when there is none."""
    try:
        return _way.decode(origin)
    except msgspec.MsgspecError:
        return None


def _uri(value: str | None) -> str:
    uri = address_of(value)[0] if value else ""
    return uri if uri_of(uri) is not None and len(uri) <= MAX_URI_CHARS else ""


class Replies:
    """The sender of one link. `word`: makes unguessable words."""

    def __init__(
        self,
        settings: ScaipLink,
        ends: SipEnds,
        bindings: Bindings,
        feed: Feed,
        peers: Peers,
        word: Callable[[], str],
    ) -> None:
        self._settings, self._ends, self._bindings = settings, ends, bindings
        self._feed, self._peers, self._word = feed, peers, word
        self._lines: dict[tuple[str, str], SipLine] = {}

    def heard(self, way: Way, line: SipLine | None) -> None:
        """A unit spoke over this connection, by which it can be answered while it is open."""
        self._lines.pop((way.user, way.them), None)
        if line is None:
            return
        if len(self._lines) >= MAX_LINES:
            del self._lines[next(iter(self._lines))]
        self._lines[way.user, way.them] = line

    async def send(self, reply: Mrs, way: Way) -> bool:
        """Send an answer; whether the unit has taken it. A failure is told and no exception."""
        uri, targets = self._where(way)
        cause = "no address"
        for target in targets:
            try:
                response = await self._ends.ask(
                    target, self._written(reply, way, uri), advertise=self._advertised(target.transport)
                )
            except OSError as error:
                cause = error.strerror or str(error) or type(error).__name__
                continue
            except UnicodeError:
                # A contact that is well written and yet no name a resolver can be asked for ("a..b").
                cause = "no usable host name"
                continue
            if response is not None and 200 <= response.status < 300:
                return True
            if response is not None:
                cause = f"{response.status} {response.reason}"
                break
            cause = "no response"
        self._feed.refused("reply_undelivered", f"reply not taken: {cause}", peer=way.host, fault=False)
        return False

    def _where(self, way: Way) -> tuple[str, list[Target]]:
        """Request URI, and the targets to try in turn."""
        line = self._lines.get((way.user, way.them))
        live = line if line is not None and line.open else None
        source = Target(way.transport, way.host, way.port, live)
        them = uri_of(way.them)
        bound = None
        if them is not None:
            bound = self._bindings.contact(them.address_of_record, self._feed.now(), owner=way.user)
        contact = bound.uri if bound is not None else way.contact
        uri = contact or way.them or f"sip:{way.host}:{way.port}"
        place = uri_of(contact)
        if self._settings.reply_to == "source" or place is None or not self._peers.allows(place.host):
            return uri, [source]
        transport = TLS if place.scheme == "sips" else place.transport or way.transport
        if transport not in (UDP, "tcp", TLS):
            return uri, [source]
        if (transport, place.host, place.port) == (way.transport, way.host, way.port):
            return uri, [source]
        return uri, [Target(transport, place.host, place.port), source]

    def _written(self, reply: Mrs, way: Way, uri: str) -> Request:
        headers = (
            ("max-forwards", "70"),
            ("from", f"<{way.us}>;tag={self._word()}"),
            ("to", f"<{way.them or uri}>"),
            ("call-id", f"{self._word()}@{self._settings.realm}"),
            ("cseq", "1 MESSAGE"),
            ("content-type", way.form),
        )
        _log.debug(Line.EFFECT_SENT, source=self._feed.source, channel="scaip", answer=f"snu {reply.snu}")
        return Request("MESSAGE", uri, headers, write_mrs(reply))

    def _advertised(self, transport: str) -> str:
        """Host and port of ours in a Via; `rport` brings the response back wherever that is."""
        if self._settings.advertise is not None:
            return self._settings.advertise
        address = {UDP: self._settings.udp, TLS: self._settings.tls}.get(transport, self._settings.tcp)
        host = "" if address is None else host_port(address)[0]
        if host in ("", "0.0.0.0", "::"):
            host = socket.gethostname()
        shown = f"[{host}]" if ":" in host else host
        port = self._ends.port(transport)
        return f"{shown}:{port}" if port else shown
