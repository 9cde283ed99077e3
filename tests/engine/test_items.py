"""What waits: ranks, lanes, and when each counts."""

from __future__ import annotations

import asyncio

from alarmhub.core.events import Answer, Signal, SignalEvent, WorldChanged
from alarmhub.core.kinds import Priority
from alarmhub.core.shifts import Available
from alarmhub.engine.items import (
    RANK_OF,
    AnswerItem,
    DeadlineItem,
    FactItem,
    Rank,
    ReceiptItem,
    SignalItem,
    WordItem,
    WorldItem,
)
from tests.support.stored import NOW
from tests.support.virtual import in_virtual_time


def test_every_priority_has_its_rank_and_high_goes_first() -> None:
    """No priority is forgotten; answers go before all, receipts after all."""
    assert set(RANK_OF) == set(Priority)
    assert RANK_OF[Priority.HIGH] < RANK_OF[Priority.MEDIUM] < RANK_OF[Priority.LOW]
    assert RANK_OF[Priority.INFORMATION] is Rank.LOW
    assert min(Rank) is Rank.ANSWER and max(Rank) is Rank.RECEIPT


@in_virtual_time
async def test_all_events_of_an_alarm_share_its_lane() -> None:
    """Answers, receipts, deadlines and changes of the world of one alarm are decided in their order."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    items = [
        AnswerItem(
            NOW, future, staff="anna", device="d", req="r", alarm="a1", answer=Answer.ACCEPT, rev=1,
            reason="", via="phone",
        ),
        ReceiptItem(NOW, staff="anna", device="d", alarm="a1", seen=False),
        DeadlineItem(NOW, Rank.LOW, "a1"),
        WorldItem(NOW, Rank.LOW, "a1", WorldChanged("roster")),
    ]  # fmt: skip
    assert {item.lane for item in items} == {"a1"}
    assert not any(item.refused or item.queued for item in items)


@in_virtual_time
async def test_the_others_have_lanes_of_their_own() -> None:
    """A signal has the one it is given, availability its person's, a fact its own: nobody waits for it."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    signal = Signal(source="plant", event=SignalEvent.START)
    assert SignalItem(NOW, Rank.LOW, "plant|k", future, signal).lane == "plant|k"
    away = WordItem(NOW, future, staff="anna", device="d", req="r", said=Available("break"))
    assert (away.lane, away.rank) == ("staff:anna", Rank.ANSWER)
    fact = FactItem(NOW, "seen", "d", b"1")
    assert (fact.lane, fact.rank, fact.future) == ("fact:seen:d", Rank.RECEIPT, None)


def test_a_deadline_counts_at_its_due_time() -> None:
    """Not when it was noticed."""
    assert DeadlineItem(NOW - 5_000, Rank.HIGH, "a1").at == NOW - 5_000
