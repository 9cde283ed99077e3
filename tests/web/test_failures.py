"""Failed proofs, counted by digest and with a bound."""

from __future__ import annotations

import pytest

from alarmhub.core import attempts
from alarmhub.web import failures
from alarmhub.web.failures import Failures
from alarmhub.web.problems import Failed
from tests.support.intake import NOW


def test_what_is_right_costs_nobody_anything() -> None:
    """A ward of people who sign in all day never fills a bucket."""
    counted = Failures()
    for n in range(10 * attempts.ADDRESS.most):
        counted.begin(f"nurse{n % 7}", "10.0.0.1", NOW)
        counted.was_right(f"nurse{n % 7}", "10.0.0.1", NOW)


def test_one_who_mistypes_and_then_is_right_begins_anew() -> None:
    """Nine wrong, one right: ten more before a wait."""
    counted = Failures()
    for _ in range(3):
        for _ in range(attempts.HERE.most):
            counted.begin("anna", "10.0.0.1", NOW)
        counted.was_right("anna", "10.0.0.1", NOW)
    for _ in range(attempts.HERE.most):
        counted.begin("anna", "10.0.0.1", NOW)
    with pytest.raises(Failed):
        counted.begin("anna", "10.0.0.1", NOW)


def test_made_up_logins_and_addresses_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten."""
    monkeypatch.setattr(failures, "REMEMBERED", 50)
    counted = Failures()
    for n in range(500):
        counted.begin(f"login {n}", f"10.0.{n}.1", NOW)

    assert len(counted) == 50


def test_what_was_typed_is_nowhere() -> None:
    """Not as a key either."""
    counted = Failures()
    counted.begin("hemligt", "10.0.0.1", NOW)

    assert b"hemligt" not in b"".join(counted._buckets)
    assert all(len(key) == 32 for key in counted._buckets)


def test_who_has_a_whole_network_of_addresses_is_still_one() -> None:
    """IPv6 hands each connection 2^64 of them; another network is another."""
    counted = Failures()
    for n in range(attempts.HERE.most):
        counted.begin("anna", f"2001:db8:1:2::{n:x}", NOW)
    with pytest.raises(Failed):
        counted.begin("anna", "2001:db8:1:2:ffff::1", NOW)
    counted.begin("anna", "2001:db8:1:3::1", NOW)
    for n in range(attempts.HERE.most):
        counted.begin("bo", "::ffff:10.0.0.1" if n % 2 else "10.0.0.1", NOW)
    with pytest.raises(Failed):
        counted.begin("bo", "10.0.0.1", NOW)
