"""The end of an alarm: nobody is told any more, no clock runs, the source hears it."""

from __future__ import annotations

from alarmhub.core.events import Ended
from alarmhub.core.kinds import Kind
from tests.support.ward import MIN, Ward


def test_the_reset_ends_it_in_every_phase() -> None:
    """Ringing, accepted, attended; every phone forgets it."""
    for answer in (None, "accept", "attend"):
        ward = Ward()
        call = ward.press("12/1")
        if answer:
            call.says("anna", answer)
        ward.reset("12/1", Kind.PATIENT_CALL)
        assert (call.phase, call.shown, call.alarm.due) == ("ended", set(), None)
        assert call.reports[-1] == "ended" and call.alarm.ended_by == "source"


def test_who_attended_is_remembered_and_else_who_took_it() -> None:
    """For "rings again"."""
    ward = Ward()
    call = ward.press("12", Kind.ASSISTANCE)
    call.accepts("anna")
    call.attends("bo")
    ward.reset("12", Kind.ASSISTANCE)
    assert call.alarm.last_attended == "bo"
    other = ward.press("13/1")
    other.accepts("cia")
    ward.reset("13/1", Kind.PATIENT_CALL)
    assert other.alarm.last_attended == "cia"


def test_an_unclear_reset_is_a_flag_and_a_reason_and_moves_no_clock() -> None:
    """The plant's own words beside the candidates."""
    ward = Ward()
    one = ward.press("12/1")
    ward.press("12/2")
    before = one.alarm
    ward.reset("12", source_text="RUM 12 ATER")
    assert one.alarm.due == before.due and one.alarm.told == before.told
    assert one.facts("reset_unclear")["source_text"] == "RUM 12 ATER"


def test_the_reset_of_an_assault_waits_for_a_word_and_rings_on() -> None:
    """Nobody has come yet: the press may have been forced off."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT)
    ringing = set(call.ringing)
    ward.reset("12", Kind.ASSAULT)
    assert call.ringing == ringing and "reset_needs_safe_word" in call.codes
    ward.at(5 * MIN)
    assert call.ringing > ringing


def test_the_hub_may_end_an_assault_it_knows_to_be_over() -> None:
    """Only the source's reset waits for a responder."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT)
    ward.feed(call.id, Ended("expired"))
    assert call.phase == "ended"
