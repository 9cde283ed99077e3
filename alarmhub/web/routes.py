"""What exists over HTTP, and who may use it: one row per operation.

Server, OpenAPI document and the authorisation tests all read this table, so that none can know an operation
the others do not. It refuses to act.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from alarmhub.core.rights import Action

ALARMS_READ: Final = "alarms:read"
ALARMS_ANSWER: Final = "alarms:answer"
BOARDS_READ: Final = "boards:read"
DRILLS_READ: Final = "drills:read"
DRILLS_WRITE: Final = "drills:write"
METRICS_READ: Final = "metrics:read"
SIGNALS_WRITE: Final = "signals:write"
TRIALS_WRITE: Final = "trials:write"
SCOPES: Final[dict[str, str]] = {
    SIGNALS_WRITE: "Send signals for any source.",
    TRIALS_WRITE: "Begin and end tests, maintenance windows and walk tests.",
    ALARMS_READ: "Read all alarms with their time lines.",
    ALARMS_ANSWER: "Answer alarms for any person.",
    DRILLS_READ: "Read drills, and how the phones on duty are.",
    DRILLS_WRITE: "Begin drills.",
    METRICS_READ: "Read the hub's metrics.",
    BOARDS_READ: "Read the board of any unit, names of staff included.",
}

SOURCE: Final = "source"
PHONE: Final = "phone"
API: Final = "api"
SESSION: Final = "session"
BOARD: Final = "board"


class Route(Struct, frozen=True, kw_only=True):
    """One operation. `kinds`: whose credentials may use it; `scope`: what an api token must hold besides,
    `action`: what somebody signed in must be allowed in some unit (`core.rights`).

    No `kinds`: open to everybody. `always`: also for who must replace a one-time password first.
    `uncarried`: also for a phone on which nobody is signed in. `local_too`: open to callers on this machine
    as well. `page`: for people's browsers, and so not in the
    OpenAPI document. A path has at most one parameter, a whole segment.
    """

    method: str
    path: str
    name: str
    summary: str
    kinds: tuple[str, ...] = ()
    scope: str = ""
    action: str = ""
    always: bool = False
    uncarried: bool = False
    local_too: bool = False
    page: bool = False


SIGNALS: Final = "/api/v1/signals"
UNITS: Final = "/api/v1/units"
ALERTMANAGER: Final = "/api/v1/alertmanager"
SOURCES: Final = "/api/v1/sources"
TRIALS: Final = "/api/v1/trials"
ENROLMENTS: Final = "/api/v1/enrolments"
DEVICES: Final = "/api/v1/devices"
SHIFT: Final = "/api/v1/shift"
ALARMS: Final = "/api/v1/alarms"
BOARDS: Final = "/api/v1/boards"

SESSION_NOW: Final = "/api/v1/session"
ME: Final = "/api/v1/me"
ACCOUNTS: Final = "/api/v1/accounts"

ROUTES: Final = (
    Route(
        method="POST", path=SIGNALS, name="postSignal", kinds=(SOURCE, API), scope=SIGNALS_WRITE,
        summary="Say that something began, changed or ended. Answered after it is stored.",
    ),
    Route(
        method="POST", path=ALERTMANAGER, name="postAlertmanager", kinds=(SOURCE, API), scope=SIGNALS_WRITE,
        summary="Prometheus Alertmanager's webhook. Answered after all alerts of the group are stored.",
    ),
    Route(
        method="GET", path=ALARMS, name="listAlarms", kinds=(SOURCE, PHONE, API), scope=ALARMS_READ,
        summary="Alarms, newest first: a source's own, a person's units', or all.",
    ),
    Route(
        method="GET", path=ALARMS + "/{id}", name="getAlarm", kinds=(SOURCE, PHONE, API), scope=ALARMS_READ,
        summary="One alarm with its time line and the reasons for every decision.",
    ),
    Route(
        method="POST", path=ALARMS + "/{id}/answers", name="postAnswer", kinds=(PHONE, API),
        scope=ALARMS_ANSWER,
        summary="Answer an alarm. Answered after it is stored.",
    ),
    Route(
        method="POST", path=ALARMS + "/{id}/receipts", name="postReceipt", kinds=(PHONE,),
        summary="A phone that was woken rang for an alarm, or somebody looked at it.",
    ),
    Route(
        method="GET", path="/api/v1/phone/alarms", name="listPhoneAlarms", kinds=(PHONE,),
        summary="The alarms a phone's person is told of, as the socket's frames.",
    ),
    Route(
        method="PUT", path="/api/v1/device/push", name="putPushTarget", kinds=(PHONE,), uncarried=True,
        summary="Where an enrolled phone can be woken by push.",
    ),
    Route(
        method="DELETE", path="/api/v1/device/push", name="deletePushTarget", kinds=(PHONE,), uncarried=True,
        summary="The phone is not to be woken by push any more.",
    ),
    Route(
        method="GET", path=SOURCES, name="listSources", kinds=(API,), scope=METRICS_READ, local_too=True,
        summary="Each source's way in: whether it is up, its last signal, answer and refusal.",
    ),
    Route(
        method="GET", path=TRIALS, name="listTrials", kinds=(API,), scope=TRIALS_WRITE,
        summary="Tests, maintenance windows and walk tests, under way or announced.",
    ),
    Route(
        method="POST", path=TRIALS, name="postTest", kinds=(API,), scope=TRIALS_WRITE,
        summary="Begin test mode of a place or a source: what comes from there is a drill.",
    ),
    Route(
        method="POST", path=TRIALS + "/end", name="endTest", kinds=(API,), scope=TRIALS_WRITE,
        summary="End a test before its time.",
    ),
    Route(
        method="POST", path=TRIALS + "/maintenance", name="postMaintenance", kinds=(API,), scope=TRIALS_WRITE,
        summary="Announce that a source is worked on: its silence is no alarm until the end.",
    ),
    Route(
        method="POST", path=TRIALS + "/maintenance/end", name="endMaintenance", kinds=(API,),
        scope=TRIALS_WRITE,
        summary="End it: a drill to its units' phones, an alarm if the source is not back.",
    ),
    Route(
        method="POST", path=TRIALS + "/walk", name="postWalk", kinds=(API,), scope=TRIALS_WRITE,
        summary="Begin a walk test: what is pressed rings at the engineer's phone and can be ticked.",
    ),
    Route(
        method="POST", path=TRIALS + "/walk/tick", name="tickPoint", kinds=(API,), scope=TRIALS_WRITE,
        summary="A pressed point does what it should.",
    ),
    Route(
        method="POST", path=TRIALS + "/walk/end", name="endWalk", kinds=(API,), scope=TRIALS_WRITE,
        summary="End the walk; unticked points ring with a word about it.",
    ),
    Route(
        method="POST", path=SESSION_NOW, name="signIn",
        summary="Sign in with login and password; the answer carries the cookie.",
    ),
    Route(
        method="DELETE", path=SESSION_NOW, name="signOut", kinds=(SESSION,), always=True,
        summary="Sign this browser out.",
    ),
    Route(
        method="GET", path=ME, name="getMe", kinds=(SESSION,), always=True,
        summary="Who is signed in here, what they may do, and the value that changes need (X-Alarmhub-CSRF).",
    ),
    Route(
        method="GET", path=BOARDS + "/{unit}", name="getBoard", kinds=(BOARD, SESSION, API),
        scope=BOARDS_READ, action=Action.BOARD_READ,
        summary="A unit's board of this instant.",
    ),
    Route(
        method="GET", path=BOARDS + "/{unit}/events", name="getBoardEvents", kinds=(BOARD, SESSION, API),
        scope=BOARDS_READ, action=Action.BOARD_READ,
        summary="A unit's board, live: Server-Sent Events `board`, `beat` and `again` (come anew).",
    ),
    Route(
        method="GET", path=UNITS + "/{unit}/drills", name="listDrills", kinds=(SESSION, API),
        scope=DRILLS_READ, action="board.read",
        summary="A unit's drills, newest first: what became of each way to each phone.",
    ),
    Route(
        method="POST", path=UNITS + "/{unit}/drills", name="postDrill", kinds=(SESSION, API),
        scope=DRILLS_WRITE, action="drills.run",
        summary="Drill every phone on duty in a unit now. Answered when the drill has begun.",
    ),
    Route(
        method="GET", path=UNITS + "/{unit}/phones", name="listPhones", kinds=(SESSION, API),
        scope=DRILLS_READ, action="devices.unit",
        summary="How the phones on duty in a unit are, and what is wrong with them.",
    ),
    Route(
        method="POST", path=ME + "/password", name="changePassword", kinds=(SESSION,), always=True,
        summary="Another password for oneself; other browsers are signed out.",
    ),
    Route(
        method="GET", path=SESSION_NOW, name="getWaysIn",
        summary="How people sign in here: by password, by passkey, with the hospital's sign-in.",
    ),
    Route(method="GET", path="/sign-in", name="getSignInPage", page=True, summary="Where people sign in."),
    Route(
        method="GET", path="/account", name="getAccountPage", page=True,
        summary="One's own account; for administrators everybody's.",
    ),
    Route(
        method="GET", path="/oidc/start", name="startOidc", page=True,
        summary="Off to the hospital's sign-in.",
    ),
    Route(
        method="GET", path="/oidc/return", name="returnOidc", page=True,
        summary="Back from it with a code.",
    ),
    Route(
        method="POST", path=SESSION_NOW + "/passkey-options", name="passkeyOptions",
        summary="What a browser needs to ask for a passkey (WebAuthn request options).",
    ),
    Route(
        method="POST", path=SESSION_NOW + "/passkey", name="signInPasskey",
        summary="Sign in with a passkey; the answer carries the cookie.",
    ),
    Route(
        method="POST", path=ME + "/passkey-options", name="newPasskeyOptions", kinds=(SESSION,),
        summary="What a browser needs to make a passkey (WebAuthn creation options).",
    ),
    Route(
        method="POST", path=ME + "/passkeys", name="addPasskey", kinds=(SESSION,),
        summary="Keep a passkey the browser made.",
    ),
    Route(
        method="GET", path=ME + "/passkeys", name="listPasskeys", kinds=(SESSION,),
        summary="One's own passkeys.",
    ),
    Route(
        method="DELETE", path=ME + "/passkeys/{id}", name="dropPasskey", kinds=(SESSION,),
        summary="This passkey opens nothing any more.",
    ),
    Route(
        method="GET", path=ME + "/sessions", name="listMySessions", kinds=(SESSION,),
        summary="The browsers one is signed in with.",
    ),
    Route(
        method="DELETE", path="/api/v1/sessions/{id}", name="revokeSession", kinds=(SESSION,),
        summary="Sign a browser out: one of one's own, or of anybody for administrators.",
    ),
    Route(
        method="GET", path=ACCOUNTS, name="listAccounts", kinds=(SESSION,), action="accounts.write",
        summary="Who can sign in, and who of the site's people cannot.",
    ),
    Route(
        method="POST", path=ACCOUNTS, name="addAccount", kinds=(SESSION,), action="accounts.write",
        summary="An account for a person of the site; answered with a one-time password.",
    ),
    Route(
        method="POST", path=ACCOUNTS + "/{staff}/reset", name="resetAccount", kinds=(SESSION,),
        action="accounts.write",
        summary="A new one-time password; passkeys and signed-in browsers of before are gone.",
    ),
    Route(
        method="POST", path=ACCOUNTS + "/{staff}/disable", name="disableAccount", kinds=(SESSION,),
        action="accounts.write",
        summary="This person signs in no more, and is signed out everywhere. Phones ring on.",
    ),
    Route(
        method="GET", path=ACCOUNTS + "/{staff}/sessions", name="listAccountSessions", kinds=(SESSION,),
        action="accounts.write",
        summary="The browsers this person is signed in with.",
    ),
    Route(
        method="POST", path=ENROLMENTS, name="postEnrolment", kinds=(SESSION,), action=Action.DEVICES_OWN,
        summary="A code, as a QR code too, that enrols one phone within two minutes.",
    ),
    Route(
        method="POST", path=DEVICES, name="enrolDevice",
        summary="Enrol this phone: the code is the credential. Its secret is told once.",
    ),
    Route(
        method="GET", path=DEVICES, name="listDevices", kinds=(SESSION,), action=Action.DEVICES_OWN,
        summary="My phones, or those of a unit.",
    ),
    Route(
        method="POST", path=DEVICES + "/{id}/revoke", name="revokeDevice", kinds=(SESSION,),
        action=Action.DEVICES_OWN,
        summary="A phone is lost: its secret opens nothing any more, and its socket closes at once.",
    ),
    Route(
        method="POST", path="/api/v1/device/handover", name="offerHandover", kinds=(PHONE,), uncarried=True,
        summary="A code that this pool phone shows: who opens it signed in carries the phone.",
    ),
    Route(
        method="POST", path="/api/v1/handovers", name="takeHandover", kinds=(SESSION,),
        action=Action.DEVICES_OWN,
        summary="From now on I carry the phone that showed this code.",
    ),
    Route(
        method="POST", path="/api/v1/device/bind", name="bindDevice", kinds=(PHONE,), uncarried=True,
        summary="From now on this phone is carried by who is signed in on it.",
    ),
    Route(
        method="POST", path="/api/v1/device/unbind", name="unbindDevice", kinds=(PHONE,), uncarried=True,
        summary="Nobody carries this phone any more.",
    ),
    Route(
        method="GET", path=SHIFT, name="getShift", kinds=(SESSION,), action=Action.SHIFT_OWN,
        summary="My shift: where I may sign on, who has which bed, and what I have in hand.",
    ),
    Route(
        method="PUT", path=SHIFT, name="putShift", kinds=(SESSION,), action=Action.SHIFT_OWN,
        summary="I am on duty in this unit, with these beds. Answered after it is stored.",
    ),
    Route(
        method="POST", path=SHIFT + "/heard", name="postHeard", kinds=(SESSION,), action=Action.SHIFT_OWN,
        summary="Ring my phone as a test; with `alarm`: I heard it.",
    ),
    Route(
        method="POST", path=SHIFT + "/off", name="endShift", kinds=(SESSION,), action=Action.SHIFT_OWN,
        summary="I go home. What I have in hand needs receivers.",
    ),
    Route(method="GET", path="/api/v1/openapi.json", name="getOpenapi", summary="This document."),
    Route(method="GET", path="/healthz", name="getHealth", summary="The process is alive."),
    Route(method="GET", path="/readyz", name="getReady", summary="This hub is the active one and can store."),
    Route(
        method="GET", path="/metrics", name="getMetrics", kinds=(API,), scope=METRICS_READ, local_too=True,
        summary="Figures in Prometheus' text format.",
    ),
    Route(method="GET", path="/phone", name="getPhonePage", page=True, summary="The phone app."),
    Route(method="GET", path="/sw.js", name="getWorker", page=True, summary="The app's service worker."),
    Route(
        method="GET", path="/manifest.webmanifest", name="getManifest", page=True,
        summary="What makes the phone app installable.",
    ),
    Route(method="GET", path="/board/{unit}", name="getBoardPage", page=True, summary="A unit's board."),
    Route(
        method="GET", path="/api/v1/phone/config", name="getPhoneConfig", page=True,
        summary="What the phone app must know before anybody has signed in.",
    ),
    Route(
        method="GET", path="/static/{file}", name="getStatic", page=True,
        summary="Scripts, styles and pictures of the pages.",
    ),
)  # fmt: skip

_EXACT: Final[dict[str, dict[str, Route]]] = {}
_WITH_PARAMETER: Final[dict[tuple[str, str], dict[str, Route]]] = {}
"""By what stands before and after the parameter; a path that fits two is the longer one's."""
for _route in ROUTES:
    _before, _brace, _rest = _route.path.partition("{")
    if _brace:
        _around = (_before, _rest.partition("}")[2])
        _WITH_PARAMETER.setdefault(_around, {})[_route.method] = _route
    else:
        _EXACT.setdefault(_route.path, {})[_route.method] = _route
_LONGEST_FIRST: Final = sorted(_WITH_PARAMETER.items(), key=lambda item: -len("".join(item[0])))


def at(path: str) -> tuple[dict[str, Route], str] | None:
    """The operations at a path by method, and the parameter in it ("" for none). None: no such path."""
    methods = _EXACT.get(path)
    if methods is not None:
        return methods, ""
    for (before, after), methods in _LONGEST_FIRST:
        if path.startswith(before) and path.endswith(after):
            value = path[len(before) : len(path) - len(after)]
            if value and "/" not in value:
                return methods, value
    return None


def allowed_methods(methods: dict[str, Route]) -> str:
    """The value of Allow. HEAD comes with GET."""
    names = set(methods) | ({"HEAD"} if "GET" in methods else set())
    return ", ".join(sorted(names))
