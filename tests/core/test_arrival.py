"""From accept to arrival: how many suffice, how many must be there, and which clocks run."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import RULES, Kind
from alarmhub.core.site import Policy, PolicyRule, Step
from tests.support.ward import S, Ward


@pytest.mark.parametrize("kind", [k for k in Kind if k not in (Kind.DRILL, Kind.TEAM, Kind.ASSISTANCE)])
def test_an_accept_starts_the_arrivals_clocks_and_stops_the_steps(kind: Kind) -> None:
    """Reminder and check by the kind's row; where it has neither, only the question after half an hour."""
    ward = Ward()
    call = ward.press("12/1", kind)
    call.accepts("anna" if kind is not Kind.TECHNICAL else "ivar")
    rules, alarm = RULES[kind], call.alarm
    assert (alarm.reach_at, alarm.answer_at, alarm.return_at) == (None, None, None)
    for seconds, at in ((rules.remind_s, alarm.remind_at), (rules.lapse_s, alarm.lapse_at)):
        assert at == (None if seconds is None else ward.now + seconds * S)
    assert (alarm.review_at is None) is (rules.remind_s is not None or rules.lapse_s is not None)


def test_how_many_suffice_is_the_policys_for_assistance() -> None:
    """enough(n)."""
    ward = Ward()
    ward.publish(Policy("three", 1, (Step(("unit",), 20, 5),), 30, 60, 60, 90, enough=3))
    ward.rule(PolicyRule("three", kind=Kind.ASSISTANCE))
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna", "bo")
    assert call.phase == "partly_accepted"
    call.accepts("cia")
    assert call.phase == "accepted" and call.ringing == set()


@pytest.mark.parametrize(
    ("kind", "needed"), [(Kind.PATIENT_CALL, 1), (Kind.EMERGENCY, 2), (Kind.ASSAULT, 1), (Kind.ASSISTANCE, 1)]
)
def test_how_many_must_be_there(kind: Kind, needed: int) -> None:
    """Two for an emergency, the whole team for a team, one for everything else."""
    ward = Ward()
    call = ward.press("12", kind)
    if kind is Kind.ASSISTANCE:
        call.accepts("bo", "cia")
        call.attends("bo")
    else:
        for number, person in enumerate(("anna", "bo")[:needed], 1):
            call.attends(person)
            assert (call.phase == "attended") is (number == needed)
    assert call.phase == "attended" and call.facts("arrived")["needed"] == needed


def test_the_whole_team_must_be_there() -> None:
    """Every role, as many as it needs."""
    ward = Ward()
    call = ward.press("12", None, type="heart")
    for person in ("kim", "lena", "anna"):
        call.attends(person)
        assert call.phase == "partly_accepted"
    call.attends("bo")
    assert call.phase == "attended" and call.facts("arrived")["needed"] == 4


def test_arriving_without_having_accepted_is_both() -> None:
    """På plats from whoever rings."""
    ward = Ward()
    call = ward.press("12/1")
    call.attends("bo")
    assert (call.phase, call.takers, call.shown) == ("attended", ["bo"], {"bo"})
    assert call.alarm.lapse_at is None and call.alarm.remind_at is None


def test_arriving_twice_is_arriving_once() -> None:
    """The first instant counts, and the question whether it is open is not put off."""
    ward = Ward()
    call = ward.press("12/1")
    call.attends("anna")
    before = call.alarm
    ward.later(60)
    call.attends("anna")
    assert call.alarm is before
