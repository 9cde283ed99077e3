"""The conversation with one phone: hello first, and what happens to those who do not keep to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from alarmhub.core.reach import Reach
from protocols.phone import BeatAnswer, State, Synced, Welcome
from tests.support.desk import call
from tests.support.phone import running
from tests.support.waiting import until


async def test_hello_is_answered_with_the_pace_of_beats() -> None:
    """Welcome names the person, the availability the hub has of her, and how often to beat."""
    async with running(beat_s=2.5) as hub:
        anna = await hub.phone("anna")
        assert anna.welcome == Welcome(
            staff="anna", beat_every=2.5, at=hub.clock.now(), name="Anna Lind", availability="available"
        )


async def test_a_beat_is_answered_with_the_hubs_clock() -> None:
    """So that the phone notices a dead hub, and can count down."""
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.clock.advance(1.5)
        await anna.say(type="beat")
        assert (await anna.expect(BeatAnswer)).at == hub.clock.now()


@pytest.mark.parametrize("token", ["token-nobody", "x"])
async def test_a_bad_token_closes_with_4401(token: str) -> None:
    """And a reason; nothing else is told."""
    async with running() as hub:
        stranger = await hub.socket()
        await stranger.say(type="hello", token=token, device="d")
        assert await stranger.closing() == (4401, "this token is not valid")
        assert hub.gateway.live == 0 and hub.engine.contacts == []


async def test_a_token_of_somebody_no_longer_on_the_site_is_bad() -> None:
    """Or one that is not a phone's."""
    async with running() as hub:
        for staff, kind in (("zoe", "phone"), ("anna", "api")):
            secret = hub.tokens.secret(staff)
            hub.tokens.kinds[staff] = kind
            phone = await hub.socket()
            await phone.say(type="hello", token=secret, device="d")
            assert (await phone.closing())[0] == 4401


async def test_a_stranger_is_told_to_come_back_when_nobody_can_check() -> None:
    """The database is away: a known phone gets in all the same."""
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.tokens.away = True
        hub.engine.is_storing = False
        await anna.socket.close()
        back = await hub.phone("anna")
        assert await back.expect(State) == State(storing=False, at=hub.clock.now())
        stranger = await hub.socket()
        await stranger.say(type="hello", token="whose", device="d")
        assert (await stranger.closing())[0] == 1013


async def test_no_hello_within_5_s_closes_with_4408() -> None:
    """Not before; other frames do not count as one."""
    async with running() as hub:
        mute = await hub.socket()
        chatty = await hub.socket()
        hub.tick(9)
        await chatty.say(type="beat")
        refused = await chatty.result()
        assert (refused.ok, refused.error) == (False, "hello_first")
        hub.tick()
        assert await mute.closing() == (4408, "no hello in time")
        assert (await chatty.closing())[0] == 4408
        assert hub.gateway.counters.no_hello == 2


async def test_what_follows_hello_at_once_is_not_lost() -> None:
    """A phone need not wait for welcome; what it says is read once its token is checked."""
    async with running() as hub:
        phone = await hub.socket()
        token = hub.tokens.secret("anna")
        await phone.say(type="hello", token=token, device="d")
        await phone.say(type="beat")
        await phone.say(type="availability", state="break", req="r1")
        await phone.expect(Welcome)
        await phone.expect(Synced)
        await phone.expect(BeatAnswer)
        assert (await phone.result()).ok


async def test_hello_twice_is_a_fault_and_nothing_else() -> None:
    """The session goes on as who it was."""
    async with running() as hub:
        anna = await hub.phone("anna")
        await anna.say(type="hello", token=hub.tokens.secret("bo"), device="d")
        assert (await anna.result()).error == "hello_twice"
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        assert (await anna.alarm()).id == "a1"


async def test_the_newest_connection_of_a_device_wins() -> None:
    """The old one is closed with 4409, and its end changes nothing."""
    async with running() as hub:
        old = await hub.phone("anna", "d")
        new = await hub.phone("anna", "d")
        assert await old.closing() == (4409, "this device has a newer connection")
        await until(lambda: len(hub.engine.contacts) >= 2)
        hub.tick(70 * 2)
        assert Reach.RECENT not in [reach for _s, _d, reach in hub.engine.contacts[:2]]
        assert hub.gateway.counters.accepted == 2
        del new


