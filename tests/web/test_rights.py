"""The matrix of role x action x unit, over real HTTP: every route for people who sign in has its row.

A row says which roles may use the route, in whose unit, and what a call is that would be in order. Each role
then calls it once for the unit of its grant, once for another unit, and once with a grant for every unit.
Add a row to `ROWS` for each new route with SESSION among its kinds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec import Struct
from webauthn.helpers import bytes_to_base64url

from alarmhub.core.roster import OnDuty
from alarmhub.core.shifts import SignOn
from alarmhub.core.site import Staff
from alarmhub.people import Device, Passkey
from alarmhub.web.routes import ROUTES, SESSION, Route
from tests.support.web import Caller, Hub, Signed, running

ROLES = ("nurse", "shift_leader", "unit_manager", "engineer", "administrator")
EVERYBODY = "nlmea"
"""First letters: nurse, (shift) leader, (unit) manager, engineer, administrator."""
_LETTER = {"nurse": "n", "shift_leader": "l", "unit_manager": "m", "engineer": "e", "administrator": "a"}

HERE, ELSEWHERE = "201", "202"

Ready = Callable[[Hub, Signed, str], Awaitable[tuple[str, Any]]]


class Row(Struct, frozen=True):
    """One route. `may`: letters of the roles that may, in the unit of their grant. `unit`: whether the route
    asks about one unit; else a grant anywhere is enough. `hospital`: only a grant for every unit is enough.
    `ready`: what must stand before, and the path parameter and the body of a call about that unit; it gets
    the hub, who will call, and the unit. `ok`: the status of a call that is permitted."""

    may: str
    unit: bool = True
    hospital: bool = False
    ready: Ready | None = None
    ok: int = 200


async def of_unit(_hub: Hub, _signed: Signed, unit: str) -> tuple[str, Any]:
    """A route about the unit itself: nothing need be there."""
    return unit, None


async def other_account(hub: Hub, _signed: Signed, _unit: str) -> tuple[str, Any]:
    """Somebody else's account."""
    await hub.sign_in("other")
    return "other", None


async def no_account(hub: Hub, signed: Signed, _unit: str) -> tuple[str, Any]:
    """A person without an account."""
    staff = f"new-for-{signed.staff}"
    hub.intake.world_now.site.staff[staff] = Staff(staff, staff)
    return "", {"staff": staff}


async def own_session(hub: Hub, signed: Signed, _unit: str) -> tuple[str, Any]:
    """One of one's own."""
    (found,) = await hub.accounts.sessions(signed.staff, hub.intake.at)
    return found.id, None


async def first_password(_hub: Hub, _signed: Signed, _unit: str) -> tuple[str, Any]:
    """Of somebody who has none yet."""
    return "", {"new": "tre blå kattor i regn"}


async def no_passkey(_hub: Hub, _signed: Signed, _unit: str) -> tuple[str, Any]:
    """What is none; tests/web/test_passkey_door.py has real ones, under a name."""
    return "", {"credential": {}}


async def own_passkey(hub: Hub, signed: Signed, _unit: str) -> tuple[str, Any]:
    """A key of the caller's."""
    key = Passkey(
        id=signed.staff.encode(), staff=signed.staff, public_key=b"p", sign_count=0, label="",
        created_at=hub.intake.at,
    )  # fmt: skip
    await hub.accounts.put_passkey(key)
    return bytes_to_base64url(key.id), None


async def empty(_hub: Hub, _signed: Signed, _unit: str) -> tuple[str, Any]:
    """Nothing need be said."""
    return "", {}


async def listed(_hub: Hub, _signed: Signed, unit: str) -> tuple[str, Any]:
    """Asked for by the query."""
    return f"?unit={unit}", None


async def drawer_phone(hub: Hub, signed: Signed, unit: str) -> tuple[str, Any]:
    """A pool phone of the unit, enrolled by somebody else."""
    id = f"phone-{signed.staff}-{unit}"
    await hub.devices.enrol(
        Device(id=id, digest=id.encode(), label=id, enrolled_by="lena", enrolled_at=1, pool=True, unit=unit)
    )
    return id, {}


async def handed_over(hub: Hub, signed: Signed, unit: str) -> tuple[str, Any]:
    """A pool phone shows its code."""
    id, _ = await drawer_phone(hub, signed, unit)
    code, _ = hub.carrying.codes.issue("handover", id)
    return "", {"code": code}


async def unit_and_no_beds(_hub: Hub, _signed: Signed, unit: str) -> tuple[str, Any]:
    """Me, my unit."""
    return "", {"unit": unit}


async def signed_on(hub: Hub, signed: Signed, unit: str) -> tuple[str, Any]:
    """In that unit."""
    await hub.intake.duty(staff=signed.staff, said=SignOn(unit))
    return "", {}


async def staffed(hub: Hub, _signed: Signed, unit: str) -> tuple[str, Any]:
    """Somebody is on duty in the unit, and no drill is under way there."""
    hub.intake.world_now.roster.by_unit[unit] = (OnDuty("bo", unit, ("ssk",)),)
    await hub.drills.look()
    return unit, {}


