"""The OpenAPI document, and the running API held against it by schemathesis."""

from __future__ import annotations

import asyncio
import copy
import json
import threading
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import load_all_checks
from schemathesis.config import SchemathesisConfig

from alarmhub import logs
from alarmhub.web import openapi
from alarmhub.web.problems import PROBLEM_JSON
from alarmhub.web.routes import ROUTES, SCOPES, SESSION, Route
from tests.support.web import ANNA, PLANT, Hub, running

DOCUMENT: dict[str, Any] = json.loads(json.dumps(openapi.document()))
EXAMPLES = 40
CHAINS = 25
EVERYTHING = "everything"

PEOPLES = {
    route.name
    for route in ROUTES
    if route.kinds == (SESSION,)
    and route.path.startswith(
        (
            "/api/v1/session", "/api/v1/me", "/api/v1/accounts", "/api/v1/enrolments", "/api/v1/shift",
            "/api/v1/devices", "/api/v1/handovers",
        )
    )
}  # fmt: skip
"""Operations about people and their phones: tried as somebody who is signed in."""
LOOPS: list[asyncio.AbstractEventLoop] = []
"""The loop of the module's hub, while it runs."""
# Whose secret an operation is tried with: one for which a valid body needs to know nothing of the site.
SECRETS = {
    "postSignal": PLANT, "postAnswer": ANNA, "postAlertmanager": PLANT, "postReceipt": ANNA,
    "listPhoneAlarms": ANNA, "putPushTarget": ANNA, "deletePushTarget": ANNA,
}  # fmt: skip


def without_cookies(document: dict[str, Any]) -> dict[str, Any]:
    """The document for trying: the cookie is always sent as a header, so its absence is no case."""
    tried = copy.deepcopy(document)
    for methods in tried["paths"].values():
        for operation in methods.values():
            operation["security"] = [one for one in operation["security"] if SESSION not in one]
    return tried


load_all_checks()
# Beside what the library takes for refusals: a made-up Host is refused with 421, whatever else was sent.
REFUSALS = ["400", "401", "403", "404", "405", "408", "409", "413", "415", "417", "421", "422", "429", "5xx"]
SCHEMA = schemathesis.openapi.from_dict(
    without_cookies(DOCUMENT),
    config=SchemathesisConfig.from_dict(
        {
            "generation": {"mode": "all"},
            "checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}},
        }
    ),
)


DESCRIBED = [route for route in ROUTES if not route.page]
"""Pages are for people's browsers."""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    """A hub on a loop and a thread of its own, for a caller that blocks."""
    loop = asyncio.new_event_loop()

    async def started() -> Hub:
        hub = Hub(local_metrics=False)
        hub.shelf.admit(EVERYTHING, "api", "board", *SCOPES)
        await hub.api.start()
        return hub

    hub = loop.run_until_complete(started())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    LOOPS.append(loop)
    yield hub
    LOOPS.clear()
    asyncio.run_coroutine_threadsafe(hub.api.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(autouse=True)
def quiet(strict_log: None) -> None:
    """Thousands of refusals are what these tests are about, not news."""
    logs.configure(level="error", strict=True)


def as_whom(case: schemathesis.Case, hub: Hub) -> dict[str, str]:
    """The headers that say who calls: where only people may, one who may everything, signed in afresh (what
    is tried may sign her out)."""
    name = case.operation.definition.raw["operationId"]
    if name in PEOPLES:
        signing = hub.sign_in("root", "engineer", "administrator", "shift_leader", "unit_manager", "nurse")
        return asyncio.run_coroutine_threadsafe(signing, LOOPS[0]).result(10).headers
    return {"Authorization": f"Bearer {SECRETS.get(name, EVERYTHING)}"}


@SCHEMA.parametrize()
@hypothesis.settings(max_examples=EXAMPLES)
def test_whatever_is_sent_the_answer_is_as_documented(case: schemathesis.Case, hub: Hub) -> None:
    """Valid and invalid requests alike: no 500, only documented statuses, headers and bodies; what fits the
    schema is taken, what does not is refused."""
    case.call_and_validate(base_url=hub.url, headers=as_whom(case, hub))


def test_an_alarm_that_was_answered_for_can_be_read_and_answered(hub: Hub) -> None:
    """Chains of requests along the document's links: what one answer names, the next request finds."""

    answered = 0

    # Only what leads somewhere: among dozens of others a chain would seldom meet it.
    positive = SchemathesisConfig.from_dict({"generation": {"mode": "positive"}})
    valid = schemathesis.openapi.from_dict(without_cookies(DOCUMENT), config=positive)
    linked = valid.include(path_regex=r"^/api/v1/(signals|alarms)")

    class Chain(linked.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            hub.intake.forget()

        def teardown(self) -> None:
            nonlocal answered
            answered += sum(given["alarm"] in hub.intake.alarms for given in hub.intake.answers)

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"base_url": hub.url, "headers": as_whom(case, hub)}

    Chain.run(settings=hypothesis.settings(max_examples=CHAINS, stateful_step_count=6))
    assert answered, "no chain led from a signal to an answer"


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda route: route.name)
def test_every_route_is_described_with_all_its_refusals(route: Route) -> None:
    """Who may call, 401 where a secret is asked for, problems as problem details, headers that matter."""
    described = DOCUMENT["paths"][route.path][route.method.lower()]
    assert described["operationId"] == route.name
    assert {name for option in described["security"] for name in option} == set(route.kinds)
    assert ({} in described["security"]) == route.local_too
    responses = described["responses"]
    assert {"403", "405", "421", "500"} <= set(responses)
    assert {"401", "503"} <= set(responses) or not route.kinds
    assert {"400", "408", "413", "415"} <= set(responses) or "requestBody" not in described
    for status, response in responses.items():
        assert (int(status) < 400) == (PROBLEM_JSON not in response["content"])
    for status, header in {
        "401": "WWW-Authenticate",
        "405": "Allow",
        "429": "Retry-After",
        "503": "Retry-After",
    }.items():
        assert status not in responses or header in responses[status]["headers"]


def test_nothing_is_described_that_does_not_exist() -> None:
    """Paths and methods of the document are those of the route table."""
    described = {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {(route.path, route.method) for route in DESCRIBED}


def test_the_limits_of_the_contract_stand_in_the_document() -> None:
    """Generated from the types that decode: lengths, closed lists, what is required."""
    start = DOCUMENT["components"]["schemas"]["Start"]
    assert {"event", "ref", "place"} <= set(start["required"])
    assert start["properties"]["text"]["maxLength"] == 160
    [id_] = [option for option in start["properties"]["id"]["anyOf"] if option.get("type") == "string"]
    assert id_["maxLength"] == 64
    assert "toilet_call" in DOCUMENT["components"]["schemas"]["Kind"]["enum"]
    assert "present" in DOCUMENT["components"]["schemas"]["Presence"]["required"]


async def test_the_document_is_served() -> None:
    """To anybody, as it is."""
    async with running() as (_, call):
        answer = await call("GET", "/api/v1/openapi.json", secret=None)
    assert (answer.status, answer.body) == (200, DOCUMENT)
