"""Phones over HTTP: codes, QR codes, hand-overs, lost ones, and who may."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Phase
from alarmhub.core.shifts import HandOff
from alarmhub.engine.invitations import GUESSES, LASTS_MS
from alarmhub.ports import AnswerOutcome
from tests.support.intake import BED
from tests.support.web import ANNA, BO, Answer, Caller, Hub, Signed, running

ENROLMENTS, DEVICES, BIND = "/api/v1/enrolments", "/api/v1/devices", "/api/v1/device/bind"


async def invited(call: Caller, who: Signed, **body: Any) -> Any:
    """A code for a phone."""
    answer = await call("POST", ENROLMENTS, signed=who, json=body)
    assert answer.status == 201, answer.body
    return answer.body


async def enrolled(call: Caller, code: str, **more: Any) -> Answer:
    """A phone that was given this code."""
    return await call("POST", DEVICES, secret=None, json={"code": code, **more})


async def test_a_person_enrols_a_phone_by_a_code_it_scans() -> None:
    """The code stands in the URL's fragment, the picture is a QR code, and the secret is told once."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna")
        made = await invited(call, anna, label="Annas")
        url = urlsplit(made["url"])
        assert (url.path, url.fragment, url.query) == ("/phone", f"enrol={made['code']}", "")
        assert url.netloc == urlsplit(hub.url).netloc
        picture = ElementTree.fromstring(made["qr"])
        assert picture.tag == "{http://www.w3.org/2000/svg}svg" and picture.get("viewBox")
        answer = await enrolled(call, made["code"], platform="Android", label="Linux 360x740")
        assert (answer.status, answer.body["staff"], answer.body["pool"]) == (201, "anna", False)
        listed = await call("GET", DEVICES, signed=anna)
        mine = {d["device"]: d for d in listed.body["devices"]}
        assert mine[answer.body["device"]]["label"] == "Annas" and "secret" not in str(listed.body)
        again = await enrolled(call, made["code"])
        assert (again.status, again.body["error"]) == (404, "code_over")


async def test_behind_tls_the_code_leads_to_a_secure_page() -> None:
    """As the hub is told that browsers reach it."""
    from alarmhub.web.sessions import SessionSettings

    async with running(session=SessionSettings(secure=True)) as (hub, call):
        made = await invited(call, await hub.sign_in("anna"))
        assert made["url"].startswith("https://")


async def test_a_code_is_over_after_two_minutes_and_not_before() -> None:
    """By the hub's clock."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna")
        first, second = await invited(call, anna), await invited(call, anna)
        hub.intake.at += LASTS_MS - 1
        assert (await enrolled(call, first["code"])).status == 201
        hub.intake.at += 1
        assert (await enrolled(call, second["code"])).status == 404


async def test_who_guesses_codes_is_slowed_down() -> None:
    """429 with when to try again; a person of the ward is not asked to wait for ever."""
    async with running() as (hub, call):
        made = await invited(call, await hub.sign_in("anna"))
        for _ in range(GUESSES.most):
            assert (await enrolled(call, "wrong")).status == 404
        slowed = await enrolled(call, made["code"])
        assert slowed.status == 429 and int(slowed.headers["Retry-After"]) <= GUESSES.forget_ms / 1000
        hub.intake.at += GUESSES.forget_ms
        assert (await enrolled(call, made["code"])).status == 201


@pytest.mark.parametrize(
    ("grants", "unit", "status"),
    [
        (("shift_leader:201",), "201", 201),
        (("shift_leader:201",), "202", 403),
        ((), "201", 403),
        (("shift_leader:201",), None, 409),
        (("shift_leader:201",), "999", 409),
    ],
)
async def test_a_units_pool_phone_is_enrolled_by_who_may_there(
    grants: tuple[str, ...], unit: str | None, status: int
) -> None:
    """A nurse enrols her own phone, not the ward's."""
    async with running() as (hub, call):
        anna = await hub.sign_in("anna", *grants, units=("201",))
        body = {"pool": True} | ({"unit": unit} if unit else {})
        answer = await call("POST", ENROLMENTS, signed=anna, json=body)
        assert answer.status == status, answer.body
        if status == 201:
            phone = await enrolled(call, answer.body["code"])
            assert (phone.body["staff"], phone.body["pool"]) == ("", True)


