"""Drills and the health of phones over HTTP."""

from __future__ import annotations

from alarmhub.core.handsets import Said
from alarmhub.core.reach import Reach
from alarmhub.ports import NotStored
from tests.support.web import running

DRILLS = "/api/v1/units/201/drills"
PHONES = "/api/v1/units/201/phones"


async def test_a_drill_is_begun_and_its_result_is_read() -> None:
    """Each way to each phone, why it failed in the caller's language, and the counts."""
    async with running() as (hub, call):
        program = hub.shelf.admit("a-program", "api", "p", "drills:read", "drills:write")
        hub.handsets.contact("anna", "a", Reach.NONE, hub.intake.at)
        begun = await call("POST", DRILLS, secret=program, json={})
        assert begun.status == 201
        assert (begun.body["unit"], begun.body["cause"], begun.body["state"]) == ("201", "asked", "running")
        assert (await call("POST", DRILLS, secret=program, json={})).status == 409
        await hub.drills.look()
        listed = await call("GET", DRILLS, secret=program, headers={"Accept-Language": "en"})
        (drill,) = listed.body["drills"]
        assert (drill["id"], drill["state"], drill["red"]) == (begun.body["id"], "failed", 1)
        assert drill["lines"] == [
            {"staff": "anna", "name": "Anna Lind", "device": "a", "label": "", "channel": "socket",
             "outcome": "failed", "why": "no_contact", "text": "the phone has no contact", "after_ms": None}
        ]  # fmt: skip
        swedish = await call("GET", DRILLS + "?limit=1", secret=program)
        assert swedish.body["drills"][0]["lines"][0]["text"] == "telefonen har ingen kontakt"


async def test_what_cannot_be_is_refused_with_what_was_expected() -> None:
    """No such unit, nobody on duty, a body or a limit that is wrong, a database that is away."""
    async with running() as (hub, call):
        program = hub.shelf.admit("a-program", "api", "p", "drills:read", "drills:write")
        assert (await call("POST", "/api/v1/units/999/drills", secret=program, json={})).status == 404
        nobody = await call("POST", "/api/v1/units/202/drills", secret=program, json={})
        assert (nobody.status, nobody.body["expected"]) == (409, "one with somebody on duty")
        wrong = await call("POST", DRILLS, secret=program, json={"heard": "yes"})
        assert (wrong.status, wrong.body["field"]) == (400, "heard")
        for limit in ("0", "101", "x", "-1"):
            refused = await call("GET", f"{DRILLS}?limit={limit}", secret=program)
            assert (refused.status, refused.body["field"]) == (400, "limit")
        hub.intake.refuse = NotStored("database away")
        assert (await call("POST", DRILLS, secret=program, json={})).status == 503


async def test_how_the_phones_on_duty_are() -> None:
    """What each last said of itself, and what is wrong with it; somebody without a phone is shown too."""
    async with running() as (hub, call):
        leader = await hub.sign_in("lo", "shift_leader:201")
        assert (await call("GET", PHONES, signed=leader)).body == {
            "unit": "201",
            "phones": [
                {"staff": "anna", "name": "Anna Lind", "device": "", "label": "", "reach": "none", "app": "",
                 "heard_at": None, "battery": None, "charging": None, "muted": None, "volume": None,
                 "notifications": None, "push": None, "visible": None, "warnings": []}
            ],
        }  # fmt: skip
        hub.handsets.contact("anna", "a", Reach.LIVE, hub.intake.at)
        hub.handsets.hello("anna", "a", "pwa/1")
        hub.handsets.status("anna", "a", Said(battery=4, charging=False, notifications="granted"))
        hub.handsets.look()
        (phone,) = (await call("GET", PHONES, signed=leader)).body["phones"]
        assert (phone["device"], phone["reach"], phone["app"], phone["battery"]) == ("a", "live", "pwa/1", 4)
        assert [w["cause"] for w in phone["warnings"]] == ["battery_critical"]
        assert phone["warnings"][0]["text"] == "telefonens batteri tar slut (4 %)"