ROWS: dict[str, Row] = {
    "postEnrolment": Row(EVERYBODY, unit=False, ready=empty, ok=201),
    "listDevices": Row("lmea", ready=listed),
    "revokeDevice": Row("lmea", ready=drawer_phone),
    "takeHandover": Row(EVERYBODY, unit=False, ready=handed_over),
    "getShift": Row("nlm", ready=listed),
    "putShift": Row("nlm", ready=unit_and_no_beds),
    "postHeard": Row("nlm", unit=False, ready=signed_on, ok=201),
    "endShift": Row("nlm", unit=False, ready=signed_on),
    "listDrills": Row("nlme", ready=of_unit),
    "postDrill": Row("lme", ready=staffed, ok=201),
    "listPhones": Row("lmea", ready=of_unit),
    "getBoard": Row("nlme", ready=of_unit),
    "getBoardEvents": Row("nlme", ready=of_unit),
    "signOut": Row(EVERYBODY, unit=False),
    "getMe": Row(EVERYBODY, unit=False),
    "changePassword": Row(EVERYBODY, unit=False, ready=first_password),
    "newPasskeyOptions": Row(EVERYBODY, unit=False, ok=409),
    "addPasskey": Row(EVERYBODY, unit=False, ready=no_passkey, ok=409),
    "listPasskeys": Row(EVERYBODY, unit=False),
    "dropPasskey": Row(EVERYBODY, unit=False, ready=own_passkey),
    "listMySessions": Row(EVERYBODY, unit=False),
    "revokeSession": Row(EVERYBODY, unit=False, ready=own_session),
    "listAccounts": Row("a", hospital=True),
    "addAccount": Row("a", hospital=True, ready=no_account, ok=201),
    "resetAccount": Row("a", hospital=True, ready=other_account),
    "disableAccount": Row("a", hospital=True, ready=other_account),
    "listAccountSessions": Row("a", hospital=True, ready=other_account),
}

OPEN = [route for route in ROUTES if SESSION in route.kinds]


def test_every_route_for_people_has_its_row_and_no_row_is_too_many() -> None:
    """A new route that people can use is not there before it is said here who may."""
    assert set(ROWS) == {route.name for route in OPEN}


def test_every_route_that_not_everybody_may_use_names_its_action() -> None:
    """So that the door refuses who has no such right anywhere, whatever the handler forgets."""
    silent = [route.name for route in OPEN if not route.action and ROWS[route.name].may != EVERYBODY]
    assert silent == []


async def called(hub: Hub, call: Caller, route: Route, role: str, granted: str, asked: str) -> int:
    """The status `role` of `granted` ("" = every unit) gets when it asks about the unit `asked`."""
    grants = () if role == "nurse" else (f"{role}:{granted}" if granted else role,)
    signed = await hub.sign_in(
        f"{role}-{granted or 'all'}-{asked}", *grants, units=(granted,) * (role == "nurse")
    )
    row = ROWS[route.name]
    parameter, body = ("", None) if row.ready is None else await row.ready(hub, signed, asked)
    path = route.path
    if "{" in path:
        before, _, rest = path.partition("{")
        path = before + parameter + rest.partition("}")[2]
    elif parameter:
        path += parameter
    return (await call(route.method, path, signed=signed, json=body)).status


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("route", OPEN, ids=lambda route: route.name)
async def test_each_role_gets_what_its_row_says(route: Route, role: str) -> None:
    """In its own unit, in another, and with a grant for all."""
    row = ROWS[route.name]
    may = _LETTER[role] in row.may
    async with running() as (hub, call):
        if role != "administrator":
            own = row.ok if may and not row.hospital else 403
            assert await called(hub, call, route, role, HERE, HERE) == own
            other = row.ok if may and not row.unit and not row.hospital else 403
            assert await called(hub, call, route, role, HERE, ELSEWHERE) == other
        if role != "nurse":
            assert await called(hub, call, route, role, "", HERE) == (row.ok if may else 403)


@pytest.mark.parametrize("route", OPEN, ids=lambda route: route.name)
async def test_nobody_gets_in_without_a_session_that_lives(route: Route) -> None:
    """No cookie, a made-up one, one that is over, and a change without the CSRF header."""
    path = route.path.partition("{")[0] + "x" * ("{" in route.path) + route.path.partition("}")[2]
    async with running() as (hub, call):
        over = await hub.sign_in("anna", "engineer", "administrator", expires_at=hub.intake.at)
        revoked = await hub.sign_in("anna", "engineer", "administrator", revoked_at=hub.intake.at)
        alive = await hub.sign_in("anna", "engineer", "administrator")
        made_up = Signed("anna", f"{hub.sessions.cookie}={'A' * 43}", alive.csrf)
        for signed in (over, revoked, made_up):
            assert (await call(route.method, path, signed=signed, json={})).status == 401
        assert (await call(route.method, path, secret=None, json={})).status == 401
        if route.method not in ("GET", "HEAD"):
            forged = {"Cookie": alive.cookie}
            for more in ({}, {"X-Alarmhub-CSRF": "wrong"}, {"X-Alarmhub-CSRF": over.csrf + "x"}):
                answer = await call(route.method, path, secret=None, headers=forged | more, json={})
                assert (answer.status, answer.body["error"]) == (403, "csrf")
