"""The alarm as a value: who is concerned, what is due, and that it survives being stored."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Alarm, Phase, Told, concerned, lost_due, told_of
from alarmhub.core.kinds import Kind
from tests.support.ward import Ward

CLOCKS = [f for f in Alarm.__struct_fields__ if f.endswith("_at") and f != "raised_at"]


def test_due_is_the_earliest_of_all_its_clocks() -> None:
    """Every field that is a clock counts; one forgotten would never fire."""
    alarm = replace(Ward().press("12/1").alarm, **dict.fromkeys(CLOCKS))
    assert alarm.due is None and len(CLOCKS) == 10
    for clock in CLOCKS:
        assert replace(alarm, **{clock: 7}).due == 7, clock
    assert replace(alarm, answer_at=9, return_at=8).due == 8


def test_concerned_are_the_told_who_have_not_said_no() -> None:
    """And nobody after the end."""
    alarm = Ward().press("12/1").alarm
    answers = ("", "accepted", "declined", "holding", "released")
    told = tuple(Told(a or "asked", 1, 0, "unit", answer=a) for a in answers)
    alarm = replace(alarm, told=told)
    assert concerned(alarm) == ("asked", "accepted", "holding")
    assert [t.staff for t in told if t.rings] == ["asked"]
    assert concerned(replace(alarm, phase=Phase.ENDED)) == ()
    assert told_of(alarm, "declined") == told[2] and told_of(alarm, "nobody") is None


def test_the_first_loss_on_the_way_counts() -> None:
    """Who is there, and who has contact, does not."""
    one = Acceptance("a", 0, lost_at=5_000)
    two = Acceptance("b", 0, lost_at=2_000)
    there = Acceptance("c", 0, arrived_at=1, lost_at=1)
    assert lost_due((one, two, there)) == 62_000
    assert lost_due((there, Acceptance("d", 0))) is None


def test_an_alarm_survives_being_stored() -> None:
    """With everything that can be in it."""
    ward = Ward()
    call = ward.press("12", Kind.ASSAULT, person="anna", text="å", callback="12")
    call.attends("hugo")
    alarm = call.alarm
    assert msgspec.json.decode(msgspec.json.encode(alarm), type=Alarm) == alarm
    assert alarm.open and not alarm.drill


def test_an_alarm_stored_by_an_older_hub_loads() -> None:
    """What it did not know then is empty."""
    ward = Ward()
    alarm = ward.press("12/1", origin="words").alarm
    stored = msgspec.json.decode(msgspec.json.encode(alarm))
    del stored["origin"]
    for told in stored["told"]:
        told.pop("reported", None)
    loaded = msgspec.convert(stored, Alarm)
    told = tuple(replace(t, reported=False) for t in alarm.told)
    assert loaded == replace(alarm, origin="", told=told) != alarm
