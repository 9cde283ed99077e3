"""What exists, and the matrix of who may use it, tried over real HTTP."""

from __future__ import annotations

import re
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.trials import Pressed
from alarmhub.web.routes import API, ROUTES, SCOPES, Route, allowed_methods, at
from tests.support.intake import BED
from tests.support.web import Caller, Hub, running

NOBODY = "nobody"
SOURCE = "source"
PHONE = "phone"
ALL_SCOPES = "api with every scope"
OWN_SCOPE = "api with the route's scope"
OTHER_SCOPES = "api with every other scope"
WRONG = "a wrong secret"
CALLERS = (NOBODY, WRONG, SOURCE, PHONE, OTHER_SCOPES, OWN_SCOPE, ALL_SCOPES)

# What each caller gets, in the order of CALLERS. A route without a row fails the test.
MATRIX: dict[str, tuple[int, ...]] = {
    #              nobody wrong source phone others own all
    "postSignal": (401, 401, 201, 403, 403, 201, 201),
    "postAlertmanager": (401, 401, 200, 403, 403, 200, 200),
    "listAlarms": (401, 401, 200, 200, 403, 200, 200),
    "getAlarm": (401, 401, 200, 200, 403, 200, 200),
    "postAnswer": (401, 401, 403, 200, 403, 200, 200),
    "signIn": (401, 401, 401, 401, 401, 401, 401),
    "signOut": (401, 401, 403, 403, 403, 403, 403),
    "getMe": (401, 401, 403, 403, 403, 403, 403),
    "postReceipt": (401, 401, 403, 200, 403, 403, 403),
    "listPhoneAlarms": (401, 401, 403, 200, 403, 403, 403),
    "putPushTarget": (401, 401, 403, 200, 403, 403, 403),
    "deletePushTarget": (401, 401, 403, 200, 403, 403, 403),
    "changePassword": (401, 401, 403, 403, 403, 403, 403),
    "getWaysIn": (200, 200, 200, 200, 200, 200, 200),
    "getSignInPage": (200, 200, 200, 200, 200, 200, 200),
    "getAccountPage": (200, 200, 200, 200, 200, 200, 200),
    "startOidc": (404, 404, 404, 404, 404, 404, 404),  # the test's hub has no hospital's sign-in
    "returnOidc": (404, 404, 404, 404, 404, 404, 404),
    "passkeyOptions": (409, 409, 409, 409, 409, 409, 409),  # the test's hub has an address, no name
    "signInPasskey": (401, 401, 401, 401, 401, 401, 401),
    "newPasskeyOptions": (401, 401, 403, 403, 403, 403, 403),
    "addPasskey": (401, 401, 403, 403, 403, 403, 403),
    "listPasskeys": (401, 401, 403, 403, 403, 403, 403),
    "dropPasskey": (401, 401, 403, 403, 403, 403, 403),
    "listMySessions": (401, 401, 403, 403, 403, 403, 403),
    "revokeSession": (401, 401, 403, 403, 403, 403, 403),
    "listAccounts": (401, 401, 403, 403, 403, 403, 403),
    "addAccount": (401, 401, 403, 403, 403, 403, 403),
    "resetAccount": (401, 401, 403, 403, 403, 403, 403),
    "disableAccount": (401, 401, 403, 403, 403, 403, 403),
    "listAccountSessions": (401, 401, 403, 403, 403, 403, 403),
    "postEnrolment": (401, 401, 403, 403, 403, 403, 403),
    "enrolDevice": (404, 404, 404, 404, 404, 404, 404),
    "listDevices": (401, 401, 403, 403, 403, 403, 403),
    "revokeDevice": (401, 401, 403, 403, 403, 403, 403),
    "offerHandover": (401, 401, 403, 201, 403, 403, 403),
    "takeHandover": (401, 401, 403, 403, 403, 403, 403),
    "bindDevice": (401, 401, 403, 401, 403, 403, 403),
    "unbindDevice": (401, 401, 403, 200, 403, 403, 403),
    "getShift": (401, 401, 403, 403, 403, 403, 403),
    "putShift": (401, 401, 403, 403, 403, 403, 403),
    "postHeard": (401, 401, 403, 403, 403, 403, 403),
    "endShift": (401, 401, 403, 403, 403, 403, 403),
    "getOpenapi": (200, 200, 200, 200, 200, 200, 200),
    "getHealth": (200, 200, 200, 200, 200, 200, 200),
    "getReady": (200, 200, 200, 200, 200, 200, 200),
    "listSources": (401, 401, 403, 403, 403, 200, 200),
    "listTrials": (401, 401, 403, 403, 403, 200, 200),
    "postTest": (401, 401, 403, 403, 403, 201, 201),
    "endTest": (401, 401, 403, 403, 403, 200, 200),
    "postMaintenance": (401, 401, 403, 403, 403, 201, 201),
    "endMaintenance": (401, 401, 403, 403, 403, 200, 200),
    "postWalk": (401, 401, 403, 403, 403, 201, 201),
    "tickPoint": (401, 401, 403, 403, 403, 200, 200),
    "endWalk": (401, 401, 403, 403, 403, 200, 200),
    "getBoard": (401, 401, 403, 403, 403, 200, 200),
    "getBoardEvents": (401, 401, 403, 403, 403, 200, 200),
    "listDrills": (401, 401, 403, 403, 403, 200, 200),
    "postDrill": (401, 401, 403, 403, 403, 201, 201),
    "listPhones": (401, 401, 403, 403, 403, 200, 200),
    "getMetrics": (401, 401, 403, 403, 403, 200, 200),
    "getPhonePage": (200, 200, 200, 200, 200, 200, 200),
    "getWorker": (200, 200, 200, 200, 200, 200, 200),
    "getManifest": (200, 200, 200, 200, 200, 200, 200),
    "getPhoneConfig": (200, 200, 200, 200, 200, 200, 200),
    "getBoardPage": (200, 200, 200, 200, 200, 200, 200),
    "getStatic": (200, 200, 200, 200, 200, 200, 200),
}


