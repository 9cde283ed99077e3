"""What a push says to a browser (RFC 8030, 8291): headers, the encrypted note, and what the answer means.

Pure but for the randomness of encryption. The push service sees how urgent it is and how long to keep it; the
note itself, an opaque id, a revision and a priority, only the browser can read. It refuses everything else.

Decisions: pywebpush encrypts; its sending is not used, because it lets a push of a phone that is off die at
once (TTL 0) and waits for an answer for 10,000 s. Encrypting takes about 0.1 ms, less than handing it to
another thread and back, so it is done where it is needed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from pywebpush import WebPusher

from alarmhub.core.kinds import Priority
from alarmhub.people import PushTarget
from alarmhub.push.transport import Note, Outcome, Sent

POINT_BYTES: Final = 65
AUTH_BYTES: Final = 16
KEY_MOST_CHARS: Final = 200
TTL_MOST_S: Final = 2_419_200
TOO_MANY_AFTER_S: Final = 5.0
BRIEF_STATUS: Final = frozenset({500, 502, 503, 504})
GONE: Final = frozenset({404, 410})

_encode = msgspec.json.Encoder().encode


def keys_fault(keys: Mapping[str, str]) -> str | None:
    """Why these cannot be a subscription's keys: "FIELD: what was expected". None when they can."""
    point, auth = _decoded(keys.get("p256dh", "")), _decoded(keys.get("auth", ""))
    if len(point) != POINT_BYTES or not _is_on_curve(point):
        return "keys.p256dh: expected a point on P-256 in base64url, as the browser's subscription has it"
    if len(auth) != AUTH_BYTES:
        return "keys.auth: expected 16 bytes in base64url, as the browser's subscription has them"
    return None


def _decoded(text: str) -> bytes:
    if len(text) > KEY_MOST_CHARS:
        return b""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), "-_", validate=True)
    except ValueError:
        return b""


def _is_on_curve(point: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        return False
    return True


def topic(alarm: str) -> str:
    """One for each alarm: a later push of it replaces the earlier one. 32 characters (RFC 8030 §5.4)."""
    digest = hashlib.sha256(alarm.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def headers(note: Note, authorization: str) -> dict[str, str]:
    """Of the request."""
    return {
        "Authorization": authorization,
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(min(max(0, note.ttl_s), TTL_MOST_S)),
        "Urgency": "normal" if note.priority == Priority.INFORMATION else "high",
        "Topic": topic(note.alarm),
    }


def body(note: Note, target: PushTarget) -> bytes:
    """The note, for this browser's eyes only, in the words of the phone app's service worker (static/sw.js).
    Its keys are without fault."""
    said = {"alarm": note.alarm, "rev": note.rev, "priority": note.priority, "drill": note.drill}
    pusher = WebPusher({"endpoint": target.address, "keys": target.keys})
    return bytes(pusher.encode(_encode(said))["body"])


def verdict(status: int, said: bytes, retry_after_s: float) -> Sent:
    """What an answer means for the address. `retry_after_s`: what the service asked for, 0 = nothing."""
    words = said[:80].decode("ascii", "replace").strip()
    detail = f"{status} {words}" if words.isprintable() and words.isascii() and words else str(status)
    if 200 <= status < 300:
        return Sent(Outcome.TAKEN, str(status))
    if status in GONE:
        return Sent(Outcome.DEAD, detail)
    if status == 429:
        return Sent(Outcome.LATER, detail, retry_after_s or TOO_MANY_AFTER_S)
    if status in BRIEF_STATUS:
        return Sent(Outcome.LATER, detail, retry_after_s)
    return Sent(Outcome.REFUSED, detail)
