"""What is said to Firebase, and what its answers mean for an address."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmhub.people import PushTarget
from alarmhub.push.fcm_note import TTL_MOST_S, message, verdict
from alarmhub.push.transport import Outcome, Sent
from tests.support.push import note

PHONE = PushTarget(device="d", transport="fcm", address="a" * 100, registered_at=0)


@pytest.mark.parametrize(
    ("priority", "said"), [("high", "HIGH"), ("medium", "HIGH"), ("low", "HIGH"), ("information", "NORMAL")]
)
def test_what_rings_wakes_a_dozing_phone(priority: str, said: str) -> None:
    """A patient's call of low priority too."""
    assert message(note(priority=priority), None)["android_config"]["priority"] == said


@pytest.mark.parametrize(
    ("ttl_s", "said"), [(0, "0s"), (-5, "0s"), (60, "60s"), (TTL_MOST_S + 1, f"{TTL_MOST_S}s")]
)
def test_how_long_it_is_kept(ttl_s: int, said: str) -> None:
    """Within Firebase's bounds."""
    assert message(note(ttl_s=ttl_s), None)["android_config"]["ttl"] == said


def test_a_drill_says_so() -> None:
    """The app rings nobody for it. All values are strings, as Firebase wants them."""
    data = message(note(drill=True), None)["data_payload"]
    assert data == {"aid": "alarm1", "seq": "3", "prio": "high", "drill": "1"}


@given(st.integers(100, 599), st.binary(max_size=300))
def test_no_answer_makes_it_raise(status: int, body: bytes) -> None:
    """Without a body, with one that is no JSON, or of another shape."""
    assert isinstance(verdict(status, body, PHONE, 0), Sent)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"error": 1}',
        b'{"error": {"details": {}}}',
        b'{"error": {"details": [1]}}',
        b"\xff",
        b"null",
    ],
)
@pytest.mark.parametrize("status", [400, 403, 404])
def test_what_cannot_be_read_forgets_no_address(status: int, body: bytes) -> None:
    """A proxy's page is no word of Firebase."""
    assert verdict(status, body, PHONE, 0).outcome is Outcome.REFUSED


def test_only_the_address_is_blamed_for_what_is_wrong_with_it() -> None:
    """A message with another fault is our own."""

    def bad(*fields: str, text: str = "") -> Outcome:
        violations = [{"field": field, "description": "x"} for field in fields]
        details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations}]
        error = {"code": 400, "status": "INVALID_ARGUMENT", "message": text, "details": details}
        return verdict(400, json.dumps({"error": error}).encode(), PHONE, 0).outcome

    assert bad("message.token") is Outcome.DEAD
    assert bad("message.token", "message.android.ttl") is Outcome.REFUSED
    assert bad("message.data", text="bad registration token") is Outcome.REFUSED
    assert bad(text="The registration token is not valid") is Outcome.DEAD
    assert bad(text="Request contains an invalid argument.") is Outcome.REFUSED
