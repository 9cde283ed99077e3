"""The limits of the HTTP server, with raw bytes over loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from alarmhub.ports import SignalOutcome
from alarmhub.web import server
from tests.support.intake import BED
from tests.support.waiting import turns, until
from tests.support.web import PLANT, Hub, running

SIGNAL = json.dumps({"ref": "bed-7", "event": "start", "place": BED, "kind": "patient_call"}).encode()
SIGNALS = "/api/v1/signals"


def head(length: int | None = None, *more: str, method: str = "POST", path: str = SIGNALS) -> bytes:
    """The head of a signal's request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {PLANT}"]
    if not any(line.lower().startswith("content-type") for line in more):
        lines.append("Content-Type: application/json")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, *more, "", ""]).encode()


class Line:
    """One connection to the hub."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        """Send bytes, whatever they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Status, headers (lower case) and body of the next answer."""
        async with asyncio.timeout(10):
            raw = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in raw[1:] if line)}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(raw[0].split()[1]), headers, json.loads(body) if body else None

    async def closed(self) -> bool:
        """Wait until the hub has closed it."""
        async with asyncio.timeout(10):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True


@asynccontextmanager
async def line_to(hub: Hub) -> AsyncIterator[Line]:
    """A raw connection, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.api.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        await turns()


async def still_serves(hub: Hub) -> None:
    """The hub runs on: a signal on a new connection is taken."""
    async with line_to(hub) as line:
        await line.say(head(len(SIGNAL)) + SIGNAL)
        assert (await line.answer())[0] in (200, 201)


@pytest.mark.parametrize("length", [65_537, 1_000_000, 10**15])
async def test_a_body_that_says_it_is_too_large_is_refused_unread(length: int) -> None:
    """413 at once, and the connection closes."""
    async with running() as (hub, _), line_to(hub) as line:
        await line.say(head(length))
        status, headers, problem = await line.answer()
        assert (status, headers["content-type"]) == (413, "application/problem+json")
        assert problem["type"].endswith(":too_large")
        await still_serves(hub)


async def test_a_megabyte_is_refused_and_the_caller_can_read_why() -> None:
    """A caller that sends all before it reads gets the 413, not a reset."""
    async with running() as (hub, call):
        answer = await call(
            "POST", SIGNALS, data=b"x" * 1_000_000, headers={"Content-Type": "application/json"}
        )
        assert answer.status == 413
        assert not hub.intake.taken
        await still_serves(hub)


async def test_the_limit_of_the_body_is_a_setting() -> None:
    """One byte less passes."""
    for limit, status in ((len(SIGNAL), 201), (len(SIGNAL) - 1, 413)):
        async with running(body_limit=limit) as (hub, _), line_to(hub) as line:
            await line.say(head(len(SIGNAL)) + SIGNAL)
            assert (await line.answer())[0] == status


async def test_a_chunked_body_is_counted_as_it_comes() -> None:
    """No length is said, the bytes count: 413."""
    async with running() as (hub, _), line_to(hub) as line:
        await line.say(head(None, "Transfer-Encoding: chunked"))
        for _ in range(9):
            await line.say(b"2000\r\n" + b"x" * 8192 + b"\r\n")
        assert (await line.answer())[0] == 413
        await still_serves(hub)


async def test_a_chunked_body_all_at_once_is_taken_or_refused_by_its_size() -> None:
    """What came in one piece with the head is bounded as well."""
    async with running() as (hub, _), line_to(hub) as line:
        chunk = f"{len(SIGNAL):x}\r\n".encode() + SIGNAL + b"\r\n0\r\n\r\n"
        await line.say(head(None, "Transfer-Encoding: chunked") + chunk)
        assert (await line.answer())[0] == 201
        big = b"x" * 70_000
        await line.say(
            head(None, "Transfer-Encoding: chunked") + f"{len(big):x}\r\n".encode() + big + b"\r\n0\r\n\r\n"
        )
        assert (await line.answer())[0] == 413


async def test_a_body_in_pieces_is_put_together() -> None:
    """A slow network is no fault."""
    async with running() as (hub, _), line_to(hub) as line:
        await line.say(head(len(SIGNAL)))
        for at in range(0, len(SIGNAL), 10):
            await line.say(SIGNAL[at : at + 10])
            await turns(3)
        assert (await line.answer())[0] == 201


