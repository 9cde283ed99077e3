"""A phone that sleeps: it says where it can be woken, what there is, and that it rang."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.ports import StoreUnavailable
from protocols.phone import AlarmFrame, decode_hub
from tests.support.intake import BED
from tests.support.web import ANNA, BO, Answer, Caller, running

WEB = {"transport": "webpush", "address": "https://push.example/1", "keys": {"p256dh": "x", "auth": "y"}}


async def put(call: Caller, secret: str = ANNA, **more: Any) -> Answer:
    """Register a target."""
    return await call("PUT", "/api/v1/device/push", secret=secret, json=WEB | more)


async def opened(call: Caller, **more: Any) -> str:
    """An alarm anna is told of."""
    return str(
        (await call.post(ref="r1", event="start", place=BED, kind="patient_call", **more)).body["alarm"]
    )


async def test_an_enrolled_phone_says_where_it_can_be_woken() -> None:
    """From then on its person is reachable by push; deleted, no more. Twice is once."""
    async with running() as (hub, call):
        for _ in range(2):
            answer = await put(call)
            assert (answer.status, answer.body) == (200, {"transports": ["webpush"]})
        assert hub.pushable == {"anna": ("annas",)}
        (target,) = hub.book.of("anna")
        assert (target.address, target.keys) == (WEB["address"], WEB["keys"])
        for _ in range(2):
            answer = await call("DELETE", "/api/v1/device/push", secret=ANNA)
            assert (answer.status, answer.body) == (200, {"transports": []})
        assert hub.pushable == {"anna": ()}


async def test_a_pool_phone_that_nobody_carries_may_register_too() -> None:
    """It counts for whoever takes it."""
    async with running() as (hub, call):
        hub.shelf.admit("pool", "phone", "", device="pool")
        assert (await put(call, "pool")).status == 200
        assert hub.pushable == {} and hub.book.of_device("pool")


async def test_a_phone_that_was_not_enrolled_is_refused() -> None:
    """Its secret names no device that could be revoked or handed over."""
    async with running() as (_hub, call):
        for answer in (await put(call, BO), await call("DELETE", "/api/v1/device/push", secret=BO)):
            assert (answer.status, answer.body["error"]) == (409, "not_enrolled")


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"transport": "pigeon"}, "transport"),
        ({"address": ""}, "address"),
        ({"address": "x" * 2049}, "address"),
        ({"address": "https://push.example/\x00"}, "address"),
        ({"keys": {"auth": 5}}, "keys"),
        ({"keys": dict.fromkeys("abcdefghi", "x")}, "keys"),
    ],
)
async def test_what_is_no_target_is_refused_by_its_member(more: dict[str, Any], field: str) -> None:
    """And why."""
    async with running() as (hub, call):
        answer = await put(call, **more)
        assert (answer.status, answer.body["field"]) == (400, field)
        assert hub.pushable == {}


async def test_a_provider_without_credentials_here_is_refused_at_once() -> None:
    """Better now than at the first alarm; the phone hears which ones there are."""
    async with running() as (hub, call):
        answer = await put(call, transport="apns")
        assert (answer.status, answer.body["error"], answer.body["field"]) == (409, "push_off", "transport")
        assert "webpush" in answer.body["expected"] and hub.pushable == {}


async def test_while_the_database_is_away_it_is_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target that would be forgotten is not taken."""
    async with running() as (hub, call):

        async def away(*_: object) -> None:
            raise StoreUnavailable("away")

        monkeypatch.setattr(hub.book, "put", away)
        answer = await put(call)
        assert answer.status == 503 and answer.headers["Retry-After"]


async def test_a_woken_phone_reads_the_socket_s_frames() -> None:
    """The same words as by socket, and only its own person's alarms."""
    async with running() as (hub, call):
        id = await opened(call)
        answer = await call("GET", "/api/v1/phone/alarms", secret=ANNA)
        (frame,) = answer.body["alarms"]
        _at, (sent,) = hub._frames_of("anna")
        known = decode_hub(sent)
        assert isinstance(known, AlarmFrame) and known.id == frame["id"] == id
        assert (frame["type"], frame["rings"], answer.body["at"]) == ("alarm", True, frame["at"])
        hub.shelf.admit("visitor", "phone", "dora", device="d")
        assert (await call("GET", "/api/v1/phone/alarms", secret="visitor")).body["alarms"] == []


async def test_a_receipt_over_http_is_one() -> None:
    """With the device and the way it came by; for what is over or not hers there is nothing to hear."""
    async with running() as (hub, call):
        id = await opened(call)
        path = f"/api/v1/alarms/{id}/receipts"
        body = {"event": "rang", "rev": 1, "via": "apns"}
        assert (await call("POST", path, secret=ANNA, json=body)).body == {"ok": True}
        await call("POST", path, secret=ANNA, json={"event": "seen", "rev": 1.0})
        assert hub.intake.receipts == [
            ("anna", "annas", id, 1, False, "apns"),
            ("anna", "annas", id, 1, True, "webpush"),
        ]
        hub.shelf.admit("visitor", "phone", "dora", device="d")
        assert (await call("POST", path, secret="visitor", json=body)).status == 404
        unknown = path.replace(id, "unknown")
        assert (await call("POST", unknown, secret=ANNA, json=body)).status == 404
        await call.post(ref="r1", event="end")
        assert (await call("POST", path, secret=ANNA, json=body)).status == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"event": "heard", "rev": 1}, "event"),
        ({"event": "rang"}, "rev"),
        ({"event": "rang", "rev": -1}, "rev"),
        ({"event": "rang", "rev": 1, "via": "sms"}, "via"),
    ],
)
async def test_a_receipt_that_says_nothing_usable_is_refused(body: dict[str, Any], field: str) -> None:
    """By the member that is wrong."""
    async with running() as (_hub, call):
        id = await opened(call)
        answer = await call("POST", f"/api/v1/alarms/{id}/receipts", secret=ANNA, json=body)
        assert (answer.status, answer.body["field"]) == (400, field)


async def test_a_phone_on_which_nobody_is_signed_in_is_shown_nothing() -> None:
    """There is no person whose alarms these would be."""
    async with running() as (hub, call):
        hub.shelf.admit("pool", "phone", "", device="pool")
        id = await opened(call)
        shown = await call("GET", "/api/v1/phone/alarms", secret="pool")
        heard = await call(
            "POST", f"/api/v1/alarms/{id}/receipts", secret="pool", json={"event": "rang", "rev": 1}
        )
        for answer in (shown, heard):
            assert (answer.status, answer.body["error"]) == (403, "nobody_signed_in")
