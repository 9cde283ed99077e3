"""Which open alarms are looked at again when somebody's phone is lost, found, asleep."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.core.alarm import Acceptance, Told
from alarmhub.core.events import WorldChanged
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.engine.contact import Contacts
from alarmhub.engine.items import Item, WorldItem
from alarmhub.engine.reaching import Reaching
from alarmhub.engine.state import State
from alarmhub.ports import Change
from tests.support.clock import ManualClock
from tests.support.stored import NOW, alarm


class Desk:
    """Open alarms, and what was queued for them."""

    def __init__(self, **told: Any) -> None:
        self.state = State()
        self.state.put(alarm("a", told=(Told("anna", 1, NOW, "unit", **told),)))
        self.queued: list[tuple[str, WorldChanged]] = []
        self.contacts = Contacts()
        self.reaching = Reaching(
            contacts=self.contacts, state=self.state, clock=ManualClock(NOW), put=self._put
        )

    def _put(self, item: Item) -> None:
        assert isinstance(item, WorldItem)
        self.queued.append((item.alarm, item.event))

    def queued_by(self, staff: str, reach: Reach) -> list[tuple[str, WorldChanged]]:
        """What a change of her phone's reach leads to."""
        self.queued.clear()
        self.reaching.device(staff, "phone", reach, NOW + 5)
        return list(self.queued)


def test_who_can_no_longer_be_reached_is_news_for_what_she_is_told_of() -> None:
    """Live to recent is none yet: the grace is not over. A stranger's phone is nobody's news."""
    desk = Desk()
    assert desk.queued_by("anna", Reach.LIVE) == []
    assert desk.queued_by("anna", Reach.RECENT) == []
    assert desk.queued_by("anna", Reach.NONE) == [("a", WorldChanged("reach", "anna", NOW + 5))]
    assert desk.queued_by("bo", Reach.LIVE) == desk.queued_by("bo", Reach.NONE) == []


def test_an_acceptor_on_her_way_is_followed() -> None:
    """Lost and found; where push reaches her sleeping phone she is not lost."""
    desk = Desk(answer="accepted")
    desk.state.put(
        alarm(
            "a", version=2, told=(Told("anna", 1, NOW, "unit", answer="accepted"),),
            acceptances=(Acceptance("anna", NOW),),
        )
    )  # fmt: skip
    desk.reaching.pushable("anna", ("phone",))
    assert desk.queued_by("anna", Reach.LIVE) == [("a", WorldChanged("reach", "anna", None))]
    assert desk.queued_by("anna", Reach.RECENT) == [("a", WorldChanged("reach", "anna", NOW + 5))]
    assert desk.queued_by("anna", Reach.NONE) == [("a", WorldChanged("reach", "anna", None))]


def test_a_phone_that_is_still_to_be_woken_is_looked_at() -> None:
    """Its socket is lost, or push reaches it only now."""
    desk = Desk()
    desk.reaching.device("anna", "phone", Reach.LIVE, NOW)
    desk.reaching.pushable("anna", ("phone",))
    assert desk.queued == []
    assert desk.queued_by("anna", Reach.RECENT) == [("a", WorldChanged("reach", "anna", NOW + 5))]

    late = Desk()
    late.reaching.pushable("anna", ("phone",))
    assert late.queued == [("a", WorldChanged("reach", "anna", None))]


@pytest.mark.parametrize("told", [{"rang_at": NOW}, {"pushed": True}, {"answer": "holding"}])
def test_a_phone_that_need_not_be_woken_is_none(told: dict[str, Any]) -> None:
    """It rang, was pushed to in this turn, or was answered: ten thousand lost sockets are no queue."""
    desk = Desk(**told)
    desk.reaching.device("anna", "phone", Reach.LIVE, NOW)
    desk.reaching.pushable("anna", ("phone",))
    assert desk.queued_by("anna", Reach.RECENT) == []


def test_at_a_start_acceptors_of_whom_nothing_is_heard_count_as_lost() -> None:
    """Whoever is asleep where push reaches the phone does not."""
    desk = Desk()
    takers = (Acceptance("anna", NOW), Acceptance("bo", NOW), Acceptance("cia", NOW, arrived_at=NOW))
    desk.state.put(alarm("a", version=2, acceptances=takers))
    desk.reaching.pushable("anna", ("phone",))
    desk.queued.clear()
    desk.reaching.count_on_nobody_absent()
    assert desk.queued == [("a", WorldChanged("reach", "bo", NOW))]


def test_at_a_start_a_number_for_text_messages_is_no_sign_of_an_acceptor_who_must_come() -> None:
    """A call that needs hands was taken on a phone, and of that nothing is heard. What can be taken by text
    message is not lost for that."""
    desk = Desk()
    desk.state.put(alarm("a", version=2, acceptances=(Acceptance("anna", NOW),)))
    desk.state.put(alarm("b", kind=Kind.REQUEST, acceptances=(Acceptance("anna", NOW),)))
    desk.contacts.pagers(["anna"])
    desk.reaching.count_on_nobody_absent()
    assert desk.queued == [("a", WorldChanged("reach", "anna", NOW))]


def test_a_phone_that_was_pushed_to_and_is_lost_for_good_is_looked_at() -> None:
    """It has not rung: a text message may still reach its owner. What has rung is no news."""
    for told, looked_at in (({"pushed": True}, True), ({"pushed": True, "rang_at": NOW}, False)):
        desk = Desk(**told)
        desk.reaching.device("anna", "phone", Reach.LIVE, NOW)
        desk.reaching.pushable("anna", ("phone",))
        desk.queued_by("anna", Reach.RECENT)
        assert bool(desk.queued_by("anna", Reach.NONE)) is looked_at


def test_a_commit_is_overtaken_only_by_what_came_after_its_decision() -> None:
    """By a loss of those it tells; not by one it knew of, nor by a stranger's."""
    desk = Desk()
    call = desk.state.alarms["a"]
    desk.reaching.device("anna", "phone", Reach.LIVE, NOW)
    before = desk.reaching.changes
    desk.reaching.device("anna", "phone", Reach.NONE, NOW + 5)
    decided = desk.reaching.changes
    desk.reaching.device("bo", "phone", Reach.LIVE, NOW + 6)
    desk.queued.clear()
    desk.reaching.overtook(Change(None, call), decided)
    assert desk.queued == []
    desk.reaching.overtook(Change(None, call), before)
    assert desk.queued == [("a", WorldChanged("reach", "anna", NOW + 5))]
