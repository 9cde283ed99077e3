"""The connection the hub opens for statuses, while nobody answers at the other end."""

from __future__ import annotations

import asyncio
import socket

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.core.events import SignalEvent
from alarmhub.inbound import hl7_session
from alarmhub.inbound.hl7_session import SENDERS_REMEMBERED
from alarmhub.ports import DeliveryFailed
from load.hl7_monitor import Alert, Monitor
from tests.support.hl7_line import LINE, hl7_rig
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def good_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is good after a moment."""
    monkeypatch.setattr(hl7_session, "LASTS_S", 0.2)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_a_reporter_that_is_away_is_trouble_and_its_return_ends_it() -> None:
    """The start does not fail; the alarm rings; a status waits in the outbox; said once, not each try."""
    port = free_port()
    line = replace(LINE, status_back=f"connect 127.0.0.1:{port}", link_down_s=0.02)
    async with hl7_rig(line) as it:
        monitor = await it.monitor()
        assert (await monitor.report(Alert("7"))).code == "CA"
        with pytest.raises(DeliveryFailed, match="no connection"):
            await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
        await until(lambda: it.hub.said, "the trouble")
        heard: list[Monitor] = []

        def accept() -> Monitor:
            heard.append(Monitor(lambda: 0))
            return heard[-1]

        server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", port)
        async with server:
            await until(lambda: len(it.hub.said) == 2, "the end of the trouble")
            assert it.hub.said[-1].event is SignalEvent.END
            await until(lambda: it.adapter._caller and it.adapter._caller.session, "the session")
            await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            assert [one.status for one in heard[0].statuses] == ["RECEIVED"]


async def test_one_status_waits_for_the_acknowledgement_of_the_one_before() -> None:
    """HL7 is synchronous on a connection."""
    async with hl7_rig(replace(LINE, status_back="same")) as it:
        monitor = await it.monitor()
        monitor.answer_as = ""
        await monitor.report(Alert("7"))
        session = it.adapter._sessions[0]
        both = [
            asyncio.ensure_future(session.tell(b"MSH|^~\\&|||||||ORA^R41|%d" % n, str(n), 0.1))  # noqa: TID251
            for n in (1, 2)
        ]
        await until(lambda: len(monitor.raw) == 2, "the first")
        results = await asyncio.gather(*both, return_exceptions=True)
        assert len(monitor.raw) == 2
        assert all(isinstance(result, DeliveryFailed) for result in results)


async def test_a_reporter_that_acknowledges_nothing_can_be_told_all_the_same() -> None:
    """`status_acknowledged = false`: sent is told."""
    async with hl7_rig(replace(LINE, status_back="same", status_acknowledged=False)) as it:
        monitor = await it.monitor()
        monitor.answer_as = ""
        await monitor.report(Alert("7"))
        for status in (ReportStatus.QUEUED, ReportStatus.ENDED):
            await it.adapter.report(it.told(status), "alarm-1")
        await until(lambda: len(monitor.statuses) == 2, "both")


async def test_the_trouble_of_before_a_restart_ends_when_a_connection_is_open() -> None:
    """It is not told twice either."""
    port = free_port()
    async with hl7_rig(replace(LINE, status_back=f"connect 127.0.0.1:{port}", link_down_s=0.02)) as it:
        await until(lambda: it.hub.said, "the trouble")
        await it.restart()
        server = await asyncio.get_running_loop().create_server(lambda: Monitor(lambda: 0), "127.0.0.1", port)
        async with server:
            await until(lambda: len(it.hub.said) == 2, "the end of the trouble")
            assert it.hub.said[-1].event is SignalEvent.END


async def test_a_peer_that_calls_itself_ever_anew_is_not_remembered_for_ever() -> None:
    """The latest names are; statuses go to them."""
    async with hl7_rig() as it:
        await it.monitor()
        await until(lambda: it.adapter._sessions, "the session")
        (session,) = it.adapter._sessions
        for number in range(SENDERS_REMEMBERED + 5):
            session.heard(f"gw{number}")
        assert len(session.senders) == SENDERS_REMEMBERED
        assert "gw0" not in session.senders and f"gw{SENDERS_REMEMBERED + 4}" in session.senders


async def test_a_connection_that_is_let_go_at_once_is_none() -> None:
    """As by a port whose receiver is gone: told once, and not taken back by each that opens."""

    class LettingGo(asyncio.Protocol):
        taken = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            LettingGo.taken += 1
            transport.close()

    server = await asyncio.get_running_loop().create_server(LettingGo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    line = replace(LINE, status_back=f"connect 127.0.0.1:{port}", link_down_s=0.02)
    async with server, hl7_rig(line) as it:
        await until(lambda: it.hub.said, "the trouble")
        taken = LettingGo.taken
        await until(lambda: LettingGo.taken > taken, "one more")
        assert [news.event for news in it.hub.said] == [SignalEvent.ONCE]
