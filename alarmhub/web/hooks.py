"""Webhooks of other systems over HTTP: what their notifications are answered.

Alertmanager repeats a notification that got 5xx and drops one that got 4xx. So 200 only when everything in it
is committed, 503 while anything of it is not, and 4xx only for what no repeat would mend. It refuses to read
notifications: `ports.Webhooks` does.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import web

from alarmhub.ports import Hooked, Webhooks
from alarmhub.web import wire
from alarmhub.web.auth import forbidden
from alarmhub.web.problems import Failed, invalid, later, malformed
from alarmhub.web.server import WebSettings, read_body, reply

RETRY_AFTER_S: Final = 2

_encode = msgspec.json.Encoder().encode


class NoWebhooks:
    """For an API without them."""

    def serves(self, source: str) -> bool:
        """Nobody is served."""
        return False

    async def alertmanager(self, source: str, body: bytes) -> Hooked:
        """Never asked, for nobody is served."""
        return Hooked("busy", why="no webhooks")

    def turned_away(self, source: str, reason: str, detail: str) -> None:
        """Never told, for nobody is served."""


async def alertmanager(
    request: web.BaseRequest, settings: WebSettings, hooks: Webhooks, source: str
) -> web.StreamResponse:
    """POST /api/v1/alertmanager for a source that may speak. Raises Failed."""
    if not hooks.serves(source):
        raise forbidden("the hub's settings have no [[alertmanager]] for this source", field="source")
    try:
        body = await read_body(request, settings)
    except Failed as failed:
        hooks.turned_away(source, failed.args[0], failed.problem.detail)
        raise
    hooked = await hooks.alertmanager(source, body)
    match hooked.answer:
        case "stored":
            return reply(_encode(wire.HookOut(alerts=hooked.alerts)))
        case "malformed":
            raise invalid(hooked.member, hooked.expected) if hooked.member else malformed(hooked.expected)
        case "invalid":
            raise Failed(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid",
                "an alert of this group can never be stored; the others are",
                error="invalid",
                retry=False,
            )
        case _:
            raise later(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "not_stored",
                "not all alerts of this group can be stored now",
                hooked.retry_after_s or RETRY_AFTER_S,
                error="not_stored",
            )
