"""Phones on duty: each threshold from both sides, to the millisecond."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.core import words
from alarmhub.core.handsets import (
    Cause,
    HandsetRules,
    Said,
    Seen,
    Track,
    find,
    own_text,
    step,
    text,
)

T0 = 1_800_000_000_000
RULES = HandsetRules()


class Phone:
    """A phone that is looked at whenever something happens, and when the last look asked for another."""

    def __init__(self, cause: Cause, rules: HandsetRules = RULES, **seen: Any) -> None:
        usual = {"said": Said(), "contact_at": T0, "live": True, "asleep": False, "newest": True,
                 "duty_since": T0}  # fmt: skip
        self.cause, self.rules = cause, rules
        self.seen: dict[str, Any] = usual | seen
        self.track, self.due = Track(), None
        self.now = T0

    def is_at(self, ms: int, **seen: Any) -> bool:
        """Let time pass up to `ms` after the start, looking only when asked to; is there a warning?"""
        target = T0 + ms
        while self.due is not None and self.due <= target:
            self.now = self.due
            self.look()
        self.now = target
        if seen:
            self.seen |= seen
            self.look()
        return self.track.since is not None

    def look(self) -> None:
        """At what is known of it now."""
        found = find(self.cause, Seen(**self.seen), self.rules, self.now)
        again, self.due = step(self.track, found, self.now)
        # A second look at the same instant changes nothing.
        assert step(again, found, self.now)[0] == again
        self.track = again

    def says(self, ms: int, **said: Any) -> bool:
        """A status; is there a warning?"""
        return self.is_at(ms, said=Said(**said))


def test_a_phone_without_contact_for_two_minutes_is_silent() -> None:
    """Not a millisecond before; back once it has been there for half a minute."""
    phone = Phone(Cause.SILENT)
    assert not phone.is_at(10_000, live=False, contact_at=T0 + 10_000)
    assert not phone.is_at(129_999)
    assert phone.is_at(130_000)
    assert phone.is_at(140_000, live=True, contact_at=T0 + 140_000)
    assert phone.is_at(169_999)
    assert not phone.is_at(170_000)


def test_a_lift_is_no_silence_and_a_flicker_no_return() -> None:
    """Contact before the time is over begins it anew; contact shorter than half a minute ends nothing."""
    phone = Phone(Cause.SILENT)
    phone.is_at(0, live=False)
    assert not phone.is_at(119_000, live=True, contact_at=T0 + 119_000)
    assert not phone.is_at(120_000, live=False, contact_at=T0 + 120_000)
    assert not phone.is_at(239_999)
    assert phone.is_at(240_000)
    assert phone.is_at(250_000, live=True, contact_at=T0 + 250_000)
    assert phone.is_at(279_999, live=False, contact_at=T0 + 279_999)
    assert phone.is_at(500_000)


def test_coming_on_duty_begins_the_time_anew() -> None:
    """Yesterday's contact is nobody's fault at seven in the morning."""
    phone = Phone(Cause.SILENT, live=False, contact_at=T0 - 40_000_000)
    assert not phone.is_at(0, duty_since=T0)
    assert not phone.is_at(119_999)
    assert phone.is_at(120_000)


def test_a_sleeping_phone_that_pushes_wake_is_silent_after_four_hours() -> None:
    """No contact is how it sleeps."""
    phone = Phone(Cause.SILENT, live=False, asleep=True)
    phone.look()
    assert not phone.is_at(4 * 3600_000 - 1)
    assert phone.is_at(4 * 3600_000)
    assert not phone.is_at(4 * 3600_000 + 5, contact_at=T0 + 4 * 3600_000 + 5)


def test_a_sleeping_phone_that_does_not_answer_a_push_is_silent_at_once() -> None:
    """Until it is heard of."""
    phone = Phone(Cause.SILENT, live=False, asleep=True)
    assert phone.is_at(1000, push_lost_at=T0 + 1000)
    assert not phone.is_at(2000, push_lost_at=None, contact_at=T0 + 2000)


def test_an_old_phone_in_a_drawer_is_not_silent() -> None:
    """Only the one heard of last stands for its owner."""
    phone = Phone(Cause.SILENT, live=False, newest=False)
    phone.look()
    assert not phone.is_at(10_000_000)


@pytest.mark.parametrize(
    ("cause", "bad", "fine"), [(Cause.BATTERY_LOW, 14, 20), (Cause.BATTERY_CRITICAL, 4, 8)]
)
def test_a_battery_is_low_below_its_threshold_and_well_some_percent_above(
    cause: Cause, bad: int, fine: int
) -> None:
    """Between the two what was remains: a battery that wavers does not flap."""
    phone = Phone(cause)
    assert not phone.says(0, battery=bad + 1)
    assert phone.says(1, battery=bad)
    assert phone.says(2, battery=bad + 1)
    assert phone.says(3, battery=fine - 1)
    assert not phone.says(4, battery=fine)
    assert not phone.says(5, battery=bad + 1)


def test_a_loose_plug_is_no_charger() -> None:
    """A minute on it is."""
    phone = Phone(Cause.BATTERY_LOW)
    assert phone.says(0, battery=10)
    assert phone.says(1_000, battery=10, charging=True)
    assert phone.says(60_999, battery=10, charging=False)
    assert phone.says(70_000, battery=10, charging=True)
    assert phone.is_at(129_999)
    assert not phone.is_at(130_000)
    assert phone.says(140_000, battery=10, charging=False)


def test_a_phone_that_cannot_tell_is_not_warned_of() -> None:
    """Nothing said is nothing wrong."""
    for cause in (c for c in Cause if c is not Cause.SILENT):
        phone = Phone(cause)
        phone.look()
        assert not phone.says(10_000_000)


@pytest.mark.parametrize("said", [{"muted": True}, {"volume": 0}, {"muted": False, "volume": 0}])
def test_a_muted_phone_is_warned_of_after_a_minute(said: dict[str, Any]) -> None:
    """Ten seconds of sound end it."""
    phone = Phone(Cause.MUTED)
    assert not phone.says(0, **said)
    assert not phone.is_at(59_999)
    assert phone.is_at(60_000)
    assert phone.says(70_000, muted=False, volume=40)
    assert phone.is_at(79_999)
    assert not phone.is_at(80_000)


def test_on_a_break_a_phone_may_be_muted() -> None:
    """And where the site's rule allows it; with "alone" only while somebody else is there."""
    muted = Said(muted=True)
    for rules, seen in (
        (RULES, {"away": True}),
        (HandsetRules(muted="allow"), {}),
        (HandsetRules(muted="alone"), {}),
    ):
        phone = Phone(Cause.MUTED, rules, said=muted, **seen)
        phone.look()
        assert not phone.is_at(10_000_000)
    phone = Phone(Cause.MUTED, HandsetRules(muted="alone"), said=muted, alone=True)
    phone.look()
    assert phone.is_at(60_000)


