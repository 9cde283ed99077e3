"""Logging in over ESPA-X: right, wrong, and too often wrong."""

from __future__ import annotations

from alarmhub.inbound.espax_login import FAILURES, FAILURES_WITHIN_MS, HOSTS_REMEMBERED, LoginGuard
from alarmhub.secret import Secret


def guard() -> LoginGuard:
    """Of one user."""
    return LoginGuard("lichtruf", Secret("geheim12"))


def test_both_words_must_be_right() -> None:
    """And nothing odd raises."""
    it = guard()
    assert it.check("lichtruf", "geheim12", "h", 0)
    for user, password in [("lichtruf", "geheim1"), ("x", "geheim12"), ("", ""), ("\udcff", "ä")]:
        assert not it.check(user, password, "h", 0)


def test_who_guesses_too_often_is_put_off_for_a_minute_and_nobody_else() -> None:
    """Until the first failure is a minute old."""
    it = guard()
    for n in range(FAILURES):
        assert not it.put_off("bad", n)
        it.check("lichtruf", "wrong", "bad", n)
    assert it.put_off("bad", FAILURES)
    assert not it.put_off("good", FAILURES)
    assert it.put_off("bad", FAILURES_WITHIN_MS - 1)
    assert not it.put_off("bad", FAILURES_WITHIN_MS)


def test_a_right_login_forgives() -> None:
    """The count begins anew."""
    it = guard()
    for _ in range(FAILURES - 1):
        it.check("lichtruf", "wrong", "h", 0)
    assert it.check("lichtruf", "geheim12", "h", 0)
    it.check("lichtruf", "wrong", "h", 0)
    assert not it.put_off("h", 0)


def test_a_storm_of_addresses_is_not_remembered_for_ever() -> None:
    """The oldest goes."""
    it = guard()
    for n in range(HOSTS_REMEMBERED + 50):
        it.check("x", "y", f"host{n}", 0)
    assert len(it._failed) == HOSTS_REMEMBERED
