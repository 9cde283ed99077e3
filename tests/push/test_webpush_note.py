"""What is said to a browser's push service, and what its answers mean."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

import alarmhub.web
from alarmhub.people import PushTarget
from alarmhub.push.transport import Outcome, Sent
from alarmhub.push.webpush_note import TTL_MOST_S, body, headers, keys_fault, topic, verdict
from tests.support.push import note
from tests.support.subscription import CURVE, Browser, opened, unb64


@pytest.mark.parametrize(
    ("priority", "urgency"),
    [("high", "high"), ("medium", "high"), ("low", "high"), ("information", "normal")],
)
def test_what_rings_is_urgent(priority: str, urgency: str) -> None:
    """A phone that saves its battery gets it too."""
    assert headers(note(priority=priority), "x")["Urgency"] == urgency


@pytest.mark.parametrize(
    ("ttl_s", "said"), [(0, "0"), (-1, "0"), (60, "60"), (TTL_MOST_S + 1, str(TTL_MOST_S))]
)
def test_how_long_it_is_kept(ttl_s: int, said: str) -> None:
    """Never for ever."""
    assert headers(note(ttl_s=ttl_s), "x")["TTL"] == said


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_topic_always_fits_and_tells_alarms_apart(one: str, other: str) -> None:
    """32 characters of base64url."""
    said = topic(one)
    assert len(said) == 32 and set(said) <= set("-_") | {chr(c) for c in range(128) if chr(c).isalnum()}
    assert (said == topic(other)) == (one == other)


@given(st.integers(100, 599), st.binary(max_size=200))
def test_no_answer_makes_it_raise(status: int, said: bytes) -> None:
    """And what it says can be printed."""
    sent = verdict(status, said, 0)
    assert isinstance(sent, Sent) and sent.detail.isprintable()
    assert (sent.outcome is Outcome.DEAD) == (status in (404, 410))


@given(st.dictionaries(st.sampled_from(["p256dh", "auth"]), st.text(max_size=300)))
def test_no_keys_make_it_raise(keys: dict[str, str]) -> None:
    """A client may send anything."""
    assert keys_fault(keys) is not None


def test_the_reader_of_these_tests_reads_the_example_of_rfc_8291() -> None:
    """So that what it reads of ours proves something."""
    key = ec.derive_private_key(int.from_bytes(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")), CURVE)
    body = unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8w"
        "EqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    assert opened(body, key, unb64("BTBZMqHH6r4Tts7J_aSIgg")) == b"When I grow up, I want to be a watermelon"


def test_the_note_is_in_the_words_of_the_service_worker() -> None:
    """It is what reads it: each word stands there."""
    browser = Browser()
    target = PushTarget(device="d", transport="webpush", address="", registered_at=0, keys=browser.keys)
    said = browser.reads(body(note(), target))
    worker = (Path(alarmhub.web.__file__).parent / "static" / "sw.js").read_text(encoding="utf-8")
    assert sorted(said) == ["alarm", "drill", "priority", "rev"]
    assert all(f"said.{word}" in worker for word in said)
