"""Shift start and end over HTTP: units, beds, the test ring, and going home."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Phase, Told
from alarmhub.core.events import SignalEvent
from alarmhub.core.shifts import Heard, SignOff, SignOn
from alarmhub.ports import AnswerOutcome
from tests.support.intake import BED
from tests.support.web import Caller, Hub, Signed, running

SHIFT, HEARD, OFF = "/api/v1/shift", "/api/v1/shift/heard", "/api/v1/shift/off"


async def nurse(hub: Hub, *grants: str) -> Signed:
    """Anna of ward 201."""
    return await hub.sign_in("anna", *grants, units=("201",))


async def begun(hub: Hub, call: Caller) -> Signed:
    """Anna has signed on with her bed."""
    anna = await nurse(hub)
    assert (await call("PUT", SHIFT, signed=anna, json={"unit": "201", "beds": [BED]})).status == 200
    return anna


async def test_shift_start_shows_me_my_units_and_which_beds_have_nobody() -> None:
    """Before anything was said there is no shift: the schedule counts."""
    async with running() as (hub, call):
        body = (await call("GET", SHIFT, signed=await nurse(hub))).body
        assert body["me"] == {"staff": "anna", "name": "Anna Lind"} and body["shift"] is None
        assert body["units"] == [{"id": "201", "name": "Avd 201"}] and body["unit"] == "201"
        assert body["beds"] == [{"place": BED, "label": "sal 12 plats 2", "team": [], "mine": False}]
        assert body["accepted"] == []


async def test_a_bed_with_a_team_shows_its_names_and_which_is_mine() -> None:
    """As the roster has it now."""
    async with running() as (hub, call):
        world = hub.intake.world_now
        hub.intake.world_now = replace(world, roster=replace(world.roster, by_bed={BED: ("anna", "bo")}))
        (bed,) = (await call("GET", f"{SHIFT}?unit=201", signed=await nurse(hub))).body["beds"]
        assert [one["name"] for one in bed["team"]] == ["Anna Lind", "Bo Ek"] and bed["mine"]


async def test_signing_on_is_answered_with_the_shift_as_it_is_then() -> None:
    """Unit, beds, when it ends by itself; the phone is not proved yet."""
    async with running() as (hub, call):
        anna = await nurse(hub)
        answer = await call("PUT", SHIFT, signed=anna, json={"unit": "201", "beds": [BED]})
        assert answer.status == 200, answer.body
        shift = answer.body["shift"]
        assert (shift["unit"], shift["beds"], shift["heard_at"]) == ("201", [BED], None)
        assert shift["until"] > shift["since"]
        assert hub.intake.words == [("anna", SignOn("201", (BED,)))]


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"unit": "999"}, 409, "unit"),
        ({"unit": "201", "beds": ["fjall/201/none"]}, 409, "beds"),
        ({"unit": "201", "roles": ["surgeon"]}, 409, "roles"),
        ({"beds": []}, 400, "unit"),
        ({"unit": "202"}, 403, None),
    ],
)
async def test_what_cannot_be_signed_on_with_is_named(body: Any, status: int, field: str | None) -> None:
    """And nothing reaches the engine."""
    async with running() as (hub, call):
        answer = await call("PUT", SHIFT, signed=await nurse(hub), json=body)
        assert (answer.status, answer.body.get("field")) == (status, field)
        assert hub.intake.words == []


async def test_a_shift_leader_signs_a_colleague_on_and_off_in_her_unit_only() -> None:
    """Lent from another ward; a nurse does that for nobody."""
    async with running() as (hub, call):
        leader = await hub.sign_in("lena", "shift_leader:201", units=())
        anna = await nurse(hub)
        body = {"unit": "201", "staff": "bo"}
        assert (await call("PUT", SHIFT, signed=anna, json=body)).status == 403
        assert (await call("PUT", SHIFT, signed=leader, json=body | {"unit": "202"})).status == 403
        assert (await call("PUT", SHIFT, signed=leader, json=body)).status == 200
        assert hub.intake.words == [("bo", SignOn("201"))]
        # Anna is on duty in 201 by the schedule, Bo nowhere: only a right everywhere would do for him.
        assert (await call("POST", OFF, signed=leader, json={"staff": "anna"})).status == 200
        assert (await call("POST", OFF, signed=leader, json={"staff": "bo"})).status == 403


async def test_nobody_is_taken_from_a_ward_without_a_right_there() -> None:
    """A leader of 202 signs nobody of 201 on, nor off, whom 201 would lose; a leader of both wards does."""
    async with running() as (hub, call):
        site = hub.intake.world_now.site
        site.units["202"] = replace(site.units["201"], id="202")
        other = await hub.sign_in("lena", "shift_leader:202", units=())
        both = await hub.sign_in("eva", "shift_leader:201", "shift_leader:202", units=())
        taken = {"unit": "202", "staff": "anna"}
        assert (await call("PUT", SHIFT, signed=other, json=taken)).status == 403
        world = hub.intake.world_now
        (here,) = world.roster.by_staff["anna"]
        twice = {"anna": (replace(here, unit="202"), here)}
        hub.intake.world_now = replace(world, roster=replace(world.roster, by_staff=twice))
        assert (await call("POST", OFF, signed=other, json={"staff": "anna"})).status == 403
        assert hub.intake.words == []
        assert (await call("PUT", SHIFT, signed=both, json=taken)).status == 200
        assert (await call("POST", OFF, signed=both, json={"staff": "anna"})).status == 200


async def test_one_goes_home_by_ones_own_name_too() -> None:
    """Saying who I am changes nothing, nor that I am on duty nowhere."""
    async with running() as (hub, call):
        bo = await hub.sign_in("bo", units=("201",))
        assert (await call("POST", OFF, signed=bo, json={"staff": "bo"})).status == 200


# -- the test ring


async def test_the_phone_rings_as_a_heard_drill_for_me_alone() -> None:
    """The whole way an alarm goes; a second one ends the first."""
    async with running() as (hub, call):
        anna = await begun(hub, call)
        first = await call("POST", HEARD, signed=anna, json={})
        assert first.status == 201 and first.body["heard"] is False
        (signal,) = hub.intake.taken
        assert (signal.kind, signal.heard, signal.targets) == ("drill", True, ("staff:anna",))
        hub.intake.at += 1
        await call("POST", HEARD, signed=anna, json={})
        assert [s.event for s in hub.intake.taken] == [SignalEvent.ONCE, SignalEvent.END, SignalEvent.ONCE]
        assert hub.intake.taken[1].key == signal.key


def told(hub: Hub, alarm: str, *, rang: bool) -> None:
    """As the engine has it: the drill is shown to Anna, whose phone has rung or not."""
    known = hub.intake.alarms[alarm]
    entry = Told("anna", 1, 1, "staff:anna", rang_at=2 if rang else None)
    hub.intake.alarms[alarm] = replace(known, told=(entry,))


async def test_i_heard_it_counts_once_a_phone_of_mine_has_rung() -> None:
    """Not on my word alone: 409 before the receipt. Then it is kept with the shift, and the drill is over."""
    async with running() as (hub, call):
        anna = await begun(hub, call)
        alarm = (await call("POST", HEARD, signed=anna, json={})).body["alarm"]
        told(hub, alarm, rang=False)
        early = await call("POST", HEARD, signed=anna, json={"alarm": alarm})
        assert (early.status, early.body["error"], early.body["retry"]) == (409, "not_rang", True)
        told(hub, alarm, rang=True)
        proved = await call("POST", HEARD, signed=anna, json={"alarm": alarm})
        assert proved.status == 200 and proved.body["heard"] and proved.body["heard_at"]
        assert hub.intake.words[-1] == ("anna", Heard())
        assert not hub.intake.alarms[alarm].open
        assert (await call("GET", SHIFT, signed=anna)).body["shift"]["heard_at"] is not None
        assert (await call("POST", HEARD, signed=anna, json={"alarm": alarm})).status == 404


async def test_a_real_alarm_proves_no_phone() -> None:
    """Nor does somebody else's test ring."""
    async with running() as (hub, call):
        anna = await begun(hub, call)
        real = (await call.post(ref="r", event="start", place=BED, kind="patient_call")).body["alarm"]
        told(hub, real, rang=True)
        assert (await call("POST", HEARD, signed=anna, json={"alarm": real})).status == 404
        bo = await hub.sign_in("bo", units=("202",))
        await call("PUT", SHIFT, signed=bo, json={"unit": "202"})
        theirs = (await call("POST", HEARD, signed=bo, json={})).body["alarm"]
        assert (await call("POST", HEARD, signed=anna, json={"alarm": theirs})).status == 404


