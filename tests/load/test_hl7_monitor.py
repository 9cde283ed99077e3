"""The simulated reporter, asked by a peer that frames by hand: what it writes, and what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from load.hl7_monitor import Alert, Monitor, pcd04, watchdog
from tests.support.waiting import until

AT = 1_795_428_600_000
STATUS = (
    "MSH|^~\\&|HUB||SIM_GW||20261123||ORA^R41^ORA_R41|S1|P|2.6|||AL\r"
    "MSA|AA|M1\r"
    "OBR|1||7^SIM_GW|196616^MDC_EVT_ALARM^MDC|||||||||||||||||||||||||^7&SIM_GW\r"
    "PRT|1|AD|0^ACCEPTED^99X\r"
)


class Hub:
    """One connection at a time; keeps messages without their frame and says what a test gives it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.answers = True
        self.port = 0
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read frames (0x0B … 0x1C 0x0D), acknowledge alerts by their MSH-10."""
        self.writer = writer
        while not reader.at_eof():
            try:
                frame = await reader.readuntil(b"\x1c\x0d")
            except asyncio.IncompleteReadError:
                break
            assert frame[:1] == b"\x0b"
            message = frame[1:-2].decode()
            self.heard.append(message)
            header = message.split("\r")[0].split("|")
            if self.answers and header[8].startswith("ORU^R40"):
                self.say(f"MSH|^~\\&|HUB||GW||20261123||ACK|A1|P|2.6\rMSA|CA|{header[9]}\r")

    def say(self, message: str) -> None:
        """Send a message."""
        assert self.writer is not None
        self.writer.write(b"\x0b" + message.encode() + b"\x1c\x0d")


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """One that listens."""
    it = Hub()
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    yield it
    server.close()
    if it.writer is not None:
        it.writer.close()


def fields(message: str, name: str) -> list[list[str]]:
    """The fields of every segment of this name."""
    return [line.split("|") for line in message.split("\r") if line.startswith(name + "|")]


def test_an_alert_has_all_seven_facets_and_names_itself() -> None:
    """Its place in PV1-3, its identifier in OBR-3 and again in OBR-29, its words in OBX-5.9."""
    message = pcd04(Alert("7", place="203^6^2", text="Patientkallelse"), "X1", AT).decode()
    [header], [visit], [order] = (fields(message, name) for name in ("MSH", "PV1", "OBR"))
    assert (header[8], header[9], header[14], header[15]) == ("ORU^R40^ORU_R40", "X1", "AL", "AL")
    assert visit[3] == "203^6^2"
    assert order[3] == "7^SIM_GW^00A0B1FFFEC2D3E4^EUI-64"
    assert order[29] == "^7&SIM_GW&00A0B1FFFEC2D3E4&EUI-64"
    rows = fields(message, "OBX")
    assert [row[4] for row in rows] == [f"1.0.0.0.{facet}" for facet in range(1, 8)]
    assert rows[0][5].split("^")[8] == "Patientkallelse"


def test_what_follows_an_alert_is_new_and_points_back() -> None:
    """An end has an identifier of its own and the parent of the alert it ends."""
    message = pcd04(Alert("7", phase="end"), "X2", AT).decode()
    [order] = fields(message, "OBR")
    assert order[3].startswith("7.X2^") and order[29].startswith("^7&")


def test_words_cannot_break_the_message() -> None:
    """Separators in what a nurse typed are escaped."""
    message = pcd04(Alert("7", annotation="bed 2|door & left^"), "X3", AT).decode()
    [note] = [row for row in fields(message, "OBX") if "ANNOTATION" in row[3]]
    assert note[5] == "bed 2\\F\\door \\T\\ left\\S\\"


def test_a_watchdog_says_how_soon_the_next_comes() -> None:
    """And has no place, so that nothing could ring by it; it wants no status."""
    message = watchdog("W1", AT, within_s=9).decode()
    assert fields(message, "OBX")[-1][3:6] == ["67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC", "1.0.0.0.9", "9"]
    [header] = fields(message, "MSH")
    assert header[15] == "NE" and "201^12^2" not in message


async def test_it_waits_for_the_answer_to_its_own_message(hub: Hub) -> None:
    """An answer to another message is no answer to this one."""
    monitor = await Monitor(lambda: AT).connect("127.0.0.1", hub.port)
    hub.answers = False
    waiting = asyncio.ensure_future(monitor.report(Alert("7")))  # noqa: TID251
    await until(lambda: hub.heard, "the alert")
    hub.say("MSH|^~\\&|HUB||GW||20261123||ACK|A1|P|2.6\rMSA|CA|M99\r")
    await until(lambda: monitor.raw, "the answer to another message")
    assert not waiting.done()
    hub.say("MSH|^~\\&|HUB||GW||20261123||ACK|A2|P|2.6\rMSA|CE|M1\r")
    assert (await waiting).code == "CE"
    monitor.close()


async def test_it_keeps_what_it_is_told_and_acknowledges_it(hub: Hub) -> None:
    """A PCD-05 is a status with its alert; `answer_as` empty leaves it unanswered."""
    monitor = await Monitor(lambda: AT).connect("127.0.0.1", hub.port)
    assert (await monitor.report(Alert("7"))).code == "CA"
    hub.say(STATUS)
    await until(lambda: len(hub.heard) == 2, "the acknowledgement")
    assert fields(hub.heard[1], "MSA")[0][1:3] == ["CA", "S1"]
    assert [(told.status, told.alert.id) for told in monitor.statuses] == [("ACCEPTED", "7")]
    monitor.answer_as = ""
    hub.say(STATUS.replace("S1", "S2"))
    await until(lambda: len(monitor.statuses) == 2, "the second status")
    assert (await monitor.report(Alert("8"))).code == "CA"
    assert [line.split("|")[8] for line in hub.heard[2:]] == ["ORU^R40^ORU_R40"]
    monitor.close()


async def test_a_hub_that_hangs_up_answers_nobody(hub: Hub) -> None:
    """Whoever waits is told at once."""
    monitor = await Monitor(lambda: AT).connect("127.0.0.1", hub.port)
    hub.answers = False
    waiting = asyncio.ensure_future(monitor.report(Alert("7")))  # noqa: TID251
    await until(lambda: hub.heard, "the alert")
    assert hub.writer is not None
    hub.writer.close()
    with pytest.raises(ConnectionError):
        await waiting
    assert monitor.lost
