"""POST over kept connections and fresh ones; what can go wrong has two names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from alarmhub.push.http1 import BODY_MOST, Unanswered, Wire
from alarmhub.push.transport import Outcome
from tests.support.push_site import Cut, PushSite, Say, push_site


@asynccontextmanager
async def wired() -> AsyncIterator[tuple[Wire, PushSite]]:
    """A wire and the site at its other end."""
    async with push_site() as site:
        wire = Wire(at_once=5)
        wire.start()
        try:
            yield wire, site
        finally:
            await wire.stop()


async def test_a_connection_is_kept_and_a_fresh_one_is_not() -> None:
    """Each fresh one is another."""
    async with wired() as (wire, site):
        for is_fresh in (False, False, True, True, False):
            answer = await wire.post(f"{site.url}/p", {}, b"x", is_fresh=is_fresh)
            assert answer.status == 200
        one, two, three, four, five = (got.peer for got in site.got)
        assert one == two == five and len({one, three, four}) == 3


async def test_an_answer_is_read_so_far_only() -> None:
    """Its beginning says enough; the next one is not disturbed."""
    async with wired() as (wire, site):
        site.turn = lambda got: Say(400, raw=b"x" * 1_000_000) if got.number == 0 else Say(raw=b"y")
        assert len((await wire.post(f"{site.url}/p", {}, b"x")).body) == BODY_MOST
        assert (await wire.post(f"{site.url}/p", {}, b"x")).body == b"y"


async def test_a_cut_may_have_been_seen_and_a_refusal_was_not() -> None:
    """LOST and LATER."""
    async with wired() as (wire, site):
        site.turn = lambda got: Cut()
        with pytest.raises(Unanswered) as cut:
            await wire.post(f"{site.url}/p", {}, b"x")
        with pytest.raises(Unanswered, match="no connection") as refused:
            await wire.post("http://127.0.0.1:9/p", {}, b"x")
        with pytest.raises(Unanswered, match="no address") as unknown:
            await wire.post("http://nowhere.invalid/p", {}, b"x")
    assert not cut.value.unseen and cut.value.sent().outcome is Outcome.LOST
    assert refused.value.unseen and refused.value.sent().outcome is Outcome.LATER
    assert unknown.value.unseen and not unknown.value.is_ours


@pytest.mark.parametrize("garbage", [b"SSH-2.0-x\r\n", b"HTTP/1.1 999999 x\r\n\r\n", b"\x00" * 100, b""])
async def test_a_peer_that_speaks_no_http_is_no_answer(garbage: bytes) -> None:
    """Whatever it says."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(garbage)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    wire = Wire(at_once=5)
    wire.start()
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(Unanswered, match="no answer") as unanswered:
        await wire.post(f"http://127.0.0.1:{port}/p", {}, b"x")
    assert not unanswered.value.unseen
    await wire.stop()
    server.close()


async def test_before_the_start_and_after_the_stop_nothing_is_sent() -> None:
    """It says so."""
    wire = Wire(at_once=5)
    with pytest.raises(Unanswered, match="not open"):
        await wire.post("http://127.0.0.1:9/p", {}, b"x")
    wire.start()
    await wire.stop()
    with pytest.raises(Unanswered, match="not open"):
        await wire.post("http://127.0.0.1:9/p", {}, b"x")
