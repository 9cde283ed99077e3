"""What a push says to Apple: headers and payload of one notification, and what Apple's answer means.

Pure. The payload names an opaque id, a revision and a priority, and keys of texts that are in the app; it
refuses everything else. High priority is a critical alert, which breaks mute and Focus, where Apple granted
the app that; otherwise, and for medium and low, time-sensitive. A drill makes no sound.

Decisions: aioapns is kept for its value classes (request, push type, result, priorities, status codes), which
say in one place what Apple's interface has. Its connection and pool are not used: they were found to die with
a cancelled send, to wait for ever after RST_STREAM or an error without a body, to stop after 2,400 error
bodies, to leak an entry for each push and to sign a token for each connection. `http2` and `links` take their
place; mending them by subclasses would have replaced every method they have.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any, Final

import msgspec
from aioapns.common import (
    APNS_RESPONSE_CODE,
    PRIORITY_HIGH,
    PRIORITY_NORMAL,
    NotificationRequest,
    NotificationResult,
    PushType,
)
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from alarmhub.core.kinds import Priority
from alarmhub.push.gate import rank
from alarmhub.push.transport import Note, Outcome, Sent

COLLAPSE_MOST_BYTES: Final = 64
DEVICE_TOKEN_CHARS: Final = range(64, 201)

TOO_MANY_AFTER_S: Final = 5.0
"""How long to leave a phone alone for which Apple took too many, where it names no time."""
STALE_AFTER_S: Final = 5.0

_DEAD_REASONS: Final = frozenset({"BadDeviceToken", "DeviceTokenNotForTopic"})
_GONE_REASONS: Final = frozenset({"Unregistered", "ExpiredToken"})
_BRIEF_STATUS: Final = frozenset({"500", "502", "503", "504"})


class _Refusal(msgspec.Struct):
    reason: str = ""
    timestamp: int | None = None


_refusal = msgspec.json.Decoder(_Refusal)


def request(note: Note, device_token: str, *, topic: str, has_critical: bool) -> NotificationRequest:
    """The note for this phone."""
    return NotificationRequest(
        device_token=device_token,
        message=payload(note, has_critical=has_critical),
        notification_id=_uuid(note.id),
        time_to_live=max(0, note.ttl_s),
        priority=int(PRIORITY_NORMAL if note.priority == Priority.INFORMATION else PRIORITY_HIGH),
        collapse_key=collapse_id(note.alarm),
        push_type=PushType.ALERT,
        apns_topic=topic,
    )


def payload(note: Note, *, has_critical: bool) -> dict[str, Any]:
    """The notification's JSON."""
    urgency = rank(note.priority)
    title = "DRILL" if note.drill else note.priority.upper()
    aps: dict[str, Any] = {
        "alert": {"title-loc-key": f"ALARM_TITLE_{title}", "loc-key": "ALARM_BODY_GENERIC"},
        "interruption-level": _level(note, has_critical),
        "relevance-score": (urgency + 1) / 4,
        "thread-id": "alarm",
        "category": "ALARM_ACK",
        "mutable-content": 1,
    }
    if aps["interruption-level"] == "critical":
        aps["sound"] = {"critical": 1, "name": "high.caf", "volume": 1.0}
    elif not note.drill:
        aps["sound"] = f"{note.priority}.caf"
    return {"aps": aps, "aid": note.alarm, "seq": note.rev, "prio": note.priority, "drill": int(note.drill)}


def _level(note: Note, has_critical: bool) -> str:
    if note.drill:
        return "passive"
    if note.priority == Priority.HIGH and has_critical:
        return "critical"
    return "active" if note.priority == Priority.INFORMATION else "time-sensitive"


def collapse_id(alarm: str) -> str:
    """One for each alarm: a later push of it replaces the earlier one."""
    plain = f"alarm-{alarm}"
    if plain.isascii() and plain.isprintable() and len(plain) <= COLLAPSE_MOST_BYTES:
        return plain
    return hashlib.sha256(alarm.encode("utf-8", "surrogatepass")).hexdigest()


def _uuid(id: str) -> str:
    try:
        return str(uuid.UUID(id))
    except ValueError:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, id))


def headers(asked: NotificationRequest, *, host: str, scheme: str, token: str, now: int) -> list[HeaderTuple]:
    """As they go out. What differs for each push is kept out of the compression table, where it would push
    out what does not."""
    keep_s = asked.time_to_live or 0
    push_type = asked.push_type or PushType.ALERT
    return [
        HeaderTuple(":method", "POST"),
        HeaderTuple(":scheme", scheme),
        HeaderTuple(":authority", host),
        NeverIndexedHeaderTuple(":path", f"/3/device/{asked.device_token}"),
        HeaderTuple("authorization", token),
        HeaderTuple("apns-topic", str(asked.apns_topic)),
        HeaderTuple("apns-push-type", push_type.value),
        HeaderTuple("apns-priority", str(asked.priority)),
        NeverIndexedHeaderTuple("apns-expiration", str(now // 1000 + keep_s if keep_s else 0)),
        NeverIndexedHeaderTuple("apns-collapse-id", str(asked.collapse_key)),
        NeverIndexedHeaderTuple("apns-id", asked.notification_id),
    ]


def body(asked: NotificationRequest) -> bytes:
    """The payload's bytes."""
    return msgspec.json.encode(asked.message)


def result(apns_id: str, status: int, said: bytes) -> NotificationResult:
    """Apple's answer, read without trust: an error may have no body, or one that is no JSON."""
    try:
        refusal = _refusal.decode(said) if said else _Refusal()
    except (msgspec.DecodeError, UnicodeDecodeError):
        refusal = _Refusal()
    return NotificationResult(apns_id, str(status), refusal.reason[:100], refusal.timestamp)


def verdict(answer: NotificationResult, *, registered_at: int, retry_after_s: float) -> Sent:
    """What it means for the address. `registered_at`: since when the phone has this address, epoch ms;
    `retry_after_s`: what Apple asked for, 0 = nothing."""
    status, reason = answer.status, answer.description or ""
    detail = f"{status} {reason}".strip()
    if status == APNS_RESPONSE_CODE.SUCCESS:
        return Sent(Outcome.TAKEN, detail)
    if status == APNS_RESPONSE_CODE.GONE and reason in _GONE_REASONS:
        # Only when it vanished after the phone last told us this address (Apple's own rule).
        if answer.timestamp is not None and answer.timestamp > registered_at:
            return Sent(Outcome.DEAD, detail)
        return Sent(Outcome.LATER, f"{detail}, before the phone registered", retry_after_s or STALE_AFTER_S)
    if status == APNS_RESPONSE_CODE.BAD_REQUEST and reason in _DEAD_REASONS:
        return Sent(Outcome.DEAD, detail)
    if status == APNS_RESPONSE_CODE.TOO_MANY_REQUESTS:
        return Sent(Outcome.LATER, detail, retry_after_s or TOO_MANY_AFTER_S)
    if status in _BRIEF_STATUS:
        return Sent(Outcome.LATER, detail, retry_after_s)
    return Sent(Outcome.REFUSED, detail)
