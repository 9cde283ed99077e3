"""The providers of a load run, asked as the hub asks them: over HTTP/1.1 and over HTTP/2."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from load.providers import serve
from load.systems import free_ports

ALARM = "01a20cc8-8e80-7764-a49c-08f275bd9a47"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where one of them listens."""
    (port,) = free_ports(1)
    task = asyncio.get_running_loop().create_task(serve([port]))
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                await http.get(f"http://127.0.0.1:{port}/readyz")
                break
            except aiohttp.ClientError:
                await asyncio.wait([task], timeout=0.01)
    yield port
    task.cancel()
    await asyncio.wait([task])


async def taken(port: int) -> list[Any]:
    """What came since the last time."""
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/taken") as answer:
        return [json.loads(line) for line in (await answer.read()).splitlines()]


async def test_http_1_is_answered_and_kept_with_its_instant(port: int) -> None:
    """FCM's answer, a token, and a browser's note that cannot be read here; in order, once."""
    base = f"http://127.0.0.1:{port}"
    before_ns = time.monotonic_ns()
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{base}/token", data=b"grant") as answer:
            assert (await answer.json())["expires_in"] == 3600
        body = json.dumps({"message": {"data": {"aid": ALARM}}}).encode()
        async with http.post(f"{base}/v1/projects/load/messages:send", data=body) as answer:
            assert answer.status == 200 and "name" in await answer.json()

        async def parts() -> AsyncIterator[bytes]:
            for part in (b"\x01\x02", b"\x03"):
                yield part

        async with http.post(f"{base}/push/7", data=parts()) as answer:
            assert answer.status == 201

    found = await taken(port)
    assert [row[1:] for row in found] == [
        ["/v1/projects/load/messages:send", ALARM, ""],
        ["/push/7", "", base64.b64encode(b"\x01\x02\x03").decode()],
    ]
    assert before_ns < found[0][0] <= found[1][0] < time.monotonic_ns()
    assert await taken(port) == []


async def test_http_2_is_spoken_to_who_begins_so(port: int) -> None:
    """Two requests on one connection, as the hub sends to Apple."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    h2 = H2Connection()
    h2.initiate_connection()
    for stream in (1, 3):
        path = f"/3/device/{stream:064x}"
        head = [(":method", "POST"), (":path", path), (":scheme", "http"), (":authority", "x")]
        h2.send_headers(stream, head)
        h2.send_data(stream, json.dumps({"aid": ALARM}).encode(), end_stream=True)
    writer.write(h2.data_to_send())
    ended: dict[int, str] = {}
    statuses: dict[int, str] = {}
    while len(ended) < 2:
        for event in h2.receive_data(await asyncio.wait_for(reader.read(65_536), 5)):
            if isinstance(event, ResponseReceived):
                statuses[event.stream_id] = dict(event.headers)[b":status"].decode()
            elif isinstance(event, StreamEnded):
                ended[event.stream_id] = statuses[event.stream_id]
            assert not isinstance(event, DataReceived)
    assert ended == {1: "200", 3: "200"}
    assert [row[1:] for row in await taken(port)] == [
        [f"/3/device/{stream:064x}", ALARM, ""] for stream in (1, 3)
    ]
    writer.close()
    await writer.wait_closed()


async def test_what_is_no_http_is_cut_off(port: int) -> None:
    """Without an end of its head it is not read for ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x" * 40_000)
    assert await asyncio.wait_for(reader.read(10), 5) == b""
    writer.close()
