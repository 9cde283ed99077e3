"""Who can be reached, and whose phone lies untouched."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from alarmhub.core.kinds import UNTOUCHED_WITHIN_S
from alarmhub.core.reach import Reach, best
from alarmhub.engine.contact import Contacts, Touches
from tests.support.stored import NOW

HALF_HOUR_MS = UNTOUCHED_WITHIN_S * 1000


def test_a_person_is_reached_as_well_as_the_best_device() -> None:
    """Before and after of the person, not of the device."""
    contacts = Contacts()
    assert contacts.device("anna", "phone", Reach.LIVE) == (Reach.NONE, Reach.LIVE)
    assert contacts.device("anna", "tablet", Reach.LIVE) == (Reach.LIVE, Reach.LIVE)
    assert contacts.device("anna", "phone", Reach.RECENT) == (Reach.LIVE, Reach.LIVE)
    assert contacts.device("anna", "tablet", Reach.NONE) == (Reach.LIVE, Reach.RECENT)
    assert contacts.device("anna", "phone", Reach.NONE) == (Reach.RECENT, Reach.NONE)
    assert contacts.reach == {}


def test_the_reach_that_decisions_hold_changes_in_place() -> None:
    """The world keeps the mapping itself."""
    contacts = Contacts()
    held = contacts.reach
    contacts.device("anna", "phone", Reach.LIVE)
    assert held == {"anna": Reach.LIVE} and contacts.reach is held


def test_who_listens_hears_of_a_person_whose_reach_is_another_and_of_nobody_else() -> None:
    """A second device that changes nothing for the person is no news; a pager is."""
    contacts = Contacts()
    heard: list[str] = []
    contacts.on_change.append(heard.append)
    contacts.device("anna", "phone", Reach.LIVE)
    contacts.device("anna", "tablet", Reach.LIVE)
    contacts.device("anna", "tablet", Reach.NONE)
    contacts.pagers(["rut"])
    contacts.device("anna", "phone", Reach.NONE)
    assert heard == ["anna", "rut", "anna"]


def test_a_pager_reaches_one_way_and_no_better_device_hides_it() -> None:
    """A pager alone: one way. With a phone: the phone; without again: the pager."""
    contacts = Contacts()
    contacts.pagers(["rut"])
    assert contacts.reach == {"rut": Reach.ONE_WAY}
    assert contacts.device("rut", "phone", Reach.LIVE) == (Reach.ONE_WAY, Reach.LIVE)
    assert contacts.device("rut", "phone", Reach.NONE) == (Reach.LIVE, Reach.ONE_WAY)
    contacts.pagers([])
    assert contacts.reach == {}


def test_devices_are_counted_by_reach() -> None:
    """For metrics: devices, not people."""
    contacts = Contacts()
    contacts.device("anna", "phone", Reach.LIVE)
    contacts.device("anna", "tablet", Reach.LIVE)
    contacts.device("bo", "phone", Reach.RECENT)
    contacts.device("cia", "phone", Reach.NONE)
    assert contacts.by_reach() == {"live": 2, "recent": 1}


def test_a_sleeping_phone_that_push_reaches_is_reachable() -> None:
    """Without a socket pushable, with one live, after the grace pushable again; without an address: none."""
    contacts = Contacts()
    held = contacts.push
    assert contacts.pushable("anna", ("phone",))
    assert contacts.reach == {"anna": Reach.PUSHABLE} and held == {"anna"}
    assert contacts.device("anna", "phone", Reach.LIVE) == (Reach.PUSHABLE, Reach.LIVE)
    assert contacts.device("anna", "phone", Reach.RECENT) == (Reach.LIVE, Reach.RECENT)
    assert contacts.device("anna", "phone", Reach.NONE) == (Reach.RECENT, Reach.PUSHABLE)
    assert not contacts.pushable("anna", ("phone", "tablet")), "she was pushable before"
    assert contacts.pushable("anna", ())
    assert contacts.reach == {} and held == set()
    assert not contacts.pushable("anna", ())


def test_push_beside_a_socket_or_a_pager_is_the_second_best() -> None:
    """A live phone stays live, a pager is worse than a phone that can answer."""
    contacts = Contacts()
    contacts.pagers(["rut"])
    contacts.pushable("rut", ("phone",))
    assert contacts.reach == {"rut": Reach.PUSHABLE}
    contacts.device("rut", "tablet", Reach.LIVE)
    contacts.pushable("rut", ())
    assert contacts.reach == {"rut": Reach.LIVE}


def test_a_device_counts_once_whatever_reaches_it() -> None:
    """Asleep it is pushable; with its socket open it is live."""
    contacts = Contacts()
    contacts.pushable("anna", ("phone", "tablet"))
    contacts.device("anna", "phone", Reach.LIVE)
    contacts.device("bo", "phone", Reach.RECENT)
    assert contacts.by_reach() == {"live": 1, "pushable": 1, "recent": 1}


_STEP = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from(list(Reach)))


@given(st.lists(_STEP, max_size=40))
def test_reach_is_always_the_best_of_what_is_there(steps: list[tuple[str, str, Reach]]) -> None:
    """Whatever the order of connects and losses."""
    contacts, model = Contacts(), {}
    for staff, device, reach in steps:
        contacts.device(staff, device, reach)
        model[staff, device] = reach
        for person in "ab":
            expected = best(r for (s, _), r in model.items() if s == person)
            assert contacts.reach.get(person, Reach.NONE) is expected
    assert sum(contacts.by_reach().values()) == sum(r is not Reach.NONE for r in model.values())


# The phone in the locker


def test_two_untouched_rings_within_half_an_hour() -> None:
    """One is nothing; the second within half an hour makes it; half an hour after the first it is over."""
    touches = Touches()
    touches.untouched_ring("anna", "a1", NOW)
    assert touches.untouched(NOW) == frozenset()
    touches.untouched_ring("anna", "a2", NOW + 60_000)
    assert touches.untouched(NOW + 60_000) == {"anna"}
    assert touches.untouched(NOW + HALF_HOUR_MS - 1) == {"anna"}
    assert touches.untouched(NOW + HALF_HOUR_MS) == frozenset()


def test_an_alarm_that_rings_again_and_again_counts_once() -> None:
    """Two different alarms, not two turns of one."""
    touches = Touches()
    for turn in range(5):
        touches.untouched_ring("anna", "a1", NOW + turn)
    assert touches.untouched(NOW + 9) == frozenset()


def test_a_touch_clears_it() -> None:
    """Whoever does anything on the phone has it in hand."""
    touches = Touches()
    touches.untouched_ring("anna", "a1", NOW)
    touches.untouched_ring("anna", "a2", NOW)
    touches.touched("anna")
    assert touches.untouched(NOW) == frozenset()
    touches.untouched_ring("anna", "a3", NOW)
    assert touches.untouched(NOW) == frozenset()


def test_nothing_old_is_kept() -> None:
    """Staff who come and go over the years leave nothing behind."""
    touches = Touches()
    for number in range(1_000):
        touches.untouched_ring(f"s{number}", "a", NOW)
    touches.untouched(NOW + HALF_HOUR_MS)
    assert not touches._rings


def test_a_person_is_reached_elsewhere_on_any_other_device() -> None:
    """By socket or by push; the device asked about counts for nothing, and one device is asked by itself."""
    contacts = Contacts()
    assert contacts.elsewhere("anna", "a") is Reach.NONE
    contacts.device("anna", "a", Reach.LIVE)
    assert contacts.elsewhere("anna", "a") is Reach.NONE and contacts.elsewhere("anna", "b") is Reach.LIVE
    contacts.pushable("anna", ("a",))
    assert contacts.elsewhere("anna", "a") is Reach.NONE
    contacts.pushable("anna", ("a", "b"))
    assert contacts.elsewhere("anna", "a") is Reach.PUSHABLE
    contacts.device("anna", "b", Reach.RECENT)
    assert contacts.elsewhere("anna", "a") is Reach.RECENT
    assert contacts.of_device("anna", "a") is Reach.LIVE
    assert contacts.of_device("anna", "c") is contacts.of_device("bo", "a") is Reach.NONE
    contacts.device("anna", "b", Reach.NONE)
    assert contacts.of_device("anna", "b") is Reach.PUSHABLE