async def test_a_body_that_does_not_come_is_408() -> None:
    """Half a body holds nobody up for longer than the settings say."""
    async with running(body_within_s=0.05) as (hub, _), line_to(hub) as line:
        await line.say(head(len(SIGNAL)) + SIGNAL[:10])
        status, _, problem = await line.answer()
        assert (status, problem["type"]) == (408, "urn:alarmhub:problem:slow")
        await still_serves(hub)


async def test_a_caller_that_hangs_up_halfway_harms_nobody() -> None:
    """Half a body, then gone: nothing is taken, and the hub runs on."""
    async with running() as (hub, _):
        async with line_to(hub) as line:
            await line.say(head(len(SIGNAL)) + SIGNAL[:10])
        await still_serves(hub)
        assert len(hub.intake.taken) == 1


async def test_a_caller_that_hangs_up_after_asking_cancels_nothing() -> None:
    """What was asked is carried through: a commit is never cancelled."""
    async with running() as (hub, _):
        go, done = asyncio.Event(), asyncio.Event()

        async def slowly(_signal: object) -> SignalOutcome:
            await go.wait()
            done.set()
            return SignalOutcome("0b6b4d5e-9f0e-4f43-8a52-5f7f6a3ad9a1", "ringing", True)

        hub.intake.signal = slowly  # type: ignore[assignment,method-assign]
        async with line_to(hub) as line:
            await line.say(head(len(SIGNAL)) + SIGNAL)
            await until(lambda: hub.api._server.connections, "the connection")
        await until(lambda: not hub.api._server.connections[0].transport, "the hub to notice")
        go.set()
        async with asyncio.timeout(5):
            await done.wait()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\x01\x02\x03\r\n\r\n", 400),
        (b"GET\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 200 + b"\r\n", 400),
        (b"POST /api/v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (
            b"POST /api/v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 421),
    ],
)
async def test_broken_http_gets_one_problem_and_a_closed_line(sent: bytes, status: int) -> None:
    """What is no HTTP gets 400 as a problem, and everybody else is served on."""
    async with running() as (hub, _), line_to(hub) as line:
        await line.say(sent)
        got, headers, problem = await line.answer()
        assert (got, headers["content-type"], problem["status"]) == (
            status,
            "application/problem+json",
            status,
        )
        if status == 400:
            assert await line.closed()
        await still_serves(hub)


async def test_a_body_whose_framing_breaks_is_refused_in_time() -> None:
    """The library drops what follows a broken chunk, so the body never ends: 408."""
    async with running(body_within_s=0.05) as (hub, _), line_to(hub) as line:
        await line.say(head(None, "Transfer-Encoding: chunked"))
        await turns(5)
        await line.say(b"zz\r\n\r\n")
        assert (await line.answer())[0] == 408
        await still_serves(hub)


@pytest.mark.parametrize(
    "more",
    [
        ["Content-Type: text/plain"], ["Content-Type: application/json; charset=latin-1"],
        ["Content-Type: application/x-www-form-urlencoded"], ["Content-Type;;: "], ["Content-Encoding: gzip"],
        ["Content-Encoding: zstd"],
    ],
)  # fmt: skip
async def test_another_media_type_is_415(more: list[str]) -> None:
    """JSON in UTF-8, not compressed, and nothing else."""
    if more == ["Content-Type;;: "]:
        more = ["Content-Type: "]
    async with running() as (hub, _), line_to(hub) as line:
        await line.say(head(len(SIGNAL), *more) + SIGNAL)
        assert (await line.answer())[0] == 415
        assert not hub.intake.taken


async def test_json_with_its_charset_is_taken() -> None:
    """Said in full, in whatever case."""
    async with running() as (hub, _), line_to(hub) as line:
        await line.say(head(len(SIGNAL), "Content-Type: Application/JSON; charset=UTF-8") + SIGNAL)
        assert (await line.answer())[0] == 201


async def test_a_caller_may_ask_first() -> None:
    """Expect: 100-continue is answered before the body, any other expectation refused."""
    async with running() as (hub, _), line_to(hub) as line:
        await line.say(head(len(SIGNAL), "Expect: 100-continue"))
        assert (await line.answer())[0] == 100
        await line.say(SIGNAL)
        assert (await line.answer())[0] == 201
        await line.say(head(len(SIGNAL), "Expect: a-miracle"))
        assert (await line.answer())[0] == 417


