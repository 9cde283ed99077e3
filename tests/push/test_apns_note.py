"""What is said to Apple, what is not, and what its answers mean."""

from __future__ import annotations

import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmhub.push.apns_note import body, collapse_id, headers, payload, request, result, verdict
from alarmhub.push.transport import Note, Outcome, Sent
from tests.support.push import note

ALARM = "0190c0de-0000-7000-8000-000000000000"


def heads(what: Note) -> dict[str, str]:
    """The headers of this note at second 1,000."""
    asked = request(what, "a" * 64, topic="t", has_critical=True)
    return dict(headers(asked, host="h", scheme="https", token="bearer x", now=1_000_000))  # type: ignore[arg-type]


def test_a_critical_alert_as_in_apples_documentation() -> None:
    """Everything that leaves the house."""
    assert payload(note(alarm=ALARM), has_critical=True) == {
        "aps": {
            "alert": {"title-loc-key": "ALARM_TITLE_HIGH", "loc-key": "ALARM_BODY_GENERIC"},
            "sound": {"critical": 1, "name": "high.caf", "volume": 1.0},
            "interruption-level": "critical",
            "relevance-score": 1.0,
            "thread-id": "alarm",
            "category": "ALARM_ACK",
            "mutable-content": 1,
        },
        "aid": ALARM,
        "seq": 3,
        "prio": "high",
        "drill": 0,
    }


@pytest.mark.parametrize(
    ("priority", "has_critical", "drill", "level", "sound"),
    [
        ("high", False, False, "time-sensitive", "high.caf"),
        ("medium", True, False, "time-sensitive", "medium.caf"),
        ("low", True, False, "time-sensitive", "low.caf"),
        ("information", True, False, "active", "information.caf"),
        ("high", True, True, "passive", None),
    ],
)
def test_how_loud(priority: str, has_critical: bool, drill: bool, level: str, sound: str | None) -> None:
    """Without Apple's leave nothing is critical; a drill makes no sound."""
    aps = payload(note(priority=priority, drill=drill), has_critical=has_critical)["aps"]
    assert (aps["interruption-level"], aps.get("sound")) == (level, sound)


def test_headers() -> None:
    """Kept until it is worth nothing, replaced by the next of its alarm, named as we name it."""
    said = heads(note(alarm=ALARM))
    assert (said["apns-expiration"], said["apns-priority"]) == ("1060", "10")
    assert said["apns-collapse-id"] == f"alarm-{ALARM}"
    assert heads(note(ttl_s=0))["apns-expiration"] == "0" and heads(note(ttl_s=-5))["apns-expiration"] == "0"
    assert heads(note(priority="information"))["apns-priority"] == "5"


def test_apple_names_a_push_as_we_do() -> None:
    """By a UUID: ours if it is one, otherwise always the same one for it."""
    ours = str(uuid.uuid4())
    assert heads(note(id=ours))["apns-id"] == ours
    assert (
        heads(note(id="n1"))["apns-id"] == heads(note(id="n1"))["apns-id"] != heads(note(id="n2"))["apns-id"]
    )


@given(st.text(max_size=200))
def test_a_collapse_id_always_fits(alarm: str) -> None:
    """64 bytes, and safe in a header."""
    said = collapse_id(alarm)
    assert 0 < len(said.encode()) <= 64 and said.isascii() and said.isprintable()


def test_the_payload_fits() -> None:
    """4,096 bytes by far."""
    assert len(body(request(note(alarm="x" * 500), "a" * 64, topic="t", has_critical=True))) < 1_100


@given(st.binary(max_size=300), st.integers(0, 999))
def test_no_answer_makes_it_raise(said: bytes, status: int) -> None:
    """An error without a body, one that is no JSON, one of another shape."""
    assert isinstance(verdict(result("id", status, said), registered_at=0, retry_after_s=0), Sent)


@pytest.mark.parametrize(
    "said", [b"[]", b'{"reason": 1}', b'{"timestamp": "x"}', b"\xff", b'{"reason": null}']
)
def test_a_body_of_another_shape_is_as_none(said: bytes) -> None:
    """The status counts."""
    assert verdict(result("id", 410, said), registered_at=0, retry_after_s=0) == Sent(Outcome.REFUSED, "410")


@pytest.mark.parametrize(
    ("timestamp", "outcome"),
    [(1_001, Outcome.DEAD), (1_000, Outcome.LATER), (None, Outcome.LATER)],
)
def test_unregistered_counts_only_after_our_registration(timestamp: int | None, outcome: Outcome) -> None:
    """The phone may have come back since; without a time nothing is proved."""
    said = msgspec.json.encode({"reason": "Unregistered", "timestamp": timestamp})
    assert verdict(result("id", 410, said), registered_at=1_000, retry_after_s=0).outcome is outcome


def test_a_long_reason_is_cut() -> None:
    """It goes into the log."""
    assert len(result("id", 400, msgspec.json.encode({"reason": "x" * 5_000})).description or "") == 100
