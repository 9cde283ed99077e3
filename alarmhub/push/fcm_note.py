"""What a push says to Firebase: one message of FCM v1, and what Firebase's answer means.

Pure. A data message with an opaque id, a revision and a priority, at high priority unless it is information
only; the app makes the notification. It refuses everything else.

Decisions: pyfcm makes the payload and names the errors. Its own reading of answers is not used: it takes
every 404 for a dead address and every 403 for a foreign one, and so would forget every phone of the house
when the project's name or the account's rights are wrong.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct
from pyfcm.errors import (
    AuthenticationError,
    FCMError,
    FCMNotRegisteredError,
    FCMSenderIdMismatchError,
    FCMServerError,
    InvalidDataError,
)

from alarmhub.core.kinds import Priority
from alarmhub.people import PushTarget
from alarmhub.push.transport import Note, Outcome, Sent

TTL_MOST_S: Final = 2_419_200
QUOTA_AFTER_S: Final = 60.0
"""The shortest wait after QUOTA_EXCEEDED without a Retry-After (Firebase's own rule)."""
BRIEF_STATUS: Final = frozenset({500, 502, 503, 504})


class _Violation(Struct, frozen=True):
    field: str = ""


class _Detail(Struct, frozen=True, rename={"error_code": "errorCode", "violations": "fieldViolations"}):
    error_code: str = ""
    violations: tuple[_Violation, ...] = ()


class _Error(Struct, frozen=True):
    status: str = ""
    message: str = ""
    details: tuple[_Detail, ...] = ()


class _Refusal(Struct, frozen=True):
    error: _Error = _Error()


_refusal = msgspec.json.Decoder(_Refusal)


def message(note: Note, package: str | None) -> dict[str, Any]:
    """What `FCMNotification.parse_payload` takes, besides the address."""
    data = {"aid": note.alarm, "seq": str(note.rev), "prio": note.priority}
    if note.drill:
        data["drill"] = "1"
    android: dict[str, Any] = {
        "priority": "NORMAL" if note.priority == Priority.INFORMATION else "HIGH",
        "ttl": f"{min(max(0, note.ttl_s), TTL_MOST_S)}s",
        "collapse_key": f"alarm-{note.alarm}",
        "direct_boot_ok": True,
    }
    if package:
        android["restricted_package_name"] = package
    return {"data_payload": data, "android_config": android}


def error(status: int, body: bytes) -> FCMError | None:
    """What an answer says, by pyfcm's names; None when the push was taken."""
    if 200 <= status < 300:
        return None
    said = _said(body)
    codes = {detail.error_code for detail in said.details}
    detail = f"{status} {' '.join(sorted(codes - {''})) or said.status}".strip()
    if "UNREGISTERED" in codes:
        return FCMNotRegisteredError(detail)
    if "SENDER_ID_MISMATCH" in codes:
        return FCMSenderIdMismatchError(detail)
    if status in (401, 403):
        return AuthenticationError(detail)
    if status == 429 or status in BRIEF_STATUS:
        return FCMServerError(detail)
    if status == 400 and _blames_the_address(said):
        return FCMNotRegisteredError(detail)
    return InvalidDataError(detail)


def _said(body: bytes) -> _Error:
    try:
        return _refusal.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Error()


def _blames_the_address(said: _Error) -> bool:
    fields = {violation.field for detail in said.details for violation in detail.violations}
    return fields == {"message.token"} or (not fields and "registration token" in said.message)


def verdict(status: int, body: bytes, target: PushTarget, retry_after_s: float) -> Sent:
    """What it means for the address. `retry_after_s`: what Firebase asked for, 0 = nothing."""
    said = error(status, body)
    if said is None:
        return Sent(Outcome.TAKEN, str(status))
    detail = str(said)[:100]
    match said:
        case FCMNotRegisteredError():
            return Sent(Outcome.DEAD, detail)
        case FCMSenderIdMismatchError() if target.taken_at is None:
            return Sent(Outcome.DEAD, detail)
        case FCMServerError() if status == 429:
            return Sent(Outcome.LATER, detail, retry_after_s or QUOTA_AFTER_S)
        case FCMServerError():
            return Sent(Outcome.LATER, detail, retry_after_s)
        case _:
            # Also a mismatch at an address that took pushes before: then the project is what changed.
            return Sent(Outcome.REFUSED, detail)
