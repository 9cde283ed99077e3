"""What the hub says of phones: the shift leader hears it once, and it never becomes a siren."""

from __future__ import annotations

import pytest

from alarmhub.core.events import HUB_SOURCE
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from tests.support.ward import Call, Ward

HOUR_S = 3600


def notice(ward: Ward, **more: object) -> Call:
    """A phone of ward 201 is muted."""
    given = {
        "source": HUB_SOURCE, "type": "phone_muted", "unit": "201", "targets": ("shift_leader",),
        "event": "once", "key": "k",
    }  # fmt: skip
    (id,) = ward.signal("", Kind.REQUEST, **(given | more))  # type: ignore[arg-type]
    return Call(ward, id)


def test_only_the_shift_leader_hears_it_and_nobody_after_her() -> None:
    """Unanswered it goes to no unit, no cover and no last resort; after its time it is over."""
    ward = Ward()
    call = notice(ward)
    assert call.ringing == {"dan"}
    ward.later(HOUR_S)
    assert call.shown == {"dan"} and "last_resort" not in call.flags
    ward.later(HOUR_S)
    assert call.phase == "ended"


def test_a_leader_who_cannot_be_reached_passes_it_to_nobody() -> None:
    """The board shows it all the same."""
    ward = Ward()
    ward.no_phone("dan")
    call = notice(ward)
    ward.later(HOUR_S)
    assert call.shown <= {"dan"}


@pytest.mark.parametrize("lost", [False, True])
def test_taken_it_reminds_nobody(lost: bool) -> None:
    """Not even when whoever took it loses contact: then it rings the leader, and her alone."""
    ward = Ward()
    call = notice(ward)
    assert call.accepts("dan").ok
    if lost:
        ward.phone("dan", Reach.NONE)
    ward.later(HOUR_S)
    assert call.shown == {"dan"}
    assert call.phase == ("ringing" if lost else "accepted")


def test_no_source_can_make_its_own_alarm_quiet() -> None:
    """The same words from a plant escalate like any request."""
    ward = Ward()
    call = notice(ward, source="plant")
    ward.later(HOUR_S)
    assert {"anna", "bo", "cia"} <= call.shown and "last_resort" in call.flags


def test_another_notice_of_the_hub_escalates_as_ever() -> None:
    """Only what it says of phones is quiet."""
    ward = Ward()
    call = notice(ward, type="many_calls")
    ward.later(HOUR_S)
    assert {"anna", "bo", "cia"} <= call.shown
