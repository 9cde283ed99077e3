"""Alertmanager's webhook: the documented payload, what is missing or odd in it, and any bytes at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.alertmanager import MAX_ALERTS, Alert, Faulty, Notification, read
from tests.fuzz.fuzz_alertmanager import SEEDS, target

GROUP = (Path(__file__).parent / "samples" / "alertmanager" / "group.json").read_bytes()


def said(*alerts: dict[str, Any], **more: Any) -> Notification:
    """What a body with these alerts says."""
    found = read(json.dumps({"alerts": alerts, **more}).encode())
    assert isinstance(found, Notification), found
    return found


def one(status: str = "firing", **more: Any) -> dict[str, Any]:
    """A small alert."""
    return {"status": status, "labels": {"alertname": "Down"}, "fingerprint": "f1", **more}


def test_the_documented_payload_is_two_alerts() -> None:
    """One fires, one is over; times to the millisecond, Go's zero time is none."""
    found = read(GROUP)
    assert isinstance(found, Notification)
    full, over = found.alerts
    assert (full.key, full.firing, full.name) == ("c6a1f3b0d2e49f17", True, "FilesystemAlmostFull")
    assert full.summary == "Disken på pacs-2 är nästan full"
    assert full.labels["instance"] == "pacs-2:9100"
    assert full.started_at == 1_793_887_387_123
    assert (over.key, over.firing, over.summary) == (
        "0f3bc1a9d4e7728c",
        False,
        "9 % left on /bilder of pacs-1",
    )
    assert (found.cut, found.resolved) == (0, False)


def test_an_alert_without_words_is_called_by_its_name() -> None:
    """Line breaks of templates become blanks."""
    (bare,) = said(one()).alerts
    assert bare.summary == "Down"
    (blank,) = said(one(annotations={"summary": " \n", "message": "a\n  b"})).alerts
    assert blank.summary == "a b"


@pytest.mark.parametrize("fingerprint", ["", "f" * 65, "åäö", "a b", "\x00"])
def test_a_sender_without_good_fingerprints_gets_keys_by_labels(fingerprint: str) -> None:
    """The same labels in any order are the same alert, others are another."""
    keys = [
        said(one(fingerprint=fingerprint, labels=labels)).alerts[0].key
        for labels in ({"a": "1", "b": "2"}, {"b": "2", "a": "1"}, {"a": "1", "b": "3"})
    ]
    assert keys[0] == keys[1] != keys[2]


def test_one_alert_told_twice_counts_by_its_last_mention() -> None:
    """A group never says two things of one alert."""
    (alert,) = said(one("firing"), one("resolved")).alerts
    assert not alert.firing


def test_a_group_is_bounded_and_what_is_cut_is_counted() -> None:
    """By Alertmanager's `max_alerts` and by ours."""
    many = [one(fingerprint=f"f{n}") for n in range(MAX_ALERTS + 5)]
    found = said(*many, truncatedAlerts=3)
    assert (len(found.alerts), found.cut) == (MAX_ALERTS, 8)


@pytest.mark.parametrize(
    ("body", "member"),
    [
        (b"", ""),
        (b"\xff", ""),
        (b"[]", ""),
        (b"[" * 100_000, ""),
        (b"{}", "alerts"),
        (b'{"alerts":null}', "alerts"),
        (b'{"alerts":[{}]}', "alerts"),
        (b'{"alerts":[{"status":"maybe","labels":{}}]}', "alerts"),
        (b'{"alerts":[{"status":"firing","labels":{"a":1}}]}', "alerts"),
        (b'{"alerts":[],"truncatedAlerts":-1}', "truncatedAlerts"),
        (b'{"alerts":[],"groupKey":7}', "groupKey"),
    ],
)
def test_what_is_no_notification_names_the_member(body: bytes, member: str) -> None:
    """And says what belongs there."""
    found = read(body)
    assert isinstance(found, Faulty)
    assert found.member == member
    assert found.expected


def test_a_body_without_alerts_is_told_what_is_missing() -> None:
    """In words that follow "expected", not the decoder's own complaint."""
    assert read(b"{}") == Faulty("alerts", "a list of alerts")


@pytest.mark.parametrize(
    "time", ["", "0001-01-01T00:00:00Z", "yesterday", "9999-12-31T23:59:59.9-14:00", "1960-01-01"]
)
def test_a_time_that_is_none_is_none(time: str) -> None:
    """Or far in the future, as said; never an exception."""
    started = said(one(startsAt=time)).alerts[0].started_at
    assert started is None or started > 253_402_000_000_000


def test_unknown_members_are_ignored() -> None:
    """Of newer versions and of other senders of this format."""
    found = said(one(values={"A": 1}), orgId=1, title="x", version="5")
    assert found.alerts == (Alert("f1", True, {"alertname": "Down"}, {}, None),)


@given(st.binary(max_size=300))
def test_any_bytes_are_answered(data: bytes) -> None:
    """Never an exception."""
    target(data)


@given(st.integers(0, len(GROUP) - 1), st.integers(0, 255))
def test_any_byte_of_the_payload_may_be_another(at: int, byte: int) -> None:
    """Never an exception."""
    target(GROUP[:at] + bytes([byte]) + GROUP[at + 1 :])


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "status": st.sampled_from(["firing", "resolved"]),
                "labels": st.dictionaries(st.text(), st.text()),
            },
            optional={
                "fingerprint": st.text(),
                "startsAt": st.text(),
                "annotations": st.dictionaries(st.text(), st.text()),
            },
        )
    )
)
def test_any_labels_make_a_group(alerts: list[dict[str, Any]]) -> None:
    """Whatever text stands in them."""
    target(json.dumps({"alerts": alerts}).encode())


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_the_seeds_of_the_fuzzer_hold(seed: int) -> None:
    """They are what mutations begin with."""
    target(SEEDS[seed])