async def test_another_device_of_the_same_person_is_no_newer_connection() -> None:
    """Both stay."""
    async with running() as hub:
        phone, tablet = await hub.phone("anna", "phone"), await hub.phone("anna", "tablet")
        await phone.hears_nothing_before_beat()
        await tablet.hears_nothing_before_beat()
        assert hub.gateway.live == 2


async def test_rang_and_seen_reach_the_engine() -> None:
    """Nobody waits for them, and nothing is answered."""
    async with running() as hub:
        anna = await hub.phone("anna", "d")
        await anna.say(type="rang", alarm="a1", rev=1)
        await anna.say(type="seen", alarm="a1", rev=2)
        await anna.hears_nothing_before_beat()
        assert hub.engine.receipts == [("anna", "d", "a1", 1, False), ("anna", "d", "a1", 2, True)]


async def test_an_unknown_type_is_refused_by_name() -> None:
    """With the request's id, and the session goes on."""
    async with running() as hub:
        anna = await hub.phone("anna")
        await anna.say(type="dance", req="r7")
        result = await anna.result()
        assert (result.ok, result.req, result.error) == (False, "r7", "unknown_type")
        await anna.hears_nothing_before_beat()


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"\x00\x01", "not_text"),
        ("{", "bad_json"),
        ("[]", "bad_json"),
        ('{"type":"rang","alarm":"a\\u0000","rev":1}', "invalid_field"),
        ('{"type":"rang","alarm":"\\ud800","rev":1}', "bad_json"),
        ('{"type":"accept","alarm":"a","rev":true,"req":"r"}', "invalid_field"),
    ],
)
async def test_each_bad_frame_gets_one_clear_answer(sent: str | bytes, error: str) -> None:
    """And the hub, and this very session, run on."""
    async with running() as hub:
        anna = await hub.phone("anna")
        await anna.socket.send(sent)
        result = await anna.result()
        assert (result.ok, result.error) == (False, error) and result.detail
        await anna.hears_nothing_before_beat()
        assert hub.gateway.faults == 1


async def test_twenty_faults_close_with_4429(log_lines: list[dict[str, Any]]) -> None:
    """Nineteen do not; the log has one line about it, not twenty."""
    async with running() as hub:
        anna = await hub.phone("anna")
        for _ in range(19):
            await anna.socket.send("?")
            await anna.result()
        await anna.hears_nothing_before_beat()
        await anna.socket.send("?")
        await anna.result()
        assert await anna.closing() == (4429, "20 faults, the last: bad_json")
    assert len([line for line in log_lines if line["event"] == "phone_fault"]) == 1


async def test_secrets_are_not_logged(log_lines: list[dict[str, Any]]) -> None:
    """Neither the good one nor the bad one."""
    async with running() as hub:
        await hub.phone("anna")
        stranger = await hub.socket()
        await stranger.say(type="hello", token="token-wrong", device="d")
        await stranger.closing()
    assert log_lines and "token-" not in json.dumps(log_lines, default=str)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"subprotocols": None}, 400),
        ({"subprotocols": [Subprotocol("chat")]}, 400),
        ({"path": "/other"}, 404),
        ({"origin": "https://evil.example"}, 403),
    ],
)
async def test_who_does_not_belong_is_refused_before_the_upgrade(more: dict[str, Any], status: int) -> None:
    """Another protocol, another path, a page of another origin."""
    async with running() as hub:
        with pytest.raises(InvalidStatus) as refused:
            await hub.socket(**more)
        assert refused.value.response.status_code == status and refused.value.response.body


async def test_a_page_of_an_allowed_origin_gets_in() -> None:
    """For a board in a browser; a query after the path is nobody's business."""
    async with running(origins=("https://board.example",)) as hub:
        board = await hub.phone("anna", origin="https://board.example", path="/phone?v=1")
        await board.hears_nothing_before_beat()


@pytest.mark.parametrize(
    ("origin", "gets_in"),
    [
        ("http://127.0.0.1:8080", True),
        ("https://127.0.0.1", True),
        ("http://127.0.0.1.evil.example:8080", False),
        ("http://localhost:8080", False),
        ("null", False),
        ("http://[", False),
    ],
)
async def test_pages_of_the_host_that_was_asked_get_in_on_any_port(origin: str, gets_in: bool) -> None:
    """The page comes from one port, its socket is on another."""
    async with running() as hub:
        if gets_in:
            phone = await hub.phone("anna", origin=origin)
            await phone.hears_nothing_before_beat()
        else:
            with pytest.raises(InvalidStatus) as refused:
                await hub.socket(origin=origin)
            assert refused.value.response.status_code == 403
