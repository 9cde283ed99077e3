"""The ends of a SIP door: what `test_scaip` does not show of them."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path as FilePath
from typing import Any

import pytest

from alarmhub.core.effects import ReportStatus
from alarmhub.inbound.sip_ends import Path, SipEnds, Target
from alarmhub.tasks import Crew
from protocols.scaip import Mrs, write_mrq
from protocols.sip import Request, Response, answer, build, parse
from tests.support.certificates import self_signed
from tests.support.scaip_line import PENDANT, ScaipLine, scaip_line
from tests.support.waiting import turns, until

HEADERS = (("from", "<sip:arc@x>;tag=1"), ("to", "<sip:u@x>"), ("call-id", "c"), ("cseq", "1 MESSAGE"))
ASKED = Request("MESSAGE", "sip:u@x", HEADERS)


class Peer(asyncio.DatagramProtocol):
    """A UDP peer that keeps what it hears; `answers` are the statuses it gives, then silence."""

    def __init__(self, *answers: int) -> None:
        self.heard: list[bytes] = []
        self.answers = list(answers)
        self.port = 0
        self.transport: asyncio.DatagramTransport | None = None

    async def start(self) -> Peer:
        """On a free port."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.port = self.transport.get_extra_info("sockname")[1]
        return self

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep, and answer as told."""
        self.heard.append(data)
        message = parse(data)
        if isinstance(message, Request) and self.answers and self.transport is not None:
            status = self.answers.pop(0)
            if status:
                said = answer(message, status, source=addr, to_tag="t")
                self.transport.sendto(build(said), addr)


def ends(line: ScaipLine) -> SipEnds:
    """Of this link."""
    return line.adapter._ends


async def test_a_request_of_ours_is_repeated_until_it_is_answered() -> None:
    """The same bytes, half a second apart."""
    async with scaip_line() as line:
        peer = await Peer(0, 200).start()
        target = Target("udp", "127.0.0.1", peer.port)
        asking = asyncio.gather(ends(line).ask(target, ASKED, advertise="hub:5060"))
        await until(lambda: len(peer.heard) == 2, "the repetition")
        assert peer.heard[0] == peer.heard[1]
        assert b"Via: SIP/2.0/UDP hub:5060;branch=z9hG4bK" in peer.heard[0]
        (response,) = await asking
        assert response is not None and response.status == 200
        assert peer.transport is not None
        peer.transport.close()


async def test_a_peer_that_never_answers_has_its_time() -> None:
    """Then there is no response; a late one is nobody's."""
    async with scaip_line() as line:
        peer = await Peer().start()
        target = Target("udp", "localhost", peer.port)
        assert await ends(line).ask(target, ASKED, advertise="hub", within_ms=50) is None
        message = parse(peer.heard[0])
        assert isinstance(message, Request)
        ends(line).settle(answer(message, 200, source=("127.0.0.1", peer.port), to_tag="t"))
        assert peer.transport is not None
        peer.transport.close()


async def test_without_a_udp_door_nothing_goes_out_over_udp() -> None:
    """An OSError, as for a peer that cannot be reached."""
    async with scaip_line(udp=None) as line:
        with pytest.raises(OSError):
            await ends(line).ask(Target("udp", "127.0.0.1", 9), ASKED, advertise="hub")
        with pytest.raises(OSError):
            await ends(line).ask(Target("tcp", "127.0.0.1", 9), ASKED, advertise="hub")


async def test_a_connection_of_its_own_for_a_peer_that_listens() -> None:
    """TCP to a contact; the response is found among other messages."""
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        message = parse(heard[0])
        assert isinstance(message, Request)
        for status in (100, 200):
            writer.write(build(answer(message, status, source=("127.0.0.1", 1), to_tag="t")))
        writer.write(b"\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with scaip_line() as line:
        target = Target("tcp", "127.0.0.1", server.sockets[0].getsockname()[1])
        response = await ends(line).ask(target, ASKED, advertise="hub")
        assert isinstance(response, Response) and response.status == 200
    server.close()


async def test_a_keep_alive_over_tcp_is_answered() -> None:
    """RFC 5626."""
    async with scaip_line() as line:
        reader, writer = await asyncio.open_connection("127.0.0.1", line.adapter.port_of("tcp"))
        writer.write(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"\r\n"
        writer.close()
        await writer.wait_closed()


async def test_a_defect_met_by_one_request_is_a_500() -> None:
    """And the next one is served."""
    async with scaip_line() as line, line.unit() as unit:
        broken = True

        async def answers(request: Request, path: Path) -> Response:
            if broken:
                raise RuntimeError("a defect")
            return ends(line).answered(request, path, 200)

        ends(line)._answerer = answers
        assert (await unit.request("OPTIONS")).status == 500
        broken = False
        assert (await unit.request("OPTIONS")).status == 200


async def test_what_is_being_answered_at_a_stop_still_is() -> None:
    """The commit is waited for, the answer goes out."""
    async with scaip_line(auth="none", users=None, reply="response") as line, line.unit() as unit:
        line.hub.gate.clear()
        headers = (("content-type", "application/scaip+xml"),)
        asking = asyncio.gather(unit.request("MESSAGE", headers, write_mrq(PENDANT)))
        await until(lambda: line.hub.begun, "the alarm to reach the hub")
        stopping = asyncio.gather(line.adapter.close())
        await turns()
        line.hub.gate.set()
        (response,) = await asking
        assert b"<snu>4</snu>" in response.body
        await stopping


async def test_social_alarms_over_tls(tmp_path: FilePath) -> None:
    """Question and answer over the unit's connection, the hub's certificate checked."""
    cert, key = self_signed(tmp_path)
    settings: dict[str, Any] = {"tls": "127.0.0.1:0", "tls_cert": cert, "tls_key": key}
    trusts = ssl.create_default_context(cafile=cert)
    async with scaip_line(udp=None, tcp=None, **settings) as line:
        assert line.adapter.port == line.adapter.port_of("tls") != 0
        async with line.unit("tls", tls=trusts) as unit:
            assert await unit.send(PENDANT) == Mrs("A1B2C3", 4)
            await line.report(ReportStatus.ACCEPTED)
            await until(lambda: unit.replies[-1] == Mrs("A1B2C3", 0), "the news")


async def test_a_missing_certificate_stops_the_start() -> None:
    """And nothing stays open."""
    line = ScaipLine(tls="127.0.0.1:0", tls_cert="/nowhere.pem", tls_key="/nowhere.key")
    with pytest.raises(OSError):
        await line.adapter.start()
    assert isinstance(line.crew, Crew)
    assert await line.crew.close()
