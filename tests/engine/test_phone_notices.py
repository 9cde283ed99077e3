"""Notices to the shift leader: what they are, who else is asked, and when they are taken back."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.handsets import Cause
from alarmhub.core.roster import roster_at
from alarmhub.core.world import World
from alarmhub.engine.handset import Handset
from alarmhub.engine.phone_notices import PhoneNotices
from tests.support.ward import T0, Ward


class Desk:
    """Hears what is said; `open` holds the alarms that are open by key."""

    def __init__(self, ward: Ward) -> None:
        self.said: list[Signal] = []
        self.open: dict[str, Alarm] = {}
        world = World(ward.site, roster_at(ward.site, T0, {}), {})
        self.notices = PhoneNotices(
            world=lambda: world, say=self.said.append, opened=lambda source, key: self.open.get(key)
        )

    def began(self, staff: str, cause: Cause, *units: str, shift_at: int = 1) -> bool:
        """A warning of a person's phone."""
        return self.notices.began(self.phone(staff, shift_at), cause, units, T0)

    def phone(self, staff: str, shift_at: int = 1) -> Handset:
        """Her one phone."""
        phone = Handset(staff, "d", T0)
        phone.shift_at = shift_at
        return phone


def test_a_notice_asks_the_leader_of_the_first_unit_that_has_one() -> None:
    """And is opaque: the key says nothing, and is another in the next shift."""
    desk = Desk(Ward())
    assert desk.began("eva", Cause.MUTED, "202", "201")
    (said,) = desk.said
    assert (said.unit, said.targets, said.type) == ("201", ("shift_leader",), "phone_muted")
    assert "eva" not in repr(said).lower()
    desk.began("eva", Cause.MUTED, "201", shift_at=2)
    assert desk.said[1].key != said.key


def test_nobody_is_asked_where_nobody_leads_or_the_core_does_it() -> None:
    """Nor the leader about herself."""
    desk = Desk(Ward())
    assert not desk.began("eva", Cause.MUTED, "202")
    assert not desk.began("dan", Cause.MUTED, "201")
    assert not desk.began("anna", Cause.UNTOUCHED, "201")
    assert desk.said == []


def test_whose_only_phone_is_silent_is_asked_on_what_else_she_has() -> None:
    """A pager or a number for texts."""
    ward = Ward()
    staff = {**ward.site.staff, "anna": replace(ward.site.staff["anna"], sms="+46700000001")}
    ward.site = replace(ward.site, staff=staff)
    desk = Desk(ward)
    desk.began("anna", Cause.SILENT, "201")
    desk.began("anna", Cause.MUTED, "201")
    desk.began("bo", Cause.SILENT, "201")
    assert [s.targets for s in desk.said] == [
        ("shift_leader", "staff:anna"), ("shift_leader",), ("shift_leader",),
    ]  # fmt: skip


def test_it_is_taken_back_once_when_it_is_over() -> None:
    """Said twice it ends once; of what was never begun nothing ends."""
    desk = Desk(Ward())
    desk.began("anna", Cause.MUTED, "201")
    for _ in range(2):
        desk.notices.over(desk.phone("anna"), Cause.MUTED)
        desk.notices.over(desk.phone("bo"), Cause.MUTED)
    assert [s.event for s in desk.said] == [SignalEvent.ONCE, SignalEvent.END]
    assert desk.said[0].key == desk.said[1].key


def test_what_nobody_answered_in_its_time_is_taken_back() -> None:
    """One that is not open any more is forgotten, after a while in which it may still be stored."""
    desk = Desk(Ward())
    desk.began("anna", Cause.MUTED, "201")
    key = desk.said[0].key
    desk.notices.look(T0 + 10_000)
    ward = Ward()
    call = ward.press("", "request", source="hub", type="phone_muted", unit="201", key=key, event="once")
    desk.open[key] = call.alarm
    desk.notices.look(T0 + 11_000)
    assert len(desk.said) == 1
    ward.later(121)
    desk.open[key] = call.alarm
    desk.notices.look(T0 + 121_000)
    assert [s.event for s in desk.said] == [SignalEvent.ONCE, SignalEvent.END]


def test_a_start_takes_over_what_it_finds_open() -> None:
    """Ones of phones only."""
    desk, ward = Desk(Ward()), Ward()
    muted = ward.press("", "request", source="hub", type="phone_muted", unit="201", key="m", event="once")
    many = ward.press("", "request", source="hub", type="many_calls", unit="201", key="n", event="once")
    desk.notices.take([muted.alarm, many.alarm], T0)
    ward.later(121)
    desk.open = {"m": muted.alarm, "n": many.alarm}
    desk.notices.look(T0 + 121_000)
    # Taken back once: nobody answered it in its time, and no warning goes with it.
    assert [s.key for s in desk.said] == ["m"]


def test_a_notice_without_its_warning_is_doubted_for_a_minute() -> None:
    """A crash came between the two: it ends, unless the warning was found or comes back; nobody is asked
    again."""
    desk = Desk(Ward())
    for cause in (Cause.MUTED, Cause.SILENT, Cause.BATTERY_LOW):
        desk.began("anna", cause, "201")
    keys = [s.key for s in desk.said]
    ward = Ward()
    open_ = [
        ward.press("", "request", source="hub", type=s.type, unit="201", key=s.key, event="once").alarm
        for s in desk.said
    ]
    again = Desk(ward)
    again.open = dict(zip(keys, open_, strict=True))
    again.notices.take(open_, T0)
    again.notices.goes_with(again.phone("anna"), Cause.MUTED)
    again.notices.look(T0 + 59_999)
    assert again.began("anna", Cause.SILENT, "201") and again.said == []
    again.notices.look(T0 + 60_000)
    assert [s.key for s in again.said] == [keys[2]]
