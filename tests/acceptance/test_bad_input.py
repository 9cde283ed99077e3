"""Bad input over real sockets to a running hub: one clear answer each, and the hub runs on.

ESPA has its own (tests/inbound), site files theirs (tests/site); here is HTTP and what phones send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from alarmhub.store.embedded import EmbeddedServer
from load.phone_client import ClosedByHub, PhoneClient, Result
from tests.support.hub import House, Hub

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEGABYTE = 1_048_576
GOOD = {"ref": "r", "event": "start", "place": "load/u0000/r1/bed", "kind": "patient_call"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(database_server: EmbeddedServer) -> AsyncIterator[Hub]:
    """One hub for all of this file: what one peer sends must not matter to the next."""
    admin = await asyncpg.connect(database_server.dsn_of("postgres"))
    await admin.execute("CREATE DATABASE bad_input")
    async with House(database_server.dsn_of("bad_input")) as house:
        one = house.hub()
        await one.start()
        yield one
        assert [line for line in one.lines() if line["level"] == "error"] == []
        assert await one.stop() == 0
    await admin.execute("DROP DATABASE bad_input WITH (FORCE)")
    await admin.close()


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def runs_on(hub: Hub) -> AsyncIterator[None]:
    """After each test a good press still rings a good phone."""
    yield
    async with hub.phone(19) as phone:
        answer = await hub.press("good", 9, event="start")
        assert answer.status in (200, 201), answer
        shown = await phone.wait_alarm(5, id=answer.body["alarm"])
        ended = await hub.press("good", 9, event="end")
        assert ended.status == 200
        await phone.wait_gone(shown.id, 5)
    assert await hub.status("/readyz") == 200


# -- HTTP ---------------------------------------------------------------------------------------


def _body(**changes: Any) -> bytes:
    return json.dumps(GOOD | changes).encode()


HTTP_BODIES = {
    "no JSON": (b"{ref: 1", 400, "malformed", None),
    "empty": (b"", 400, "malformed", None),
    "a list": (b"[]", 400, "malformed", None),
    "nested too deeply": (b"[" * 30_000, 400, "malformed", None),
    "not UTF-8": (_body().replace(b'"r"', b'"\xff"'), 400, "malformed", None),
    "a number with 10,000 digits": (b'{"ref":' + b"9" * 10_000 + b"}", 400, None, None),
    "a NUL": (_body(text="a\x00b"), 400, "invalid", "text"),
    "a NUL in the key": (_body(ref="\x00"), 400, "invalid", "ref"),
    "half a surrogate pair": (b'{"ref":"\\ud83d","event":"end"}', 400, "invalid", "ref"),
    "a number for a text": (_body(ref=7), 400, "invalid", "ref"),
    "no ref": (b'{"event":"start","place":"x","kind":"patient_call"}', 400, "invalid", "ref"),
    "an unknown event": (_body(event="begin"), 400, "invalid", "event"),
    "an unknown kind": (_body(kind="fire"), 400, "invalid", "kind"),
    "neither kind nor type": (b'{"ref":"r","event":"start","place":"x"}', 400, "invalid", "kind"),
    "a priority of its own": (_body(priority="urgent"), 400, "invalid", "priority"),
    "161 characters": (_body(text="x" * 161), 400, "invalid", "text"),
    "65 characters of id": (_body(id="x" * 65), 400, "invalid", "id"),
    "a time without offset": (_body(occurred_at="2026-11-05T14:03:00"), 400, "invalid", "occurred_at"),
    "65 KiB": (b" " * 66_560 + _body(), 413, "too_large", None),
    "1 MB": (b" " * MEGABYTE, 413, "too_large", None),
}


@pytest.mark.parametrize("what", HTTP_BODIES)
async def test_a_bad_body_gets_one_clear_problem(hub: Hub, what: str) -> None:
    """RFC 9457: status, a name for programs, and the field where there is one."""
    body, status, name, field = HTTP_BODIES[what]
    answer = await hub.call(
        "POST", "/api/v1/signals", data=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status == status, answer
    problem = answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == status and problem["detail"]
    assert name is None or problem["type"].endswith(name), problem
    assert field is None or problem["field"] == field, problem


async def test_an_unknown_place_still_rings(hub: Hub) -> None:
    """At the source's fallback unit, with the note that says so."""
    answer = await hub.press("nowhere", 0, place="load/u0000/no-such-room")
    assert (answer.status, answer.body["note"]) == (201, "unknown_place")
    assert (await hub.press("nowhere", 0, event="end")).status == 200


