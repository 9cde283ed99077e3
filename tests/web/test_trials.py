"""Trials over HTTP: what may be asked, and how a refusal reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.intake import BED
from tests.support.web import running

PATH = "/api/v1/trials"


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("", {"by": "anna", "minutes": 5, "source": "nobody"}, 409, "source"),
        ("", {"by": "anna", "minutes": 5}, 409, "source"),
        ("", {"by": "nobody", "minutes": 5, "source": "plant"}, 409, "by"),
        ("", {"by": "anna", "minutes": 0, "source": "plant"}, 400, "minutes"),
        ("", {"by": "anna", "minutes": 120.1, "source": "plant"}, 400, "minutes"),
        ("", {"minutes": 5, "source": "plant"}, 400, "by"),
        ("/end", {"id": "none"}, 409, "id"),
        ("/maintenance/end", {"source": "plant"}, 409, "source"),
        ("/walk/tick", {"source": "plant", "place": BED}, 409, "source"),
    ],
)
async def test_what_cannot_be_names_the_member(
    path: str, body: dict[str, Any], status: int, field: str
) -> None:
    """By its shape 400, by the state of things 409; nothing has begun."""
    async with running() as (hub, call):
        secret = hub.shelf.admit("ops", "api", "ops", "trials:write")
        answer = await call("POST", PATH + path, secret=secret, json=body)
        assert (answer.status, answer.body["field"]) == (status, field)
        assert (await call("GET", PATH, secret=secret)).body == {"tests": [], "maintenance": [], "walks": []}


async def test_a_window_ahead_of_its_time() -> None:
    """Listed with when it begins; an instant long gone is refused."""
    async with running() as (hub, call):
        secret = hub.shelf.admit("ops", "api", "ops", "trials:write")
        body = {"by": "anna", "minutes": 30, "source": "plant", "from": "2000-01-01T00:00:00Z"}
        refused = await call("POST", PATH + "/maintenance", secret=secret, json=body)
        assert (refused.status, refused.body["field"]) == (409, "from")
        made = await call("POST", PATH + "/maintenance", secret=secret, json=body | {"from": None})
        assert made.status == 201
        listed = (await call("GET", PATH, secret=secret)).body["maintenance"]
        assert listed == [made.body]
