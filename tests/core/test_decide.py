"""The front door: pure, total, at most once, never early, and never without a clock."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.decide import decide, fallback
from alarmhub.core.events import (
    Answer,
    Answered,
    DeadlinePassed,
    Ended,
    PresenceChanged,
    Raised,
    Rang,
    Signal,
    SignalEvent,
    WorldChanged,
)
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import Duty, Hours
from tests.support.ward import T0, Ward

UNIT = {"anna", "bo", "cia", "dan"}
START = Signal("plant", SignalEvent.START, place="f/201/12/1", kind=Kind.PATIENT_CALL, key="k")


def test_only_a_raise_opens_an_alarm() -> None:
    """Everything else about nothing is nothing."""
    world = Ward().world
    for event in (Ended("source"), Answered("anna", Answer.ACCEPT, 1), DeadlinePassed(1, T0), Rang("a", "d")):
        assert decide(None, event, world, T0).alarm is None
    opened = decide(None, Raised(START, "a1"), world, T0).alarm
    assert opened is not None and (opened.version, opened.rev, opened.turn, opened.turn_rev) == (1, 1, 1, 1)


def test_the_same_input_gives_the_same_decision() -> None:
    """Pure: nothing is remembered between two calls."""
    world = Ward().world
    assert decide(None, Raised(START, "a1"), world, T0) == decide(None, Raised(START, "a1"), world, T0)


def test_receipts_change_nobodys_view() -> None:
    """The version rises, the rev does not: no phone is woken by another's receipt."""
    ward = Ward()
    ward.mute_phones = {"anna", "bo"}
    call = ward.press("12/1")
    before = call.alarm
    ward.feed(call.id, Rang("anna", "d1"))
    assert call.alarm.rev == before.rev and call.alarm.version == before.version + 1
    assert call.reports == ["queued", "paged"]
    ward.feed(call.id, Rang("anna", "d1", seen=True))
    ward.feed(call.id, Rang("bo", "d2"))
    assert call.alarm.rev == before.rev and call.reports.count("paged") == 1
    told = {t.staff: t for t in call.alarm.told}
    assert told["anna"].seen_at == ward.now and told["bo"].seen_at is None


def test_seen_is_rang_too() -> None:
    """Who looked at it was reached."""
    ward = Ward()
    ward.mute_phones = {"anna", "bo"}
    call = ward.press("12/1")
    ward.feed(call.id, Rang("anna", "d1", seen=True))
    ward.at(20)
    assert call.ringing == {"anna", "bo"}, "the step is not passed for want of a receipt"


def test_a_receipt_of_somebody_else_is_nothing() -> None:
    """Whoever is not told cannot have rung."""
    ward = Ward()
    call = ward.press("12/1")
    before = call.alarm
    ward.feed(call.id, Rang("eva", "d"))
    assert call.alarm is before


@pytest.mark.parametrize(
    "answer", ["accept", "decline", "attend", "hold"], ids=["accept", "decline", "attend", "hold"]
)
def test_what_a_phone_sees_has_a_new_rev(answer: str) -> None:
    """Every answer that changes the view raises it by one."""
    ward = Ward()
    call = ward.press("205:12/1" if answer == "hold" else "12/1")
    before = call.alarm.rev
    call.says("olle" if answer == "hold" else "anna", answer)
    assert call.alarm.rev > before


def test_every_change_a_phone_shows_has_a_new_rev() -> None:
    """A repeat's count, a reminder and its return every hour, more time, a door's last step."""
    ward = Ward()
    call = ward.press("pump", Kind.TECHNICAL)
    revs = [call.alarm.rev]

    def risen() -> bool:
        revs.append(call.alarm.rev)
        return revs[-1] > revs[-2]

    ward.press("pump", Kind.TECHNICAL)
    assert risen()
    call.says("ivar", "accept", via="sms")
    assert risen()
    for minute in (30, 90, 150):
        ward.at(minute * 60 - 1)
        assert not risen()
        ward.at(minute * 60)
        assert risen() and "reminded" in call.flags
    call.attends("ivar")
    assert risen() and "reminded" not in call.flags


def test_a_doors_last_step_takes_its_next_step_from_the_phones() -> None:
    """They show when the hub does something next: nothing any more."""
    ward = Ward()
    call = ward.press("pump", Kind.DOOR)
    before = call.alarm
    ward.at(30)
    assert call.alarm.answer_at is None and call.alarm.rev == before.rev + 1


def test_a_noted_accept_is_shown_to_who_gave_it() -> None:
    """You: noted."""
    ward = Ward()
    call = ward.press("12/1")
    before = call.alarm.rev
    call.says("anna", "accept", via="sms")
    assert call.alarm.rev == before + 1


def test_a_new_turn_makes_older_declines_stale() -> None:
    """`turn_rev` is the rev with which the turn began."""
    ward = Ward()
    call = ward.press("12/1")
    ward.at(45)
    assert call.alarm.turn_rev == call.alarm.rev > 1


