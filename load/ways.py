"""Every way into the hub, from the sender's side: one class a protocol, for `load intake` and for faults.

A `Way` names the settings and the source it needs; `open` makes one connection, whose `call` sends one new
start and returns once the hub has answered positively. A call that is not answered so raises `NotTaken`. The
same number called again, over the same link opened anew, is the same call sent again as that protocol has it.
It measures nothing itself.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from load.alertmanager import Alertmanager
from load.espa_plant import EspaPlant, Mode, Outcome
from load.espax_client import message
from load.espax_flood import ANSWER_PATTERN, SESSION_PATTERN
from load.hl7_monitor import Alert, Monitor, pcd04
from load.mail_lab import MailLab, mail
from load.modbus_module import ModbusModule
from load.mqtt_buttons import ButtonBroker
from load.scaip_alarm import ScaipUnit
from load.snpp_console import SnppConsole
from load.systems import Hub, free_ports
from protocols.scaip import Mrq, Snu

PASSWORD: Final = "load-12345"
CID: Final = "4670000123"
ESPAX_HEADER_BYTES: Final = 10
MOST_CONTACTS: Final = 400
FIRING_SINCE: Final = datetime(2026, 11, 23, 3, 11, tzinfo=UTC)

Call = Callable[[int], Awaitable[None]]
"""Sends the start with this number; returns when it is stored. Numbers are given once in a way."""


class NotTaken(Exception):
    """The hub answered, and not positively."""


@dataclass
class Way:
    """One protocol. `tables`: its part of the settings file; `sources`: (id, protocol) for the site file.

    `links`: how many connections it is tried with. `needs`: calls a second asked of it, 0 = as many as come.
    """

    name: str
    links: int
    needs: int = 0
    tables: str = ""
    sources: list[tuple[str, str]] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    opened: dict[int, AsyncExitStack] = field(default_factory=dict)

    async def begin(self, hub: Hub) -> None:
        """What must be there before the hub is."""

    async def open(self, link: int) -> Call:
        """One connection, in place of the one this link had. Raises OSError, EOFError or TimeoutError."""
        await self.hang_up(link)
        self.opened[link] = AsyncExitStack()
        return await self.connect(link, self.opened[link])

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """The connection itself; the stack ends it."""
        raise NotImplementedError

    async def hang_up(self, link: int) -> None:
        """End one connection."""
        if link in self.opened:
            await self.opened.pop(link).aclose()

    async def close(self) -> None:
        """All connections."""
        for link in list(self.opened):
            await self.hang_up(link)
        await self.stack.aclose()


def start(number: int) -> dict[str, Any]:
    """A start in the hub's own words."""
    words = {"ref": str(number), "event": "start", "place": "", "kind": "patient_call"}
    return words | {"text": f"call {number}"}