async def offered(call: Caller, secret: str = ANNA) -> Any:
    """The code a pool phone shows."""
    answer = await call("POST", "/api/v1/device/handover", secret=secret, json={})
    assert answer.status == 201, answer.body
    return answer.body


async def test_a_pool_phone_is_handed_over_by_scanning_it() -> None:
    """Bo opens what Anna's phone shows: it is his, and its secret too."""
    async with running() as (hub, call):
        bo = await hub.sign_in("bo", units=("202",))
        code = (await offered(call))["code"]
        answer = await call("POST", "/api/v1/handovers", signed=bo, json={"code": code})
        assert (answer.status, answer.body["staff"], answer.body["name"]) == (200, "bo", "Bo Ek")
        assert hub.tables.devices["annas"].staff == "bo"
        assert hub.intake.words == [("anna", HandOff({}))]
        assert (await call("POST", "/api/v1/handovers", signed=bo, json={"code": code})).status == 404


def in_hand(hub: Hub) -> str:
    """Anna has taken a call."""
    alarm = next(iter(hub.intake.alarms.values()))
    taken = replace(alarm, phase=Phase.ACCEPTED, acceptances=(Acceptance("anna", 1),))
    hub.intake.alarms[alarm.id] = taken
    hub.intake.duty_outcome = AnswerOutcome(False, "receiver_needed", candidates=("bo",), alarms=(alarm.id,))
    return alarm.id


@pytest.mark.parametrize("way", ["handover", "bind", "unbind"])
async def test_nobodys_phone_changes_hands_with_an_alarm_that_has_no_receiver(way: str) -> None:
    """409 says whose it is, which, and who could take it; with receivers it goes through."""
    async with running() as (hub, call):
        await call.post(ref="r", event="start", place=BED, kind="patient_call")
        bo = await hub.sign_in("bo", units=("202",))
        path, body, sent = {
            "handover": ("/api/v1/handovers", {"code": (await offered(call))["code"]}, {"signed": bo}),
            "bind": (BIND, {}, {"secret": ANNA, "headers": bo.headers}),
            "unbind": ("/api/v1/device/unbind", {}, {"secret": ANNA}),
        }[way]
        alarm = in_hand(hub)
        refused = await call("POST", path, json=body, **sent)
        assert (refused.status, refused.body["error"]) == (409, "receiver_needed")
        assert refused.body["holder"] == {"staff": "anna", "name": "Anna Lind"}
        assert refused.body["alarms"] == [
            {"alarm": alarm, "place_label": "sal 12 plats 2", "type_label": "patientkallelse"}
        ]
        assert refused.body["candidates"] == [{"staff": "bo", "name": "Bo Ek"}]
        assert hub.tables.devices["annas"].staff == "anna"
        hub.intake.duty_outcome = None
        done = await call("POST", path, json=body | {"receivers": {alarm: "bo"}}, **sent)
        assert done.status == 200, done.body
        assert hub.intake.words == [("anna", HandOff({alarm: "bo"}))]
        assert hub.tables.devices["annas"].staff == ("" if way == "unbind" else "bo")


async def test_signing_in_on_a_phone_needs_both_its_secret_and_a_living_session() -> None:
    """Without the CSRF value, or with a session that is over, it stays whose it was."""
    async with running() as (hub, call):
        bo = await hub.sign_in("bo", units=("202",))
        over = await hub.sign_in("bo", units=("202",), expires_at=hub.intake.at)
        for headers, status in (({}, 401), (over.headers, 401), ({"Cookie": bo.cookie}, 403)):
            assert (await call("POST", BIND, secret=ANNA, headers=headers, json={})).status == status
        assert hub.tables.devices["annas"].staff == "anna"
        assert (await call("POST", BIND, secret=ANNA, headers=bo.headers, json={})).status == 200
        assert hub.tables.devices["annas"].staff == "bo"