async def test_before_signing_on_there_is_nothing_to_prove() -> None:
    """409 with its name."""
    async with running() as (hub, call):
        answer = await call("POST", HEARD, signed=await nurse(hub), json={})
        assert (answer.status, answer.body["error"]) == (409, "not_signed_on")
        assert hub.intake.taken == []


# -- going home


async def test_signing_off_with_an_alarm_in_hand_asks_for_a_receiver() -> None:
    """Which, where, and who could; with one named it goes through."""
    async with running() as (hub, call):
        anna = await begun(hub, call)
        alarm = (await call.post(ref="r", event="start", place=BED, kind="patient_call")).body["alarm"]
        taken = (Acceptance("anna", 1),)
        hub.intake.alarms[alarm] = replace(hub.intake.alarms[alarm], phase=Phase.ACCEPTED, acceptances=taken)
        shown = (await call("GET", SHIFT, signed=anna)).body["accepted"]
        assert shown == [{"alarm": alarm, "place_label": "sal 12 plats 2", "type_label": "patientkallelse"}]
        hub.intake.duty_outcome = AnswerOutcome(False, "receiver_needed", candidates=("bo",), alarms=(alarm,))
        refused = await call("POST", OFF, signed=anna, json={})
        assert (refused.status, refused.body["error"]) == (409, "receiver_needed")
        assert refused.body["alarms"] == shown
        assert refused.body["candidates"] == [{"staff": "bo", "name": "Bo Ek"}]
        assert refused.body["detail"].startswith("Du har larm i handen")
        hub.intake.duty_outcome = None
        done = await call("POST", OFF, signed=anna, json={"receivers": {alarm: "bo"}})
        assert done.status == 200 and done.body["ok"]
        assert hub.intake.words[-1] == ("anna", SignOff({alarm: "bo"}))
        assert (await call("GET", SHIFT, signed=anna)).body["shift"] is None


async def test_what_cannot_be_stored_is_not_a_shift() -> None:
    """503 with when to try again."""
    from alarmhub.ports import NotStored

    async with running() as (hub, call):
        anna = await nurse(hub)
        hub.intake.refuse = NotStored("database away")
        answer = await call("PUT", SHIFT, signed=anna, json={"unit": "201"})
        assert answer.status == 503 and answer.headers["Retry-After"]