@pytest.mark.parametrize(
    ("secret", "status", "name"),
    [(None, 401, "unauthorized"), ("wrong", 401, None), ("x" * 5_000, 401, None), ("phone", 403, None)],
)
async def test_a_missing_wrong_or_foreign_secret_is_refused(
    hub: Hub, secret: str | None, status: int, name: str | None
) -> None:
    """No secret, an unknown one, a huge one, and a phone's on a source's door."""
    if secret == "phone":
        secret = hub.house.phone_secrets["s000000"]
    answer = await hub.call("POST", "/api/v1/signals", secret=secret, json=GOOD)
    assert answer.status == status, answer
    assert answer.body["status"] == status
    assert "Bearer" in answer.headers.get("WWW-Authenticate", "Bearer")


async def test_other_media_and_methods_are_refused(hub: Hub) -> None:
    """415 for a form, 405 with what is allowed, 404 for an address that is none."""
    form = await hub.call("POST", "/api/v1/signals", data={"ref": "r"})
    assert form.status == 415
    deleted = await hub.call("DELETE", "/api/v1/signals")
    assert (deleted.status, deleted.headers["Allow"]) == (405, "POST")
    assert (await hub.call("GET", "/api/v1/../../etc/passwd")).status == 404


async def test_bytes_that_are_no_http_are_told_so(hub: Hub) -> None:
    """And a head that never ends is cut off by its size."""
    for bytes_ in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"G" * 100_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.api_port)
        writer.write(bytes_)
        with contextlib.suppress(ConnectionError):
            answer = await asyncio.wait_for(reader.read(65_536), 5)
            assert answer.startswith(b"HTTP/1."), answer[:100]
            assert b" 400 " in answer.split(b"\r\n")[0], answer[:100]
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_caller_that_hangs_up_half_way_disturbs_nobody(hub: Hub) -> None:
    """Half a body, then gone."""
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", hub.api_port)
        writer.write(b"POST /api/v1/signals HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()

    assert (await hub.press("after-the-hang-ups")).status == 201


# -- phones -------------------------------------------------------------------------------------


async def _refused(phone: PhoneClient, frame: dict[str, Any] | str | bytes) -> Result:
    """Send a frame, get the one result that refuses it."""
    already = len(phone.frames)
    await phone.send(frame)
    await phone.wait_for(lambda p: any(f["type"] == "result" for f in p.frames[already:]), 5)
    (result,) = [f for f in phone.frames[already:] if f["type"] == "result"]
    assert result["ok"] is False
    return Result(ok=False, error=result["error"], req=result.get("req"), field=result.get("field"))


FRAMES = {
    "unknown type": ({"type": "sing", "req": "q"}, "unknown_type"),
    "no type": ({"alarm": "a"}, "invalid_field"),
    "no JSON": ("hello?", "bad_json"),
    "a list": ("[]", "bad_json"),
    "nested too deeply": ("[" * 10_000, "bad_json"),
    "half a surrogate pair": ('{"type":"accept","alarm":"\\ud83d","rev":1,"req":"q"}', "bad_json"),
    "a NUL": ({"type": "accept", "alarm": "a\x00", "rev": 1, "req": "q"}, "invalid_field"),
    "wrong types": ({"type": "accept", "alarm": 7, "rev": "1", "req": "q"}, "invalid_field"),
    "a negative rev": ({"type": "accept", "alarm": "a", "rev": -1, "req": "q"}, "invalid_field"),
    "no req": ({"type": "accept", "alarm": "a", "rev": 1}, "invalid_field"),
    "an unknown state": ({"type": "availability", "state": "asleep", "req": "q"}, "invalid_field"),
    "binary": (b"\x00\x01\x02", "not_text"),
}


@pytest.mark.parametrize("what", FRAMES)
async def test_a_bad_frame_gets_one_clear_result(hub: Hub, what: str) -> None:
    """Named after what is wrong; the connection stays."""
    frame, error = FRAMES[what]
    async with hub.phone(0) as phone:
        assert (await _refused(phone, frame)).error == error
        assert (await phone.availability("available")).ok
        assert phone.closed is None


async def test_answers_that_do_not_fit_the_alarm_are_refused(hub: Hub) -> None:
    """An alarm that does not exist, somebody else's, and a decline of a turn that has passed."""
    async with hub.phone(0) as phone, hub.phone(12) as other:
        nobodys = "01a205ce-573f-7756-9164-251c093d805e"
        assert (await phone.accept(nobodys, rev=1)).error == "unknown_alarm"
        assert (await phone.accept("no id at all", rev=1)).error == "unknown_alarm"

        alarm = (await hub.press("foreign", 0)).body["alarm"]
        shown = await phone.wait_alarm(5, id=alarm)
        assert (await other.accept(alarm, rev=shown.rev)).error == "not_concerned"
        assert (await phone.decline(alarm, rev=0)).error == "stale"
        assert (await phone.accept(alarm, rev=0)).ok, "an accept is valid from any rev"
        await hub.press("foreign", 0, event="end")
        await phone.wait_gone(alarm, 5)
        late = await phone.accept(alarm, rev=shown.rev)
        assert (late.ok, late.error) == (False, "ended")


async def test_a_second_hello_is_a_fault(hub: Hub) -> None:
    """The connection keeps its person."""
    async with hub.phone(0) as phone:
        hello = {"type": "hello", "token": hub.house.phone_secrets["s000002"], "device": "d", "features": []}
        assert (await _refused(phone, hello)).error == "hello_twice"
        assert (await phone.availability("available")).ok


async def test_nothing_is_taken_before_hello(hub: Hub) -> None:
    """A frame before hello is refused; without a hello the connection ends with a reason."""
    phone = hub.phone(0)
    await phone.open_socket()
    result = await _refused(phone, {"type": "accept", "alarm": "a", "rev": 1, "req": "q"})
    assert result.error == "hello_first"
    closed = await phone.wait_closed(8)
    assert (closed.code, closed.reason) == (4408, "no hello in time")
    await phone.close()


@pytest.mark.parametrize("token", ["wrong", "x" * 256, "source"])
async def test_a_bad_token_closes_with_its_code(hub: Hub, token: str) -> None:
    """An unknown one, a huge one, and a source's."""
    phone = hub.phone(0)
    phone.token = hub.house.source_secret if token == "source" else token
    with pytest.raises(ClosedByHub) as closed:
        await phone.connect()
    assert closed.value.code == 4401 and closed.value.reason
    await phone.close()


@pytest.mark.parametrize("frame", ["x" * MEGABYTE, b"x" * MEGABYTE, "x" * 16_385])
async def test_a_frame_over_the_limit_closes_with_its_code(hub: Hub, frame: str | bytes) -> None:
    """1009, as the protocol of WebSockets has it."""
    phone = hub.phone(0)
    await phone.connect()
    with contextlib.suppress(ClosedByHub):
        await phone.send(frame)
    closed = await phone.wait_closed(5)
    assert closed.code == 1009
    await phone.close()


async def test_twenty_faults_close_with_their_code(hub: Hub) -> None:
    """A peer that only talks nonsense is turned away."""
    phone = hub.phone(0)
    await phone.connect()
    with contextlib.suppress(ClosedByHub):
        for _ in range(20):
            await phone.send("nonsense")
    closed = await phone.wait_closed(5)
    assert closed.code == 4429 and "20 faults" in closed.reason
    await phone.close()


async def test_the_newest_connection_of_a_device_wins(hub: Hub) -> None:
    """The old one is closed with 4409, and its end changes nothing."""
    old, new = hub.phone(0), hub.phone(0)
    await old.connect()
    await new.connect()
    assert (await old.wait_closed(5)).code == 4409
    answer = await hub.press("after", 0)
    assert (await new.wait_alarm(5, id=answer.body["alarm"])).rings
    await hub.press("after", 0, event="end")
    await old.close()
    await new.close()


async def test_another_address_than_the_phones_socket_is_404(hub: Hub) -> None:
    """And plain HTTP on the phones' door is no upgrade."""
    elsewhere = PhoneClient(f"ws://127.0.0.1:{hub.phone_port}/elsewhere", "t")
    with pytest.raises(InvalidStatus):
        await elsewhere.connect()
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{hub.phone_port}/phone") as answer,
    ):
        assert answer.status in (400, 426)


async def test_the_sources_own_words_are_cleaned_not_believed(hub: Hub) -> None:
    """Control characters become spaces, markup stays text, and the log stays one line."""
    text = "line\nbreak\x1b[31m <b>bold</b>"
    async with hub.phone(0) as phone:
        answer = await hub.press("cleaned", 0, text=text)
        shown = await phone.wait_alarm(5, id=answer.body["alarm"])
        assert shown.text == "line break [31m <b>bold</b>"
        await hub.press("cleaned", 0, event="end")
    assert "\x1b" not in hub.log()
