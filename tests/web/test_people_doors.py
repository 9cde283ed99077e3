"""The doors for people who sign in, as they are made together."""

from __future__ import annotations

from alarmhub.web.routes import ROUTES
from alarmhub.web.sign_in_settings import SignIn
from tests.support.web import running

PREFIXES = ("/api/v1/session", "/api/v1/me", "/api/v1/accounts")


async def test_every_operation_for_signing_in_is_answered() -> None:
    """No route of these is there without somebody behind it."""
    wanted = {route.name for route in ROUTES if route.path.startswith(PREFIXES)}
    async with running() as (hub, _call):
        assert wanted <= set(hub.api._serve)


async def test_where_only_the_hospital_signs_people_in_passwords_open_nothing() -> None:
    """And it is said."""
    async with running(sign_in=SignIn(local=False)) as (_hub, call):
        body = {"login": "anna", "password": "tre blå kattor i regn"}
        answer = await call("POST", "/api/v1/session", secret=None, json=body)

    assert (answer.status, answer.body["error"]) == (403, "not_local")