class Http(Way):
    """POST /api/v1/signals on kept connections: what the others are compared with."""

    path = "/api/v1/signals"

    def __init__(self, links: int) -> None:
        super().__init__("http", links, sources=[("way-http", "http")])
        self._port, self._secret = 0, ""

    async def begin(self, hub: Hub) -> None:
        """See `Way`."""
        self._port, self._secret = hub.http_port, hub.secret_of(self.sources[0][0])

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        stack.callback(writer.close)
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._secret}\r\n"
            "Content-Type: application/json\r\nContent-Length: "
        )

        async def call(number: int) -> None:
            body = json.dumps(self.said(number))
            writer.write(f"{head}{len(body)}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            if not answer.startswith(b"HTTP/1.1 20"):
                raise NotTaken(answer[:40].decode(errors="replace"))

        return call

    def said(self, number: int) -> dict[str, Any]:
        """The body of one call."""
        return start(number)


class AlertmanagerWay(Http):
    """The webhook: a group of one alert a call."""

    path = "/api/v1/alertmanager"

    def __init__(self, links: int) -> None:
        Way.__init__(
            self, "alertmanager", links,
            tables='[[alertmanager]]\nsource = "way-alertmanager"\n',
            sources=[("way-alertmanager", "alertmanager")],
        )  # fmt: skip
        self._port, self._secret = 0, ""

    def said(self, number: int) -> dict[str, Any]:
        """See `Http`."""
        group = Alertmanager("", "", lambda: FIRING_SINCE)
        group.fire("LoadCall", f"call {number}", instance=f"i{number}")
        return group.payload()


class Hl7(Way):
    """PCD-04 over MLLP, each connection waiting for its commit acknowledgement."""

    def __init__(self, links: int) -> None:
        (self._port,) = free_ports(1)
        super().__init__(
            "hl7", links, 500,
            tables=f'[[hl7]]\nsource = "way-hl7"\nlisten = "127.0.0.1:{self._port}"\nconnections = 64\n',
            sources=[("way-hl7", "hl7")],
        )  # fmt: skip
        self._first_at: dict[int, int] = {}

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        monitor = Monitor(lambda: time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000)
        await monitor.connect("127.0.0.1", self._port)
        stack.callback(monitor.close)

        async def call(number: int) -> None:
            id = f"A{link}-{number}"
            # Sent again it is the same message, its time included.
            at = self._first_at.setdefault(number, time.clock_gettime_ns(time.CLOCK_REALTIME) // 1_000_000)
            alert = Alert(id=id, place=f"U{number}^R1^B1", text=f"call {number}")
            ack = await monitor.say(pcd04(alert, id, at), id)
            if ack.code not in ("CA", "AA"):
                raise NotTaken(ack.code)

        return call


class Mqtt(Way):
    """QoS 1 through a broker of our own; the answer is the hub's PUBACK to it."""

    def __init__(self, links: int) -> None:
        (port,) = free_ports(1)
        self._broker = ButtonBroker(port)
        self._waiting: dict[int, asyncio.Future[None]] = {}
        super().__init__(
            "mqtt", links, 500,
            tables=f'[[mqtt]]\nsource = "way-mqtt"\nbroker = "127.0.0.1:{port}"\n'
            'topic = "alarmhub/way"\nin_flight = 200\n',
            sources=[("way-mqtt", "mqtt")],
        )  # fmt: skip

    async def begin(self, hub: Hub) -> None:
        """See `Way`."""
        await self.stack.enter_async_context(self._broker)

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        async with asyncio.timeout(15):
            while not any(one.filters for one in self._broker.sessions.values()):  # noqa: ASYNC110  a broker tells nobody
                await asyncio.sleep(0.05)

        async def call(number: int) -> None:
            if number not in self._waiting:
                (taken,) = self._broker.publish("alarmhub/way/signals", json.dumps(start(number)))
                self._waiting[number] = taken
            # The broker has it, and delivers it until it is acknowledged.
            await asyncio.shield(self._waiting[number])
            del self._waiting[number]

        return call


class EspaX(Way):
    """P-START after P-START, each confirmed before the next."""

    def __init__(self, links: int) -> None:
        (self._port,) = free_ports(1)
        super().__init__(
            "espax", links, 500,
            tables=f'[[espax]]\nsource = "way-espax"\nlisten = "127.0.0.1:{self._port}"\nuser = "load"\n'
            f'password = "{PASSWORD}"\nconnections = 64\n',
            sources=[("way-espax", "espax")],
        )  # fmt: skip

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        stack.callback(writer.close)
        invoked = 0

        async def ask(element: str, session: str, fields: dict[str, str]) -> tuple[str, bytes]:
            nonlocal invoked
            invoked += 1
            writer.write(message(element, invoked, session, fields))
            while True:
                header = await reader.readexactly(ESPAX_HEADER_BYTES)
                document = await reader.readexactly(int.from_bytes(header[2:6], "big") - ESPAX_HEADER_BYTES)
                found = ANSWER_PATTERN.search(document)
                if found is not None and f"REQ.{found[1].decode()}" == element:
                    return found[2].decode(), document

        login = {"LI-CLIENT": "Load", "LI-USER": "load", "LI-PASSWORD": PASSWORD}
        _, answer = await ask("REQ.LOGIN", "", login)
        found = SESSION_PATTERN.search(answer)
        if found is None:
            raise NotTaken("login")
        session = found[1].decode()

        async def call(number: int) -> None:
            fields = {
                "CP-PR-REF": f"{link}-{number}", "CP-TEXTMSG": f"call {number}", "CP-PR-DETAILS": "No",
            }  # fmt: skip
            code, _ = await ask("REQ.P-START", session, fields)
            if code not in ("200", "450"):  # 450: the process is there already
                raise NotTaken(code)

        return call


class Espa(Way):
    """ESPA 4.4.4 over TCP, a plant a link, at the protocol's own pace: select, block, end."""

    def __init__(self, links: int) -> None:
        self._ports = free_ports(links)
        super().__init__(
            "espa", links,
            tables="".join(
                f'[[espa]]\nsource = "way-espa{n}"\nlisten = "127.0.0.1:{port}"\nmode = "select-only"\n'
                for n, port in enumerate(self._ports)
            ),
            sources=[(f"way-espa{n}", "espa") for n in range(links)],
        )  # fmt: skip

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        plant = EspaPlant("127.0.0.1", self._ports[link], mode=Mode.SELECT_ONLY, resend=False)
        await stack.enter_async_context(plant)

        async def call(number: int) -> None:
            outcome = await plant.call("2010", f"call {number}")
            if outcome is not Outcome.TAKEN:
                raise NotTaken(outcome.name)

        return call


class Snpp(Way):
    """PAGE, DATA, SEND on kept connections."""

    def __init__(self, links: int) -> None:
        (self._port,) = free_ports(1)
        super().__init__(
            "snpp", links,
            tables=f'[[snpp]]\nsource = "way-snpp"\nlisten = "127.0.0.1:{self._port}"\nuser = "load"\n'
            f'password = "{PASSWORD}"\nconnections = 64\n',
            sources=[("way-snpp", "snpp")],
        )  # fmt: skip

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        console = SnppConsole("127.0.0.1", self._port, user="load", password=PASSWORD)
        await stack.enter_async_context(console)

        async def call(number: int) -> None:
            reply = await console.page([f"9{number}"], f"call {number}")
            if not reply.ok:
                raise NotTaken(str(reply))

        return call


class Smtp(Way):
    """One mail after the other on kept connections."""

    def __init__(self, links: int) -> None:
        (self._port,) = free_ports(1)
        super().__init__(
            "smtp", links,
            tables=f'[[smtp]]\nsource = "way-smtp"\nlisten = "127.0.0.1:{self._port}"\nconnections = 64\n',
            sources=[("way-smtp", "smtp")],
        )  # fmt: skip

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        lab = MailLab("127.0.0.1", self._port)
        await stack.enter_async_context(lab)

        async def call(number: int) -> None:
            reply = await lab.send([f"9{number}@hub.example"], mail(f"call {number}", "", number=number + 1))
            if reply.code != 250:
                raise NotTaken(str(reply))

        return call


class Scaip(Way):
    """SIP MESSAGE over TCP with digest; the answer is in the 200."""

    def __init__(self, links: int) -> None:
        (self._port,) = free_ports(1)
        super().__init__(
            "scaip", links,
            tables=f'[[scaip]]\nsource = "way-scaip"\ntcp = "127.0.0.1:{self._port}"\nreply = "response"\n'
            f'users = {{ "{CID}" = "{PASSWORD}" }}\nrequests_per_s = 10000.0\nconnections = 64\n',
            sources=[("way-scaip", "scaip")],
        )  # fmt: skip

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""
        unit = ScaipUnit("127.0.0.1", self._port, transport="tcp", cid=CID, password=PASSWORD)
        await stack.enter_async_context(unit)

        async def call(number: int) -> None:
            request = Mrq(ref=f"L{link}N{number}", cid=CID, dty="0003", stt=f"call {number}", lte=f"{number}")
            reply = await unit.send(request)
            # 5: stored, and nobody has a phone who could take it, as in a run without phones.
            if reply is None or reply.snu not in (Snu.DONE, Snu.HOLD, Snu.NOT_TREATED):
                raise NotTaken(str(reply))

        return call


class Contacts(Way):
    """Contacts of one I/O module that close. It hears no answer, so it is none of `WAYS`: each closed contact
    is an alarm in the end."""

    def __init__(self, links: int) -> None:
        (port,) = free_ports(1)
        self._module = ModbusModule(port)
        points = ", ".join(
            f'{{ name = "p{n}", address = {n}, label = "call {n}" }}' for n in range(MOST_CONTACTS)
        )
        super().__init__(
            "modbus", links,
            tables=f'[[modbus]]\nsource = "way-modbus"\nconnect = "127.0.0.1:{port}"\npoll_s = 0.1\n'
            f"points = [{points}]\n",
            sources=[("way-modbus", "modbus")],
        )  # fmt: skip

    async def begin(self, hub: Hub) -> None:
        """See `Way`."""
        for address in range(MOST_CONTACTS):
            self._module.put("discrete", address, 0)
        await self.stack.enter_async_context(self._module)

    async def connect(self, link: int, stack: AsyncExitStack) -> Call:
        """See `Way`."""

        async def call(number: int) -> None:
            if number >= MOST_CONTACTS:
                raise NotTaken("no such contact")
            self._module.put("discrete", number, 1)

        return call


WAYS: Final[dict[str, Callable[[int], Way]]] = {
    "http": Http, "hl7": Hl7, "mqtt": Mqtt, "espax": EspaX, "espa": Espa, "snpp": Snpp, "smtp": Smtp,
    "scaip": Scaip, "alertmanager": AlertmanagerWay,
}  # fmt: skip


def source_tables(ways: list[Way]) -> str:
    """The `[[source]]` tables these ways need, for a site file of `load.site`."""
    lines = []
    for way in ways:
        for id, protocol in way.sources:
            lines.append(
                f'[[source]]\nid = "{id}"\nname = "{id}"\nprotocol = "{protocol}"\nfallback_unit = "u0000"\n'
            )
    return "\n".join(lines)