@pytest.mark.parametrize("word", ["denied", "default"])
def test_a_phone_that_lost_its_permission_is_warned_of(word: str) -> None:
    """After ten seconds, and until it has it back: who has just allowed it must see the warning go."""
    phone = Phone(Cause.NO_PERMISSION)
    assert not phone.says(0, notifications=word)
    assert not phone.is_at(9_999)
    assert phone.is_at(10_000)
    assert not phone.says(20_000, notifications="granted")


def test_two_rings_without_a_touch_are_warned_of_at_once() -> None:
    """And a touch ends it."""
    phone = Phone(Cause.UNTOUCHED)
    assert phone.is_at(0, untouched=True)
    assert not phone.is_at(1, untouched=False)


def test_every_cause_has_words_for_its_owner_and_for_others() -> None:
    """In both languages, the battery's level in them."""
    assert set(words.PHONE) == set(words.PHONE_OWN) == {str(c) for c in Cause}
    # The notice to the shift leader has a name of its own, but for what the core tells of already.
    assert {f"phone_{c}" for c in Cause if c is not Cause.UNTOUCHED} <= set(words.NOTICES)
    said = Said(battery=12)
    assert own_text(Cause.BATTERY_LOW, said, "sv") == "Batteriet är på 12 %: ladda telefonen."
    assert own_text(Cause.BATTERY_LOW, said, "en") == "The battery is at 12 %: charge the phone."
    assert text(Cause.BATTERY_CRITICAL, said, "en") == "the battery runs out (12 %)"
    for cause in Cause:
        assert own_text(cause, Said(), "sv") != own_text(cause, Said(), "en")