async def test_a_phone_with_a_secret_given_by_hand_is_no_enrolled_phone() -> None:
    """It works as before, and is told to enrol first."""
    async with running() as (hub, call):
        bo = await hub.sign_in("bo", units=("202",))
        for path in (BIND, "/api/v1/device/unbind", "/api/v1/device/handover"):
            answer = await call("POST", path, secret=BO, headers=bo.headers, json={})
            assert (answer.status, answer.body["error"]) == (409, "not_enrolled")
        assert (await call("GET", "/api/v1/alarms", secret=BO)).status == 200


async def test_on_a_phone_nobody_carries_only_signing_in_is_possible() -> None:
    """It reads no alarms and answers none."""
    async with running() as (hub, call):
        hub.shelf.admit(ANNA, "phone", "", device="annas")
        for method, path in (("GET", "/api/v1/alarms"), ("GET", "/api/v1/phone/alarms")):
            answer = await call(method, path, secret=ANNA)
            assert (answer.status, answer.body["error"]) == (403, "nobody_signed_in")
        bo = await hub.sign_in("bo", units=("202",))
        assert (await call("POST", BIND, secret=ANNA, headers=bo.headers, json={})).status == 200


async def test_ones_own_phone_is_handed_over_by_nobody_by_scanning() -> None:
    """That is for the drawer's."""
    async with running() as (hub, call):
        hub.tables.devices["annas"] = replace(hub.tables.devices["annas"], pool=False, unit="")
        answer = await call("POST", "/api/v1/device/handover", secret=ANNA, json={})
        assert (answer.status, answer.body["error"]) == (409, "not_pool")


@pytest.mark.parametrize(
    ("who", "grants", "units", "status"),
    [
        ("anna", (), ("201",), 200),  # her own, one tap
        ("cia", (), ("201",), 403),
        ("cia", ("shift_leader:201",), (), 200),
        ("cia", ("shift_leader:202",), (), 403),
        ("cia", ("administrator",), (), 200),
    ],
)
async def test_a_lost_phone_is_revoked_by_its_carrier_or_by_who_may(
    who: str, grants: tuple[str, ...], units: tuple[str, ...], status: int
) -> None:
    """At once, whatever is in hand; a second time there is none."""
    async with running() as (hub, call):
        signed = await hub.sign_in(who, *grants, units=units)
        told: list[Any] = []
        hub.carrying.carried.append(lambda device, staff: told.append((device.id, staff)))
        answer = await call("POST", f"{DEVICES}/annas/revoke", signed=signed)
        assert answer.status == status
        assert told == ([("annas", None)] if status == 200 else [])
        again = await call("POST", f"{DEVICES}/annas/revoke", signed=signed)
        assert again.status == (404 if status == 200 else 403)
        assert (await call("POST", f"{DEVICES}/none/revoke", signed=signed)).status == 404


async def test_a_units_phones_are_those_of_its_drawer_and_of_its_people() -> None:
    """With who carries them and how they can be reached; revoked ones are gone."""
    async with running() as (hub, call):
        leader = await hub.sign_in("lena", "shift_leader:201", "shift_leader:202", units=())
        for unit, expected in (("201", ["annas"]), ("202", [])):
            answer = await call("GET", f"{DEVICES}?unit={unit}", signed=leader)
            assert [d["device"] for d in answer.body["devices"]] == expected
        assert (await call("GET", DEVICES, signed=leader)).body["devices"] == []


@pytest.mark.parametrize("body", [{"code": ""}, {}, {"code": "x", "label": "a\x00b"}, {"code": "x" * 65}])
async def test_a_body_that_is_wrong_is_told_which_member(body: dict[str, Any]) -> None:
    """Before any code is looked at."""
    async with running() as (_, call):
        answer = await call("POST", DEVICES, secret=None, json=body)
        assert answer.status == 400 and answer.body["field"] in ("code", "label")