TRIALS: dict[str, dict[str, Any]] = {
    "postTest": {"by": "anna", "minutes": 5, "source": "plant"},
    "endTest": {"id": "t"},
    "postMaintenance": {"by": "anna", "minutes": 5, "source": "plant"},
    "endMaintenance": {"source": "plant"},
    "postWalk": {"by": "anna", "minutes": 5, "source": "plant"},
    "tickPoint": {"source": "plant", "place": BED},
    "endWalk": {"source": "plant"},
}


def under_way(hub: Hub, route: Route) -> None:
    """A walk in which the bed was pressed, a test and a window: but for what this route begins."""
    trials = hub.trials
    trials.tests.clear()
    trials.maintenances.clear()
    if route.name != "postTest":
        test = trials.begin_test(by="anna", minutes=5, heard=False, source="plant")
        trials.tests["t"] = trials.tests.pop(test.id)
    if route.name != "postMaintenance":
        trials.begin_maintenance(by="anna", minutes=5, source="plant")
    walk = trials.begin_walk(by="anna", minutes=5, source="plant")
    trials.walks["plant"] = replace(walk, pressed={BED: Pressed(1, "patient_call", "x")})


def body_for(route: Route, caller: str) -> dict[str, Any] | None:
    """A body that is in order for this caller."""
    by_api = caller.startswith("api")
    if route.name == "postSignal":
        signal = {"ref": caller, "event": "start", "place": BED, "kind": "patient_call"}
        return signal | ({"source": "plant"} if by_api else {})
    if route.name == "postAlertmanager":
        return {"alerts": []}
    if route.name == "signInPasskey":
        return {"credential": {}}
    if route.name == "signIn":
        return {"login": "nobody", "password": "nothing that opens"}
    if route.name in TRIALS:
        return TRIALS[route.name]
    if route.name == "postAnswer":
        return {"answer": "accept", "rev": 1, "req": caller} | ({"staff": "anna"} if by_api else {})
    if route.name == "enrolDevice":
        return {"code": "wrong"}
    if route.name == "unbindDevice":
        return {}
    if route.name == "postReceipt":
        return {"event": "rang", "rev": 1}
    if route.name == "postDrill":
        return {}
    if route.name == "putPushTarget":
        return {"transport": "webpush", "address": "https://push.example/1"}
    return None


def secret_for(hub: Hub, route: Route, caller: str) -> str | None:
    """A secret of the caller, admitted."""
    if caller == NOBODY:
        return None
    if caller == WRONG:
        return "not-a-secret-of-anybody"
    if caller == SOURCE:
        return hub.shelf.admit("a-source", "source", "plant")
    if caller == PHONE:
        return hub.shelf.admit("a-phone", "phone", "anna", device="annas")
    scopes = {ALL_SCOPES: set(SCOPES), OWN_SCOPE: {route.scope}, OTHER_SCOPES: set(SCOPES) - {route.scope}}[
        caller
    ]
    return hub.shelf.admit(caller, "api", "board", *scopes)


async def tried(hub: Hub, call: Caller, route: Route, caller: str) -> int:
    """The status this caller gets there, with everything else in order."""
    under_way(hub, route)
    await hub.drills.look()
    opened = await call.post(ref="theirs", event="start", place=BED, kind="patient_call")
    path = route.path.replace("{id}", opened.body["alarm"]).replace("{file}", "base.css")
    path = path.replace("{unit}", "201")
    if route.name == "postAlertmanager" and caller.startswith("api"):
        path += "?source=plant"
    secret = secret_for(hub, route, caller)
    return (await call(route.method, path, secret=secret, json=body_for(route, caller))).status


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
async def test_every_kind_of_caller_gets_what_the_matrix_says(route: Route) -> None:
    """Authorisation is decided here, on the server, for each route and each kind of secret."""
    assert route.name in MATRIX, "a new route needs its row in MATRIX"
    async with running(local_metrics=False) as (hub, call):
        got = tuple([await tried(hub, call, route, caller) for caller in CALLERS])
    assert dict(zip(CALLERS, got, strict=True)) == dict(zip(CALLERS, MATRIX[route.name], strict=True))


def test_the_matrix_has_no_row_too_many() -> None:
    """Rows of routes that are gone go too."""
    assert set(MATRIX) == {route.name for route in ROUTES}


def test_every_scope_opens_something_and_every_route_has_a_known_one() -> None:
    """No scope without a use, none that is not explained."""
    assert {route.scope for route in ROUTES if API in route.kinds} == set(SCOPES)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_is_found_at_its_path(route: Route) -> None:
    """The path finds the operation, with the id in it."""
    found = at(re.sub(r"\{\w+\}", "some-id", route.path))
    assert found is not None
    assert found[0][route.method] is route
    assert found[1] == ("some-id" if "{" in route.path else "")


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/signals/", "/api/v1/alarm", "/metricsx"])
def test_there_is_nothing_elsewhere(path: str) -> None:
    """Only what the table says exists."""
    assert at(path) is None


def test_allow_names_the_methods_and_head_beside_get() -> None:
    """RFC 9110 section 15.5.6."""
    assert allowed_methods(at("/healthz")[0]) == "GET, HEAD"  # type: ignore[index]
    assert allowed_methods(at("/api/v1/signals")[0]) == "POST"  # type: ignore[index]
