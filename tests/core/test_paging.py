"""One-way pagers: paged once a turn, in words, and taken back when it is over."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.effects import Page
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from tests.support.ward import Call, Ward


def pages(ward: Ward, call: Call) -> list[Page]:
    """Every page so far, in order."""
    return [effect for effect in ward.effects[call.id] if isinstance(effect, Page)]


def ward_with_pagers(*staff: str) -> Ward:
    """These carry a pager and no phone."""
    ward = Ward()
    everybody = ward.world.site.staff
    carrying = {s: replace(everybody[s], pager=f"20{n}") for n, s in enumerate(staff)}
    ward.change_site(staff=everybody | carrying)
    for person in staff:
        ward.phone(person, Reach.ONE_WAY)
    return ward


def test_a_page_says_what_and_where_in_the_sites_words() -> None:
    """Kind, place and unit as people call them; nothing about a patient."""
    ward = ward_with_pagers("anna")
    call = ward.press("12/1")
    (page,) = pages(ward, call)
    assert page == Page(
        "anna", "200", call.id, "patientkallelse", "sal 12 plats 1", "Avd 201", str(call.alarm.priority)
    )


def test_a_type_is_called_by_the_sites_name() -> None:
    """Hjärtlarm vuxen, not "teamlarm"."""
    ward = ward_with_pagers("kim")
    call = ward.press("12", Kind.TEAM, type="heart")
    assert [(p.staff, p.label, p.priority) for p in pages(ward, call)] == [("kim", "Hjärtlarm vuxen", "high")]


def test_who_is_told_is_paged_once_in_each_turn() -> None:
    """The steps ring her again, the last resort too: each is a page, and none is two."""
    ward = ward_with_pagers("anna")
    ward.mute_phones = {"bo", "cia", "dan", "eva", "finn"}
    call = ward.press("12/1")
    turns = {call.alarm.turn}
    assert len(pages(ward, call)) == 1
    for second in range(1, 600):
        ward.at(second)
        told = next(t for t in call.alarm.told if t.staff == "anna")
        turns.add(told.turn)
        assert len(pages(ward, call)) == len(turns)
    assert len(turns) > 2


def test_a_pager_is_waited_for_and_is_not_unreachable() -> None:
    """Receipt impossible: her step has its full time, and nobody is told that nobody can be reached."""
    ward = ward_with_pagers("anna", "bo")
    call = ward.press("12/1")
    ward.at(44.999)
    assert call.ringing == {"anna", "bo"}
    assert "nobody_reachable_at_all" not in call.codes


def test_a_page_is_taken_back_when_the_alarm_ends() -> None:
    """With the words it was sent with, to the same pager; only once, and only what was sent."""
    ward = ward_with_pagers("anna")
    call = ward.press("12/1")
    ward.reset("12/1")
    sent, ended = pages(ward, call)
    assert ended == replace(sent, ends=True)


def test_a_page_is_taken_back_when_somebody_else_takes_the_call() -> None:
    """She must not run for nothing; the end of the alarm has nothing to take back then."""
    ward = ward_with_pagers("anna")
    call = ward.press("12/1")
    call.accepts("bo")
    assert [page.ends for page in pages(ward, call)] == [False, True]
    ward.reset("12/1")
    assert len(pages(ward, call)) == 2


def test_a_phone_that_answers_is_not_paged_as_well() -> None:
    """The pager is for who has no open socket."""
    ward = ward_with_pagers("anna")
    ward.phone("anna", Reach.LIVE)
    call = ward.press("12/1")
    assert pages(ward, call) == []
    ward.reset("12/1")
    assert pages(ward, call) == []


def test_who_has_no_pager_is_not_paged() -> None:
    """Whatever her reach says."""
    ward = Ward()
    ward.phone("anna", Reach.ONE_WAY)
    assert pages(ward, ward.press("12/1")) == []


def test_a_silent_drill_sounds_on_no_pager() -> None:
    """A heard one does, and says that it is one."""
    for heard in (False, True):
        ward = ward_with_pagers("anna")
        call = ward.press("12/1", Kind.DRILL, heard=heard)
        assert [page.drill for page in pages(ward, call)] == [True] * heard


def test_a_phone_that_is_lost_before_it_rang_leaves_the_pager() -> None:
    """She is waited for, so she is paged; once, and not when her phone had rung."""
    ward = ward_with_pagers("anna", "bo")
    ward.phone("anna", Reach.RECENT)
    ward.phone("bo", Reach.LIVE)
    call = ward.press("12/1")
    assert pages(ward, call) == []
    for person in ("anna", "anna", "bo"):
        ward.phone(person, Reach.ONE_WAY)
    assert [page.staff for page in pages(ward, call)] == ["anna"]
