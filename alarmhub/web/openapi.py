"""The OpenAPI 3.1 document, from the route table and the very types that decode and encode.

It refuses to describe what no route or type says: an operation without an entry here fails at the start.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import Struct

from alarmhub import __version__
from alarmhub.core.alarm import Phase
from alarmhub.metrics import CONTENT_TYPE as METRICS_CONTENT_TYPE
from alarmhub.web import (
    account_door,
    device_door,
    drill_door,
    passkey_door,
    push_door,
    shift_door,
    sign_in_door,
    trials,
    wire,
)
from alarmhub.web.board_door import VARIANTS
from alarmhub.web.board_screens import BoardFrame
from alarmhub.web.problems import PROBLEM_JSON, Problem
from alarmhub.web.reading import LONGEST_PAGE, PAGE, UNITS_AT_ONCE
from alarmhub.web.routes import API, BOARD, PHONE, ROUTES, SCOPES, SESSION, SOURCE, Route
from protocols.alertmanager import AlertmanagerIn

_COMPONENTS: Final = "#/components/schemas/{name}"

_KINDS: Final = {
    SOURCE: "The secret of a source: posts and reads its own alarms.",
    PHONE: "The secret of a person's phone: answers, and reads the person's units.",
    API: "A token of another program: what its scopes say.",
    BOARD: "The secret of a board on a wall: reads its unit's board.",
}

_MEANINGS: Final = {
    200: "Done.",
    201: "It was made: an alarm was opened, a trial begun, an account added.",
    400: "A member or parameter is wrong; the problem names it.",
    401: "No secret, or an unknown one; nobody is signed in, or the sign-in is over or was refused.",
    403: "This secret may not do this, or the page that calls may not.",
    404: "There is nothing of that name, or it is not the caller's to see.",
    405: "Another method; Allow names which.",
    408: "The body did not arrive in time.",
    409: "It does not fit the state of what it is about; `error` or `field` says how.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not application/json.",
    417: "Only Expect: 100-continue is understood.",
    421: "This server does not answer under that Host.",
    422: "It can never be stored.",
    429: "Too many events wait to be stored (never for high priority), or too many sign-ins or codes failed.",
    500: "The hub's own fault.",
    503: "It cannot be stored or read now; nothing was stored.",
}

_HEADERS: Final = {
    401: {"WWW-Authenticate": "How to authenticate (RFC 6750)."},
    405: {"Allow": "The methods there are."},
    429: {"Retry-After": "Seconds to wait."},
    503: {"Retry-After": "Seconds to wait."},
}

_BODY: Final = (400, 408, 413, 415, 417)
_ALWAYS: Final = (403, 405, 421, 500)


class _Operation(Struct, frozen=True):
    """What the route table does not say: body, answers by status, further refusals, parameters."""

    answers: dict[int, tuple[Any, ...]]
    refusals: tuple[int, ...] = ()
    body: Any = None
    parameters: tuple[dict[str, Any], ...] = ()
    leads_to: tuple[str, ...] = ()  # operations that take the `alarm` of its answer as their id


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_UUID: Final = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}
_UNIT: Final = {"type": "string", "minLength": 1, "maxLength": wire.ID_CHARS, "pattern": r"^[^\x00]*$"}
_LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE}
_ALARM_ID: Final = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The alarm's id.",
    "schema": _UUID,
}

_BOARD: Final = (
    {"name": "unit", "in": "path", "required": True, "description": "The unit's id.", "schema": _UNIT},
    _query("variant", "staff (default, unless the secret is for the public board) or public.",
           {"enum": list(VARIANTS)}),
)  # fmt: skip
_MEDIA: Final = {"getMetrics": METRICS_CONTENT_TYPE, "getBoardEvents": "text/event-stream"}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": f"Its {name}.", "schema": _UNIT}


_OPERATIONS: Final[dict[str, _Operation]] = {
    "postSignal": _Operation(
        {200: (wire.SignalOut, wire.NoAlarm), 201: (wire.SignalOut,)},
        (*_BODY, 422, 429, 503),
        wire.SignalIn,
        leads_to=("getAlarm", "postAnswer"),
    ),
    "postAlertmanager": _Operation(
        {200: (wire.HookOut,)},
        (*_BODY, 422, 503),
        AlertmanagerIn,
        parameters=(_query("source", "Which source speaks; only for API tokens.", _UNIT),),
    ),
    "listAlarms": _Operation(
        {200: (wire.AlarmPage,)},
        (400, 503),
        parameters=(
            _query("phase", "Only alarms in this phase.", {"enum": list(Phase)}),
            _query(
                "unit", "Only alarms of this unit; may be repeated.",
                {"type": "array", "items": _UNIT, "maxItems": UNITS_AT_ONCE},
            ),
            _query("limit", "Alarms per page.", _LIMIT),
            _query("after", "`next` of the page before.", _UUID),
        ),
    ),
    "getAlarm": _Operation({200: (wire.AlarmDetail,)}, (404, 503), parameters=(_ALARM_ID,)),
    "postAnswer": _Operation(
        {200: (wire.AnswerOut,)}, (*_BODY, 404, 409, 422, 503), wire.AnswerIn, parameters=(_ALARM_ID,)
    ),
    "postReceipt": _Operation(
        {200: (push_door.ReceiptOut,)}, (*_BODY, 404, 503), push_door.ReceiptIn, parameters=(_ALARM_ID,)
    ),
    "listPhoneAlarms": _Operation({200: (push_door.PhoneAlarmsOut,)}),
    "putPushTarget": _Operation({200: (push_door.PushOut,)}, (*_BODY, 409, 503), push_door.PushTargetIn),
    "deletePushTarget": _Operation({200: (push_door.PushOut,)}, (409, 503)),
    "listSources": _Operation({200: (wire.SourcePage,)}, (503,)),
    "listTrials": _Operation({200: (trials.TrialsOut,)}, (503,)),
    **{
        name: _Operation(
            {201 if name.startswith("post") else 200: (trials.ANSWERS[name],)}, (*_BODY, 409, 503), body
        )
        for name, body in trials.BODIES.items()
    },
    "postEnrolment": _Operation(
        {201: (device_door.CodeOut,)}, (*_BODY, 409, 503), device_door.EnrolmentIn
    ),
    "enrolDevice": _Operation(
        {201: (device_door.EnrolledOut,)}, (*_BODY, 404, 429, 503), device_door.DeviceIn
    ),
    "listDevices": _Operation(
        {200: (device_door.DevicePage,)}, (400, 503),
        parameters=(_query("unit", "Phones of this unit instead of mine.", _UNIT),),
    ),
    "revokeDevice": _Operation(
        {200: (device_door.DeviceOut,)}, (404, 409, 503), parameters=(_in_path("id"),)
    ),
    "offerHandover": _Operation({201: (device_door.CodeOut,)}, (409, 503)),
    "takeHandover": _Operation(
        {200: (device_door.DeviceOut,)}, (*_BODY, 404, 409, 429, 503), device_door.HandoverIn
    ),
    "bindDevice": _Operation(
        {200: (device_door.DeviceOut,)}, (*_BODY, 404, 409, 503), device_door.BindIn
    ),
    "unbindDevice": _Operation(
        {200: (device_door.DeviceOut,)}, (*_BODY, 404, 409, 503), device_door.BindIn
    ),
    "getShift": _Operation(
        {200: (shift_door.ShiftOut,)}, (400, 409, 503),
        parameters=(_query("unit", "Whose beds to show.", _UNIT),),
    ),
    "putShift": _Operation({200: (shift_door.ShiftOut,)}, (*_BODY, 409, 503), shift_door.ShiftIn),
    "postHeard": _Operation(
        {200: (shift_door.HeardOut,), 201: (shift_door.HeardOut,)}, (*_BODY, 404, 409, 503),
        shift_door.HeardIn,
    ),
    "endShift": _Operation({200: (shift_door.OffOut,)}, (*_BODY, 409, 503), shift_door.OffIn),
    "signIn": _Operation(
        {200: (sign_in_door.SignInOut,)}, (*_BODY, 401, 429, 503), sign_in_door.SignInIn
    ),
    "signOut": _Operation({200: (sign_in_door.SignedOut,)}),
    "getMe": _Operation({200: (sign_in_door.MeOut,)}),
    "getBoard": _Operation({200: (BoardFrame,)}, (400, 404), parameters=_BOARD),
    "getBoardEvents": _Operation({200: (BoardFrame,)}, (400, 404), parameters=_BOARD),
    "listDrills": _Operation(
        {200: (drill_door.DrillsOut,)}, (400, 404, 503),
        parameters=(
            _in_path("unit"),
            _query(
                "limit", "How many.",
                {**_LIMIT, "maximum": drill_door.SHOWN_MOST, "default": drill_door.SHOWN},
            ),
        ),
    ),
    "postDrill": _Operation(
        {201: (drill_door.DrillOut,)}, (*_BODY, 404, 409, 422, 503), drill_door.DrillIn,
        parameters=(_in_path("unit"),),
    ),
    "listPhones": _Operation({200: (drill_door.PhonesOut,)}, (404,), parameters=(_in_path("unit"),)),
    "changePassword": _Operation(
        {200: (account_door.Changed,)}, (*_BODY, 409, 429), account_door.PasswordIn
    ),
    "getWaysIn": _Operation({200: (sign_in_door.WaysIn,)}),
    "passkeyOptions": _Operation({200: (dict[str, Any],)}, (409,)),
    "signInPasskey": _Operation(
        {200: (sign_in_door.SignInOut,)}, (*_BODY, 401, 409, 503), passkey_door.PasskeyIn
    ),
    "newPasskeyOptions": _Operation({200: (dict[str, Any],)}, (409,)),
    "addPasskey": _Operation({201: (passkey_door.PasskeyOut,)}, (*_BODY, 409), passkey_door.NewPasskeyIn),
    "listPasskeys": _Operation({200: (passkey_door.PasskeysOut,)}),
    "dropPasskey": _Operation({200: (passkey_door.PasskeyGone,)}, (404,), parameters=(_in_path("id"),)),
    "listMySessions": _Operation({200: (account_door.SessionsOut,)}),
    "revokeSession": _Operation({200: (account_door.Done,)}, (404,), parameters=(_in_path("id"),)),
    "listAccounts": _Operation({200: (account_door.AccountsOut,)}),
    "addAccount": _Operation({201: (account_door.OneTimeOut,)}, (*_BODY, 409), account_door.AccountIn),
    "resetAccount": _Operation(
        {200: (account_door.OneTimeOut,)}, (404, 409), parameters=(_in_path("staff"),)
    ),
    "disableAccount": _Operation({200: (account_door.Done,)}, (404, 409), parameters=(_in_path("staff"),)),
    "listAccountSessions": _Operation(
        {200: (account_door.SessionsOut,)}, (404,), parameters=(_in_path("staff"),)
    ),
    "getOpenapi": _Operation({200: (dict[str, Any],)}),
    "getHealth": _Operation({200: (wire.Health,)}),
    "getReady": _Operation({200: (wire.Health,)}, (503,)),
    "getMetrics": _Operation({200: (str,)}, (503,)),
}  # fmt: skip


def document() -> dict[str, Any]:
    """The whole document, ready to be encoded."""
    types: list[Any] = [Problem]
    for operation in _OPERATIONS.values():
        types += [t for answer in operation.answers.values() for t in answer]
        types += [] if operation.body is None else [operation.body]
    schemas, components = msgspec.json.schema_components(types, ref_template=_COMPONENTS)
    schema_of = dict(zip(map(repr, types), schemas, strict=True))
    for name in ("Start", "Once"):
        components[name]["anyOf"] = [
            {"required": [member], "properties": {member: {"not": {"type": "null"}}}}
            for member in ("kind", "type")
        ]
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        if route.page:
            continue
        paths.setdefault(route.path, {})[route.method.lower()] = _described(route, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Alarmhub",
            "version": __version__,
            "description": "Signals in, answers in, alarms out. Unknown members are ignored.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": _security_schemes()},
    }


def _security_schemes() -> dict[str, Any]:
    schemes: dict[str, Any] = {
        kind: {"type": "http", "scheme": "bearer", "description": text} for kind, text in _KINDS.items()
    }
    schemes[SESSION] = {
        "type": "apiKey", "in": "cookie", "name": "alarmhub_session",
        "description": "A browser that is signed in; behind TLS it is __Host-alarmhub_session. All but GET "
        "need the header X-Alarmhub-CSRF besides, with the value of GET /api/v1/me. What a person may do "
        "depends on roles in units.",
    }  # fmt: skip
    schemes[API]["description"] += " Scopes: " + " ".join(f"`{name}` {text}" for name, text in SCOPES.items())
    return schemes


def _described(route: Route, schema_of: dict[str, dict[str, Any]]) -> dict[str, Any]:
    operation = _OPERATIONS[route.name]
    refusals = {*operation.refusals, *_ALWAYS, *((401, 503) if route.kinds else ())}
    responses = {
        str(status): _answer(status, [schema_of[repr(t)] for t in types], route)
        for status, types in operation.answers.items()
    }
    for status in operation.leads_to and operation.answers:
        responses[str(status)]["links"] = {
            name: {"operationId": name, "parameters": {"id": "$response.body#/alarm"}}
            for name in operation.leads_to
        }
    responses |= {str(status): _refusal(status, schema_of[repr(Problem)]) for status in sorted(refusals)}
    described: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "security": _security(route),
        "responses": responses,
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        described["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": schema_of[repr(operation.body)]}},
        }  # fmt: skip
    return described


def _security(route: Route) -> list[dict[str, list[str]]]:
    # OpenAPI 3.1 lets a scheme of type http name the roles it asks for.
    allowed = [{kind: [route.scope] if kind == API else []} for kind in route.kinds]
    return [*allowed, {}] if route.local_too else allowed


def _answer(status: int, schemas: list[dict[str, Any]], route: Route) -> dict[str, Any]:
    media = _MEDIA.get(route.name, "application/json")
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"description": _MEANINGS[status], "content": {media: {"schema": schema}}}


def _refusal(status: int, schema: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}. {_MEANINGS[status]}",
        "content": {PROBLEM_JSON: {"schema": schema}},
    }
    headers = _HEADERS.get(status)
    if headers is not None:
        described["headers"] = {
            name: {"description": text, "required": True, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    return described