def test_a_clock_that_jumps_back_moves_no_deadline_forward() -> None:
    """`at` is never before the last decision, and nothing is done early because of it."""
    ward = Ward()
    call = ward.press("12/1")
    alarm = decide(call.alarm, Rang("anna", "d2", seen=True), ward.world, T0 - 3_600_000).alarm
    assert alarm is not None and alarm.at == T0
    early = decide(alarm, DeadlinePassed(1, T0 + 45_000), ward.world, T0 - 3_600_000)
    assert early.alarm is alarm


def test_a_clock_that_jumps_ahead_burns_one_step_only() -> None:
    """A day later: the next step, with its full time."""
    ward = Ward()
    call = ward.press("12/1")
    alarm = decide(call.alarm, DeadlinePassed(1, T0 + 45_000), ward.world, T0 + 86_400_000).alarm
    assert alarm is not None and alarm.step == 1 and alarm.answer_at == T0 + 86_400_000 + 60_000


def test_an_ended_alarm_is_closed_for_everything() -> None:
    """No event of any kind brings it back."""
    ward = Ward()
    call = ward.press("12/1")
    ward.reset("12/1", Kind.PATIENT_CALL)
    ended = call.alarm
    for event in (
        Raised(START, "a1"),
        Ended("source"),
        DeadlinePassed(1, T0),
        WorldChanged("roster"),
        Rang("anna", "d"),
        PresenceChanged(True, START),
    ):
        assert decide(ended, event, ward.world, T0 + 10**7).alarm is ended


def test_when_the_rules_fail_the_fallback_rings_the_last_resort() -> None:
    """Fixed and simple; whoever rang, rings on; excluded by nothing."""
    ward = Ward()
    call = ward.press("12/1")
    call.declines("anna")
    after = fallback(call.alarm, ward.world, T0 + 5000).alarm
    assert after is not None and {"gun", "bo"} <= {t.staff for t in after.told if t.rings}
    assert after.due == T0 + 65_000 and after.version == call.alarm.version + 1


def test_the_fallback_of_an_alarm_somebody_has_asks_again_soon() -> None:
    """It silences nobody and rings nobody; it only keeps a clock."""
    ward = Ward()
    call = ward.press("12/1")
    call.accepts("anna")
    after = fallback(replace(call.alarm, remind_at=None, lapse_at=None), ward.world, T0).alarm
    assert after is not None and after.due == T0 + 60_000 and after.phase == "accepted"


def test_an_alarm_found_without_a_clock_gets_one() -> None:
    """Whatever path led there: it rings its last resort, or asks whether it is still open."""
    ward = Ward()
    call = ward.press("12/1")
    stopped: Alarm = replace(call.alarm, answer_at=None, reach_at=None, return_at=None)
    again = decide(stopped, Raised(START, "a1"), ward.world, T0 + 1000).alarm
    assert again is not None and "last_resort" in again.flags and again.due is not None
    call.attends("anna")
    still = decide(replace(call.alarm, review_at=None), Raised(START, "a1"), ward.world, T0 + 1000).alarm
    assert still is not None and still.review_at == T0 + 1000 + 1_800_000


def test_nothing_hides_the_gravest_from_a_break_or_a_busy_phone() -> None:
    """Emergency, team and assault, and whatever is high (never possible 6)."""
    for state in ("break", "busy"):
        ward = Ward()
        ward.available("anna", state)
        for kind, type_ in ((Kind.EMERGENCY, None), (Kind.TEAM, "heart"), (Kind.ASSAULT, None)):
            assert "anna" in ward.press("13", kind, type=type_).ringing
        high = ward.press("12/1", Kind.CLINICAL, priority=Priority.HIGH)
        assert "anna" in high.ringing
        assert ward.press("12/1").ringing == {"bo"}


def test_a_break_is_respected_only_while_somebody_else_of_the_unit_is_at_hand() -> None:
    """The last who could come is rung, on a break or not."""
    ward = Ward()
    for person in sorted(UNIT):
        ward.available(person, "break")
    assert ward.press("12/1").ringing == {"anna", "bo"}
    lone = Ward()
    lone.available("olle", "break")
    assert lone.press("205:12/1").ringing == {"olle"}


def test_a_nurse_shared_by_two_wards_is_left_in_peace_by_neither_when_alone_in_one() -> None:
    """Others in the first ward do not answer in the second."""
    ward = Ward()
    ward.on_duty(Duty("olle", "201", ("usk",), Hours()))
    ward.available("olle", "break")
    assert ward.press("205:12/1").ringing == {"olle"}


def test_frequency_neither_drops_nor_delays() -> None:
    """Two hundred calls of one bed all ring at once (never possible 5)."""
    ward = Ward()
    for _ in range(200):
        call = ward.press("12/1")
        assert call.ringing >= {"anna"}
        ward.reset("12/1", Kind.PATIENT_CALL)
