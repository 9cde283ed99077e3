"""What contacts have to say, told in order and until it is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.inbound import contacts
from alarmhub.inbound.contacts import TELL_AT_ONCE, WAITING_PER_POINT, Telling
from alarmhub.inbound.feed import Feed
from alarmhub.ports import NotStored, SignalOutcome
from alarmhub.tasks import Crew
from protocols.contacts import Point, Say
from tests.support.intake import Intake
from tests.support.waiting import until

POINTS = (Point(name="a", address=0), Point(name="b", address=1, label="Blodkyl"))
START, END = SignalEvent.START, SignalEvent.END


class Hub(Intake):
    """An intake that refuses what it is told to, by key."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    async def signal(self, signal: Signal) -> SignalOutcome:
        """Refuse by key, else take."""
        if signal.key in self.refused:
            raise NotStored("full")
        return await super().signal(signal)


class Rig:
    """One module's telling, and the hub that hears it."""

    def __init__(self) -> None:
        self.hub, self.crew = Hub(), Crew("test")
        self.feed = Feed("plant", "modbus", hub=self.hub, clock=MonotonicClock(), crew=self.crew)
        self.telling = Telling("io", POINTS, self.feed)

    @property
    def told(self) -> list[tuple[str, SignalEvent]]:
        """Key and event of every signal that was stored."""
        return [(signal.key, signal.event) for signal in self.hub.taken]


@pytest.fixture
async def rig(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    """Telling, and quick to try again."""
    monkeypatch.setattr(contacts, "TELL_AGAIN_S", 0.01)
    monkeypatch.setattr(contacts, "DRAIN_WITHIN_S", 0.1)
    one = Rig()
    one.telling.start()
    yield one
    await one.telling.close()
    one.feed.close()
    assert await one.crew.close()
    assert not one.crew.fatal.done()


def say(
    point: str, event: Any = "start", word: Literal["active", "fault"] = "active", cause: str = ""
) -> Say:
    """One thing to tell."""
    return Say(point, word, event, cause, 5)


async def test_it_is_told_in_the_words_the_site_s_rules_see(rig: Rig) -> None:
    """Address, state and label; a line fault that no rule gives a kind is technical."""
    rig.telling.tell([say("a"), say("b", word="fault", cause="value 7")])
    await until(lambda: len(rig.hub.taken) == 2, "both")
    active, fault = rig.hub.taken
    assert (active.ref, active.source_text, active.key, active.occurred_at) == (
        "io/a",
        "active",
        "io/a:active",
        5,
    )
    assert (active.kind, fault.kind) == (None, Kind.TECHNICAL)
    assert fault.source_text == "fault: Blodkyl (value 7)"


async def test_what_comes_after_something_of_the_same_point_is_told_after_it(rig: Rig) -> None:
    """Signals of one store have no order among each other."""
    rig.telling.tell([say("a"), say("a", "end"), say("b"), say("a")])
    await until(lambda: len(rig.hub.taken) == 4, "all")
    assert [event for key, event in rig.told if key == "io/a:active"] == [START, END, START]


async def test_what_waits_is_bounded_and_the_last_state_is_told(rig: Rig) -> None:
    """A contact that flaps through an outage costs no memory, and its alarm is right afterwards."""
    rig.hub.refuse = NotStored("database")
    for _ in range(500):
        rig.telling.tell([say("a"), say("a", "end")])
        assert rig.telling.waiting <= WAITING_PER_POINT * len(POINTS) + TELL_AT_ONCE
    rig.telling.tell([say("b")])
    rig.hub.refuse = None
    await until(lambda: ("io/b:active", START) in rig.told, "the last")
    assert rig.told[0] == ("io/a:active", START)
    assert [a.key for a in rig.hub.open_alarms()] == ["io/b:active"]


async def test_what_the_hub_cannot_take_now_holds_nothing_else_up(rig: Rig) -> None:
    """A full queue refuses the lowest first; a press behind it goes past, its own end does not."""
    rig.hub.refused.add("io/a:active")
    rig.telling.tell([say("a"), say("a", "end"), say("b"), say("b", "end")])
    await until(lambda: rig.told == [("io/b:active", START), ("io/b:active", END)], "the other point")
    rig.hub.refused.clear()
    await until(lambda: rig.told[2:] == [("io/a:active", START), ("io/a:active", END)], "what was refused")


async def test_a_stop_waits_for_the_hub_only_so_long(rig: Rig) -> None:
    """What could not be told is counted."""
    rig.hub.refuse = NotStored("database")
    rig.telling.tell([say("a")])
    await rig.telling.close()
    assert rig.feed.status.last_refusal == "1 changes of contacts"
