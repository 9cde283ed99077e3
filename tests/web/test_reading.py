"""Reading alarms: who sees which, and pages of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.intake import BED
from tests.support.web import ANNA, BO, OTHER, PLANT, Caller, Hub, running

START: dict[str, Any] = {"event": "start", "place": BED, "kind": "patient_call"}


async def opened(call: Caller, ref: str, secret: str = PLANT, **changes: Any) -> str:
    """The id of a new alarm."""
    answer = await call.post(secret, ref=ref, **START | changes)
    return str(answer.body["alarm"])


def board(hub: Hub) -> str:
    """An api token that may read."""
    return hub.shelf.admit("board", "api", "board", "alarms:read")


async def refs(call: Caller, secret: str, query: str = "") -> list[str]:
    """The refs of the alarms on the first page."""
    answer = await call("GET", f"/api/v1/alarms{query}", secret=secret)
    assert answer.status == 200, answer.raw
    return [alarm["ref"] for alarm in answer.body["alarms"]]


async def test_a_source_sees_its_own_alarms_alone() -> None:
    """In the list, and one by one; others' do not exist for it."""
    async with running() as (hub, call):
        own = await opened(call, "own")
        foreign = await opened(call, "foreign", OTHER)
        assert await refs(call, PLANT) == ["own"]
        assert await refs(call, board(hub)) == ["foreign", "own"]
        assert (await call("GET", f"/api/v1/alarms/{own}")).status == 200
        assert (await call("GET", f"/api/v1/alarms/{foreign}")).status == 404


async def test_a_phone_sees_its_persons_units() -> None:
    """Units of the phone and of the duty; an alarm elsewhere only while its person is told of it."""
    async with running() as (hub, call):
        await opened(call, "201")
        elsewhere = await opened(call, "202", place="nowhere")
        assert await refs(call, ANNA) == ["201"]
        assert await refs(call, BO) == ["202"]
        # The fake tells anna of every alarm.
        assert (await call("GET", f"/api/v1/alarms/{elsewhere}", secret=ANNA)).status == 200
        [at_201] = [alarm.id for alarm in hub.intake.alarms.values() if alarm.unit == "201"]
        assert (await call("GET", f"/api/v1/alarms/{at_201}", secret=BO)).status == 404


async def test_a_person_without_units_sees_nothing() -> None:
    """No unit is none, not all."""
    async with running() as (hub, call):
        await opened(call, "201")
        hub.shelf.admit("gone", "phone", "somebody who left")
        assert await refs(call, "gone") == []


async def test_filters_narrow_and_never_widen() -> None:
    """By phase and by units, several of them; a phone asking for a foreign unit gets 403."""
    async with running() as (hub, call):
        await opened(call, "open")
        await opened(call, "over")
        await call.post(ref="over", event="end")
        await opened(call, "far", place="nowhere")
        reader = board(hub)
        assert await refs(call, reader, "?phase=ended") == ["over"]
        assert await refs(call, reader, "?phase=ringing&unit=201") == ["open"]
        assert await refs(call, reader, "?unit=201&unit=202&phase=ringing") == ["far", "open"]
        assert await refs(call, ANNA, "?unit=201&phase=ringing&colour=red") == ["open"]
        foreign = await call("GET", "/api/v1/alarms?unit=202", secret=ANNA)
        assert (foreign.status, foreign.body["field"]) == (403, "unit")


async def test_pages_follow_each_other_without_gap_or_overlap() -> None:
    """`next` of one page is `after` of the following; the last has none."""
    async with running() as (_, call):
        for number in range(5):
            await opened(call, str(number))
        seen: list[str] = []
        after = ""
        while True:
            body = (await call("GET", f"/api/v1/alarms?limit=2{after}")).body
            seen += [alarm["ref"] for alarm in body["alarms"]]
            if body["next"] is None:
                break
            after = f"&after={body['next']}"
        assert seen == ["4", "3", "2", "1", "0"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("phase=loud", "phase"), ("phase=", "phase"), ("limit=0", "limit"), ("limit=201", "limit"),
        ("limit=ten", "limit"), ("limit=-1", "limit"), ("limit=1e2", "limit"), ("limit=%D9%A3", "limit"),
        ("limit=" + "9" * 500, "limit"), ("after=x", "after"), ("after=%00", "after"), ("unit=", "unit"),
        ("unit=" + "u" * 65, "unit"), ("unit=a%00", "unit"), ("&".join(["unit=a"] * 101), "unit"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(query: str, field: str) -> None:
    """400 with the parameter and what it should be."""
    async with running() as (_, call):
        answer = await call("GET", f"/api/v1/alarms?{query}")
    assert (answer.status, answer.body["field"]) == (400, field)
    assert answer.body["expected"]