async def test_many_requests_on_one_connection_are_answered_in_order() -> None:
    """Pipelined: the answers come as the requests did."""
    async with running() as (hub, _), line_to(hub) as line:
        await line.say((head(len(SIGNAL)) + SIGNAL) * 20)
        assert [(await line.answer())[0] for _ in range(20)] == [201] + [200] * 19


async def test_a_head_that_does_not_come_closes_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a head, a drop at a time, or none at all; whoever has asked something may stay idle."""
    monkeypatch.setattr(server, "SWEEP_EVERY_S", 0.02)
    async with (
        running(head_within_s=0.1) as (hub, _),
        line_to(hub) as silent,
        line_to(hub) as dripping,
        line_to(hub) as proper,
    ):
        await proper.say(head(len(SIGNAL)) + SIGNAL)
        assert (await proper.answer())[0] == 201

        async def drip() -> None:
            for byte in b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 1_000_000:
                await dripping.say(bytes([byte]))
                await turns(50)

        dripper = asyncio.get_running_loop().create_task(drip())
        assert await silent.closed()
        await asyncio.wait([dripper])
        assert isinstance(dripper.exception(), ConnectionError)
        await proper.say(head(len(SIGNAL)) + SIGNAL)
        assert (await proper.answer())[0] == 200


async def test_an_answer_nobody_takes_closes_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that asks and asks and reads nothing is cut off; it holds memory for no longer."""
    monkeypatch.setattr(server, "SWEEP_EVERY_S", 0.02)
    async with running(taken_within_s=0.2) as (hub, _), line_to(hub) as line:
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        asks = head(0, method="GET", path="/api/v1/openapi.json") * 50

        async def ask() -> None:
            while True:
                await line.say(asks)

        asker = asyncio.get_running_loop().create_task(ask())
        await until(lambda: not hub.api._server.connections, "the cut")
        await asyncio.wait([asker])
        assert isinstance(asker.exception(), ConnectionError)


@pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_a_full_house_turns_new_callers_away(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """503 on the surplus connection; those inside stay served, and a place that is freed is given again."""

    async def filled() -> None:
        async with running(connections=2) as (hub, _):
            async with line_to(hub) as first, line_to(hub) as second:
                for line in (first, second):
                    await line.say(head(len(SIGNAL)) + SIGNAL)
                    await line.answer()
                async with line_to(hub) as surplus:
                    status, headers, _ = await surplus.answer()
                    assert (status, headers["retry-after"]) == (503, "5")
                    assert await surplus.closed()
                await first.say(head(len(SIGNAL)) + SIGNAL)
                assert (await first.answer())[0] == 200
            await until(lambda: not hub.api._server.connections, "the places to be free")
            await still_serves(hub)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(filled())


async def test_stop_finishes_what_is_being_answered() -> None:
    """A stop takes nothing new, waits for the commit in flight, answers it, and closes."""
    async with running() as (hub, _):
        go, asked = asyncio.Event(), asyncio.Event()

        async def slowly(_signal: object) -> SignalOutcome:
            asked.set()
            await go.wait()
            return SignalOutcome("0b6b4d5e-9f0e-4f43-8a52-5f7f6a3ad9a1", "ringing", True)

        hub.intake.signal = slowly  # type: ignore[assignment,method-assign]
        async with line_to(hub) as busy, line_to(hub) as idle:
            await busy.say(head(len(SIGNAL)) + SIGNAL)
            await asked.wait()
            stopping = asyncio.get_running_loop().create_task(hub.api.stop())
            assert await idle.closed()
            assert not stopping.done()
            go.set()
            assert (await busy.answer())[0] == 201
            assert await busy.closed()
            async with asyncio.timeout(5):
                await stopping
            with pytest.raises(OSError, match=r"refused|failed"):
                await asyncio.open_connection("127.0.0.1", hub.api.port)


async def test_an_address_that_is_taken_is_an_error() -> None:
    """Start says so, and stop after it is in order."""
    async with running() as (hub, _):
        second = Hub()
        second.api._server._settings = server.WebSettings(port=hub.api.port)
        with pytest.raises(OSError, match="in use"):
            await second.api.start()
        await second.api.stop()
