"""Who is woken by push, when it goes beside an open socket, and that nobody is woken twice in a turn."""

from __future__ import annotations

import pytest

from alarmhub.core.effects import Push
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from tests.support.ward import Call, Ward


def pushes(ward: Ward, call: Call) -> list[Push]:
    """Every push so far, in order."""
    return [effect for effect in ward.effects[call.id] if isinstance(effect, Push)]


def test_a_live_phone_is_not_pushed_to_for_an_ordinary_call() -> None:
    """Its socket has the call already; a second sound would help nobody."""
    ward = Ward()
    ward.push = {"anna", "bo"}
    call = ward.press("12/1")
    assert call.ringing == {"anna", "bo"} and call.pushed == []


def test_where_seconds_count_push_goes_beside_the_socket() -> None:
    """At once, to everybody told who has a target; who has none is rung by socket alone."""
    ward = Ward()
    ward.push = {"anna", "bo", "cia"}
    call = ward.press("12/1", Kind.EMERGENCY)
    assert call.ringing == {"anna", "bo", "cia", "dan"}
    assert sorted(call.pushed) == ["anna", "bo", "cia"]
    assert {p.priority for p in pushes(ward, call)} == {"high"}


def test_who_lost_the_socket_a_moment_ago_is_pushed_to_at_once() -> None:
    """Recent is not live: the frame would reach nobody."""
    ward = Ward()
    ward.push = {"anna", "bo"}
    ward.phone("anna", Reach.RECENT)
    call = ward.press("12/1")
    assert call.pushed == ["anna"]


def test_a_socket_lost_while_it_should_ring_is_made_up_for_by_push() -> None:
    """She has not heard it yet; the step does not wait for the socket to come back. Once, however often the
    phone's reach changes after that."""
    ward = Ward()
    ward.push = {"anna"}
    ward.mute_phones = {"anna"}
    call = ward.press("12/1")
    assert call.pushed == []
    ward.at(2)
    ward.phone("anna", Reach.RECENT)
    assert call.pushed == ["anna"] and call.codes[-1] == "pushed_instead"
    ward.phone("anna", Reach.LIVE)
    ward.phone("anna", Reach.PUSHABLE)
    assert call.pushed == ["anna"]


def test_whose_phone_has_rung_is_not_rung_again_for_a_lost_socket() -> None:
    """It rings on by itself."""
    ward = Ward()
    ward.push = {"anna"}
    call = ward.press("12/1")
    ward.phone("anna", Reach.RECENT)
    assert call.pushed == []


def test_a_phone_that_can_be_pushed_to_only_now_is_pushed_to_now() -> None:
    """Nothing reached it when the step began: the news of its address is as good as a socket."""
    ward = Ward()
    ward.no_phone("anna")
    call = ward.press("12/1")
    assert call.pushed == []
    ward.at(3)
    ward.phone("anna", Reach.PUSHABLE)
    assert call.pushed == ["anna"]


@pytest.mark.parametrize("answer", ["decline", "accept"])
def test_who_has_answered_is_left_in_peace(answer: str) -> None:
    """By another phone, or by this one before it fell asleep."""
    ward = Ward()
    ward.push = {"anna"}
    ward.mute_phones = {"anna", "bo"}
    call = ward.press("12/1")
    call.says("anna", answer)
    ward.phone("anna", Reach.PUSHABLE)
    assert call.pushed == []


def test_each_turn_that_rings_her_wakes_her_once() -> None:
    """The steps and the last resort ring her again: each is a push, and none is two."""
    ward = Ward()
    ward.phone("anna", Reach.PUSHABLE)
    ward.mute_phones = {"bo", "cia", "dan", "eva", "finn"}
    call = ward.press("12/1")
    turns: set[int] = set()
    for second in range(600):
        ward.at(second)
        turns.add(next(t.turn for t in call.alarm.told if t.staff == "anna"))
        assert len(call.pushed) == len(turns)
    assert len(turns) > 2


def test_an_alarm_that_grows_worse_wakes_those_it_rings_beside_their_sockets() -> None:
    """It was a call, now it is an emergency: high from here on."""
    ward = Ward()
    ward.push = {"anna"}
    call = ward.press("12/1", key="9")
    assert call.pushed == []
    ward.signal("12/1", Kind.EMERGENCY, event="update", key="9")
    assert call.alarm.kind is Kind.EMERGENCY and call.pushed == ["anna"]


def test_a_drill_goes_every_way_and_says_that_it_is_one() -> None:
    """Its result is wanted for each channel: a live phone is pushed to as well."""
    ward = Ward()
    ward.push = {"anna"}
    call = ward.press("12/1", Kind.DRILL, targets=("staff:anna", "staff:bo"))
    (push,) = pushes(ward, call)
    assert (push.staff, push.drill) == ("anna", True)


def test_the_victims_phone_is_never_lit() -> None:
    """Assault: everybody's phone is pushed to, hers is not."""
    ward = Ward()
    ward.push = set(ward.site.staff)
    call = ward.press("12/1", Kind.ASSAULT, person="anna")
    assert "anna" not in call.pushed and {"bo", "cia", "dan"} <= set(call.pushed)


def test_a_push_carries_a_rev_that_the_hub_has() -> None:
    """A receipt for a later rev than the alarm's own would be dropped: also where push came after."""
    ward = Ward()
    ward.push = {"anna"}
    ward.mute_phones = {"anna"}
    call = ward.press("12/1")
    ward.phone("anna", Reach.RECENT)
    (push,) = pushes(ward, call)
    assert push.rev == call.alarm.rev == 1
    ward.at(60)
    assert pushes(ward, call)[-1].rev <= call.alarm.rev


def test_pushing_is_no_receipt() -> None:
    """The provider took it, and no phone rang: the step passes on when its time is over, and not before."""
    ward = Ward()
    ward.phone("anna", Reach.PUSHABLE)
    ward.phone("bo", Reach.PUSHABLE)
    call = ward.press("12/1")
    ward.at(9.999)
    assert call.ringing == {"anna", "bo"}
    ward.at(10)
    assert call.ringing > {"anna", "bo"} and "nobody_rang" in str(call.facts("step_passed"))
