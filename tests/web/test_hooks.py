"""Webhooks over HTTP: 200 only for what is stored, 503 for what may be tried again, 4xx for what may not."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.ports import Hooked
from alarmhub.web.hooks import NoWebhooks
from tests.support.web import ANNA, OTHER, PLANT, Answer, Caller, running

GROUP: dict[str, Any] = {
    "version": "4",
    "alerts": [{"status": "firing", "labels": {"alertname": "Down"}, "fingerprint": "f1"}],
}


async def notify(call: Caller, secret: str = PLANT, query: str = "", **more: Any) -> Answer:
    """Post a group."""
    return await call("POST", "/api/v1/alertmanager" + query, secret=secret, **({"json": GROUP} | more))


async def test_a_group_that_is_stored_is_answered_200() -> None:
    """For the source whose secret it came with."""
    async with running() as (hub, call):
        answer = await notify(call)
        assert (answer.status, answer.body) == (200, {"alerts": 1})
        ((source, said),) = hub.hooks.taken
    assert (source, said.alerts[0].key) == ("plant", "f1")


@pytest.mark.parametrize(
    ("hooked", "status", "error"),
    [(Hooked("busy", why="full", retry_after_s=7), 503, "not_stored"), (Hooked("invalid"), 422, "invalid")],
)
async def test_what_was_not_stored_is_said(hooked: Hooked, status: int, error: str) -> None:
    """Alertmanager repeats after a 503 and gives up after a 422."""
    async with running() as (hub, call):
        hub.hooks.answer = hooked
        answer = await notify(call)
    assert (answer.status, answer.body["error"]) == (status, error)
    assert answer.body["retry"] == (status == 503)
    assert answer.headers.get("Retry-After") == ("7" if status == 503 else None)


@pytest.mark.parametrize(
    ("body", "field"),
    [(b"{}", "alerts"), (b'{"alerts":[],"truncatedAlerts":"x"}', "truncatedAlerts"), (b"{", None)],
)
async def test_what_is_no_notification_is_400_and_names_the_member(body: bytes, field: str | None) -> None:
    """Nothing a repeat would mend."""
    async with running() as (_, call):
        answer = await notify(call, json=None, data=body, headers={"Content-Type": "application/json"})
    assert (answer.status, answer.body.get("field")) == (400, field)


async def test_a_source_without_the_section_is_told_so() -> None:
    """Its secret is good, and nobody would map its alerts."""
    async with running() as (hub, call):
        answer = await notify(call, OTHER)
        assert hub.hooks.taken == []
    assert (answer.status, answer.body["field"]) == (403, "source")


async def test_an_api_token_names_the_source() -> None:
    """One that exists and is served; a source names none but itself."""
    async with running() as (hub, call):
        token = hub.shelf.admit("robot", "api", "robot", "signals:write")
        assert (await notify(call, token, "?source=plant")).status == 200
        assert (await notify(call, token, "?source=other")).status == 403
        assert (await notify(call, token, "?source=nobody")).status == 400
        assert (await notify(call, token)).status == 400
        assert (await notify(call, PLANT, "?source=plant")).status == 200
        assert (await notify(call, PLANT, "?source=other")).status == 403
        assert (await notify(call, ANNA)).status == 403


async def test_a_body_that_is_refused_is_told_to_the_source_s_line() -> None:
    """Alertmanager drops it after a 413: somebody must know that alerts are missing."""
    async with running(body_limit=1024) as (hub, call):
        answer = await notify(call, json=GROUP | {"receiver": "x" * 2000})
        assert answer.status == 413
        assert hub.hooks.refused == [("plant", "too_large")]


async def test_an_api_without_webhooks_serves_nobody() -> None:
    """As in a hub without such a section."""
    none = NoWebhooks()
    assert not none.serves("plant")
    assert (await none.alertmanager("plant", b"{}")).answer == "busy"
    none.turned_away("plant", "slow", "too late")
