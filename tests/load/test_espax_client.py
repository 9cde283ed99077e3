"""The ESPA-X client that plays the call system: what it says is judged, what it hears it keeps."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from load.espax_client import EspaxClient, Refused, message
from tests.support.espax_oracle import SAMPLES, Said, judged


class Server:
    """A server that answers as the samples do, with codes the test sets; `said` is what it was told."""

    def __init__(self) -> None:
        self.codes: dict[str, list[str]] = {}
        self.said: list[Said] = []
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.writers.append(writer)
        try:
            while True:
                _, length, invoke = struct.unpack(">2sII", await reader.readexactly(10))
                said = judged(await reader.readexactly(length - 10), invoke)
                self.said.append(said)
                self.answer(said, writer)
        except (EOFError, ConnectionError):
            writer.close()

    def answer(self, said: Said, writer: asyncio.StreamWriter) -> None:
        """With the next code the test has set."""
        code = (self.codes.get(said.element) or ["200"]).pop(0)
        if code == "silence":
            return
        answer = said.element.replace("REQ.", "RSP.")
        more = "<SP-PR-TAN>7</SP-PR-TAN>" if said.element == "REQ.P-START" else ""
        inner = f"<RSP-CODE>{code}</RSP-CODE><RSP-REASON>x</RSP-REASON>{more}"
        self.say(
            f'<{answer} invokeID="{said.attributes["invokeID"]}" sessionID="s1">{inner}</{answer}>', writer
        )

    def say(self, inner: str, writer: asyncio.StreamWriter | None = None) -> None:
        """One message, with this as the one child of its root."""
        document = f'<ESPA-X xmlns="http://ns.espa-x.org/espa-x">{inner}</ESPA-X>'.encode()
        (writer or self.writers[-1]).write(struct.pack(">2sII", b"EX", len(document) + 10, 1) + document)


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    """A server on a free port."""
    it = Server()
    listening = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = listening.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        listening.close()
        for writer in it.writers:
            writer.close()


def client(it: Server, **more: float) -> EspaxClient:
    """A client of this server."""
    return EspaxClient("127.0.0.1", it.port, "lichtruf", "geheim12", **more)  # type: ignore[arg-type]


def test_a_request_has_the_published_header() -> None:
    """Magic, length of all, the invoke number."""
    data = message("REQ.HEARTBEAT", 5, "20241122090000.0001", {})
    recorded = next(SAMPLES.glob("09*")).read_bytes()
    assert data[:2] + data[6:10] == recorded[:2] + recorded[6:10]
    assert int.from_bytes(data[2:6], "big") == len(data)


async def test_it_logs_in_asks_the_condition_beats_and_starts() -> None:
    """All it says keeps the schema; the answer's number is kept."""
    async with server() as it, client(it, heartbeat_s=0.02) as caller:
        assert (await caller.start("a", TEXTMSG="Zi <12>", PR_DETAILS="All")).code == 200
        await caller.wait_for(lambda c: any(h.element == "RSP.HEARTBEAT" for h in c.heard))
        assert [said.element for said in it.said[:3]] == ["REQ.LOGIN", "REQ.S-CONDITION", "REQ.P-START"]
        assert it.said[2].fields["CP-TEXTMSG"] == "Zi <12>"
        assert (caller.processes["a"].tan, caller.running) == ("7", {"a"})


async def test_what_is_heard_of_a_process_is_kept_with_it() -> None:
    """Results in order; its end takes it off the list."""
    async with server() as it, client(it) as caller:
        await caller.start("a")
        about = "<CP-PR-REF>a</CP-PR-REF><SP-PR-TAN>7</SP-PR-TAN>"
        it.say(f"<IND.P-EVENT>{about}<SS-RESULT>Reached</SS-RESULT></IND.P-EVENT>")
        it.say(f"<IND.P-ENDED>{about}<SP-RESULT>Positive</SP-RESULT></IND.P-ENDED>")
        await caller.wait_for(lambda c: not c.running)
        assert caller.processes["a"].results == ["Reached", "Positive"]


async def test_a_start_that_is_put_off_or_lost_is_sent_again() -> None:
    """503, and a cable pulled before the answer: under the same reference."""
    async with server() as it, client(it) as caller:
        it.codes["REQ.P-START"] = ["503", "silence", "450"]
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(caller.start("a"))
            await caller.wait_for(lambda c: len([s for s in it.said if s.element == "REQ.P-START"]) > 0)
            while len([said for said in it.said if said.element == "REQ.P-START"]) < 2:
                await asyncio.wait({asked}, timeout=0.02)
            caller.drop()
        assert asked.result().code == 450
        assert caller.sessions == 2
        assert {said.fields["CP-PR-REF"] for said in it.said if said.element == "REQ.P-START"} == {"a"}


async def test_a_server_that_refuses_the_password_is_left_alone() -> None:
    """401 stops it trying."""
    async with server() as it:
        it.codes["REQ.LOGIN"] = ["401"]
        with pytest.raises(Refused, match="401"):
            async with client(it):
                raise AssertionError("not reached")
        assert len(it.said) == 1
