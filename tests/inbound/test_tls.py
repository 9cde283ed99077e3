"""TLS of a line, spoken by an HL7 reporter."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.inbound.tls import client_context, server_context
from load.hl7_monitor import Alert, Monitor
from tests.support.certificates import self_signed
from tests.support.hl7_line import LINE, hl7_rig
from tests.support.waiting import until


async def test_a_door_with_a_certificate_speaks_tls_only(tmp_path: Path) -> None:
    """Who knows its authority is served; who speaks plainly gets no answer, and the door stays open."""
    cert, key = self_signed(tmp_path)
    async with hl7_rig(replace(LINE, tls_cert_file=cert, tls_key_file=key)) as it:
        plain = await it.monitor()
        plain.write(b"\x0bMSH|^~\\&|\x1c\r")
        await until(lambda: plain.lost, "the plain connection to be closed")
        known = Monitor(it.clock.now)
        await known.connect("127.0.0.1", it.adapter.port, tls=client_context(cert))
        assert (await known.report(Alert("7"))).code == "CA"
        with pytest.raises(ssl.SSLCertVerificationError):
            await Monitor(it.clock.now).connect("127.0.0.1", it.adapter.port, tls=client_context())
        known.close()
        await until(lambda: known.lost, "the connection to be closed")


async def test_a_door_may_want_a_certificate_of_its_peers(tmp_path: Path) -> None:
    """Without one nobody is served."""
    cert, key = self_signed(tmp_path)
    mine, my_key = self_signed(tmp_path, "gateway")
    line = replace(LINE, tls_cert_file=cert, tls_key_file=key, tls_client_ca_file=mine)
    async with hl7_rig(line) as it:
        stranger = Monitor(it.clock.now)
        try:
            await stranger.connect("127.0.0.1", it.adapter.port, tls=client_context(cert))
            await until(lambda: stranger.lost, "the stranger to be refused")
        except OSError:
            pass  # refused already in the handshake
        known = Monitor(it.clock.now)
        tls = client_context(cert, cert=mine, key=my_key)
        await known.connect("127.0.0.1", it.adapter.port, tls=tls)
        assert (await known.report(Alert("7"))).code == "CA"
        known.close()
        await until(lambda: known.lost, "the connection to be closed")


async def test_statuses_go_over_tls_to_a_server_whose_authority_is_known(tmp_path: Path) -> None:
    """A connection of our own."""
    cert, key = self_signed(tmp_path)
    heard: list[Monitor] = []

    def accept() -> Monitor:
        heard.append(Monitor(lambda: 0))
        return heard[-1]

    loop = asyncio.get_running_loop()
    server = await loop.create_server(accept, "127.0.0.1", 0, ssl=server_context(cert, key))
    address = f"connect 127.0.0.1:{server.sockets[0].getsockname()[1]}"
    line = replace(LINE, status_back=address, status_tls=True, status_ca_file=cert)
    async with server, hl7_rig(line) as it:
        monitor = await it.monitor()
        await monitor.report(Alert("7"))
        await until(lambda: it.adapter._caller and it.adapter._caller.session, "the hub to connect")
        await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
        assert [told.status for told in heard[0].statuses] == ["RECEIVED"]
        heard[0].close()
        await until(lambda: heard[0].lost, "the connection to be closed")


async def test_a_certificate_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    """A door that would never open is not passed over."""
    line = replace(LINE, tls_cert_file=str(tmp_path / "none.pem"), tls_key_file=str(tmp_path / "none.key"))
    with pytest.raises(OSError):
        async with hl7_rig(line):
            pass
