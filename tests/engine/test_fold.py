"""From events to rows: order, one row per alarm, what raises what, and nothing left of what failed."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Answer, Event, Raised, Signal, SignalEvent, WorldChanged
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.roster import roster_at
from alarmhub.core.site import JoinRule
from alarmhub.core.world import Decision, World
from alarmhub.engine import fold as fold_module
from alarmhub.engine.fold import Folder
from alarmhub.engine.folded import Folded
from alarmhub.engine.ids import Numbers
from alarmhub.engine.items import (
    AnswerItem,
    DeadlineItem,
    FactItem,
    Item,
    Rank,
    ReceiptItem,
    SignalItem,
    WorldItem,
)
from alarmhub.engine.state import State
from alarmhub.ports import Batch, Refused, SignalOutcome
from tests.support.virtual import in_virtual_time
from tests.support.ward import T0, Ward, path


class Desk:
    """A folder on an empty state; `commit` takes in what it made, as the engine does."""

    def __init__(self) -> None:
        site = Ward().site
        self.state = State()
        self.folder = Folder(self.state, Numbers(1))
        reach = dict.fromkeys(site.staff, Reach.LIVE)
        self.world = World(site, roster_at(site, T0, {}), reach)
        self.now = T0

    def signal(self, place: str = "12/1", event: str = "start", at: int = T0, **more: Any) -> SignalItem:
        """A source's event that somebody waits for."""
        more.setdefault("kind", Kind.PATIENT_CALL if event == "start" else None)
        signal = Signal(event=SignalEvent(event), place=path(place), **({"source": "plant"} | more))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return SignalItem(at, Rank.LOW, "lane", future, signal)

    def answer(self, alarm: str, staff: str, answer: str, at: int = T0, req: str = "") -> AnswerItem:
        """A person's answer from the phone, having seen the latest."""
        known = self.state.get(alarm)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        return AnswerItem(
            at, future, staff=staff, device="d", req=req, alarm=alarm, answer=Answer(answer),
            rev=known.rev if known else 1, reason="", via="phone",
        )  # fmt: skip

    def fold(self, *items: Item) -> Folded:
        """Decided, not committed."""
        return self.folder.fold(list(items), self.world, self.now)

    def commit(self, *items: Item) -> Folded:
        """Decided and taken in."""
        folded = self.fold(*items)
        for change in folded.changes():
            self.state.put(change.after)
        for (scope, id), answer in folded.overlay.replies.items():
            self.state.remember(scope, id, answer)
        self.folder.stored_rosters.update(folded.rosters)
        return folded

    def open(self, place: str = "12/1", **more: Any) -> str:
        """A call that is committed; its id."""
        ((_, outcome),) = self.commit(self.signal(place, **more)).replies
        return str(outcome.alarm)


def replies(folded: Folded) -> list[Any]:
    """What each sender is told, in order of events."""
    return [reply for _, reply in folded.replies]


def events(folded: Folded) -> list[str]:
    """Types of what is logged, in order."""
    return [row.type for row in folded.events]


@in_virtual_time
async def test_an_event_becomes_one_row_one_log_entry_and_the_roster_once() -> None:
    """The row is the whole alarm; the entry says what, why, and under which roster."""
    desk = Desk()
    folded = desk.fold(desk.signal(), desk.signal("14/1"))
    batch = folded.batch()
    assert len(batch.alarms) == 2 == len(batch.events) and len(batch.rosters) == 1
    row, entry = batch.alarms[0], batch.events[0]
    alarm = msgspec.json.decode(row.body, type=Alarm)
    assert (row.id, row.due, row.phase) == (alarm.id, alarm.due, "ringing")
    assert entry.alarm == row.id and entry.type == "raised" and entry.roster == desk.world.roster.hash
    assert msgspec.json.decode(entry.body, type=Event) is not None
    assert {r["code"] for r in msgspec.json.decode(entry.reasons)} >= {"raised", "turn_started"}
    assert not desk.state.alarms, "nothing is committed by folding"


@in_virtual_time
async def test_a_stored_roster_is_not_written_again() -> None:
    """By its hash."""
    desk = Desk()
    assert len(desk.commit(desk.signal()).rosters) == 1
    assert not desk.commit(desk.signal("14/1")).rosters


@in_virtual_time
async def test_many_events_of_an_alarm_are_one_row_and_all_its_entries() -> None:
    """Folded in order; versions rise by one with each entry."""
    desk = Desk()
    id = desk.open()
    rang = [ReceiptItem(T0, staff=s, device="d", alarm=id, seen=False) for s in ("anna", "bo")]
    folded = desk.commit(*rang, desk.answer(id, "bo", "accept"), desk.answer(id, "anna", "accept"))
    batch = folded.batch()
    assert len(batch.alarms) == 1 and events(folded) == ["rang", "rang", "answered", "answered"]
    assert [e.version for e in batch.events] == [2, 3, 4, 4]
    assert [r.ok for r in replies(folded)] == [True, False] and replies(folded)[1].error == "taken"
    (change,) = folded.changes()
    assert change.before is not None and (change.before.version, change.after.version) == (1, 4)


@in_virtual_time
async def test_what_came_first_is_decided_first_whatever_its_rank() -> None:
    """By the time it counts at, not by the order of taking."""
    desk = Desk()
    id = desk.open()
    folded = desk.fold(desk.answer(id, "anna", "accept", T0 + 5), desk.answer(id, "bo", "accept", T0 + 3))
    assert [(item.staff, reply.ok) for item, reply in folded.replies] == [("bo", True), ("anna", False)]


@in_virtual_time
async def test_an_answer_before_the_deadline_wins_and_one_after_it_does_not_undo_it() -> None:
    """Both are decided long after; what counts is when each came."""
    for second, log in ((44, ["answered"]), (46, ["deadline_passed", "answered"])):
        desk = Desk()
        id = desk.open()
        desk.commit(*(ReceiptItem(T0, staff=s, device="d", alarm=id, seen=False) for s in ("anna", "bo")))
        desk.now = T0 + 11_000
        desk.commit(DeadlineItem(T0 + 10_000, Rank.LOW, id))
        desk.now = T0 + 50_000
        due = T0 + 45_000
        accept = desk.answer(id, "bo", "accept", T0 + second * 1000)
        folded = desk.fold(accept, DeadlineItem(due, Rank.LOW, id))
        assert events(folded) == log
        assert folded.overlay.changed[id].phase == "accepted"


@in_virtual_time
async def test_an_event_brings_the_deadline_before_it_along() -> None:
    """The timer had not yet fired: what fell due before the event goes first all the same."""
    desk = Desk()
    id = desk.open()
    desk.now = T0 + 50_000
    folded = desk.fold(desk.answer(id, "bo", "accept", T0 + 49_000))
    assert events(folded)[-1] == "answered" and set(events(folded)[:-1]) == {"deadline_passed"}


@in_virtual_time
async def test_a_deadline_that_is_not_due_is_armed_again_and_stores_nothing() -> None:
    """Too early, for a turn that is over, for an alarm that has ended: no row."""
    desk = Desk()
    id = desk.open()
    folded = desk.fold(DeadlineItem(T0 + 10_000, Rank.LOW, id))
    assert folded.empty and folded.rearm == [id] and not folded.late
    desk.commit(desk.signal(event="end", kind=Kind.PATIENT_CALL))
    desk.now = T0 + 20_000
    folded = desk.fold(DeadlineItem(T0 + 10_000, Rank.LOW, id))
    assert folded.empty and folded.rearm == []


@in_virtual_time
async def test_the_same_deadline_twice_acts_once() -> None:
    """Taken twice, as after a lost commit."""
    desk = Desk()
    id = desk.open()
    desk.now = T0 + 11_000
    folded = desk.fold(*(DeadlineItem(T0 + 10_000, Rank.LOW, id) for _ in range(2)))
    assert events(folded) == ["deadline_passed"] and len(folded.late) == 1


@in_virtual_time
async def test_what_concerns_nothing_open_leaves_no_row() -> None:
    """Receipts and changes for an ended alarm, a heartbeat, a world that changes nothing."""
    desk = Desk()
    id = desk.open()
    folded = desk.fold(
        ReceiptItem(T0, staff="anna", device="d", alarm="gone", seen=False),
        WorldItem(T0, Rank.LOW, "gone", WorldChanged("roster")),
        WorldItem(T0, Rank.LOW, id, WorldChanged("roster")),
        desk.signal(event="heartbeat"),
    )
    assert folded.empty and replies(folded) == [SignalOutcome(None)]


@in_virtual_time
async def test_a_start_and_its_end_in_one_batch() -> None:
    """Opened and ended before the commit: one row, ended, and both senders answered."""
    desk = Desk()
    folded = desk.fold(desk.signal(), desk.signal(event="end", kind=Kind.PATIENT_CALL))
    (row,) = folded.batch().alarms
    assert row.phase == "ended" and [r.phase for r in replies(folded)] == ["ringing", "ended"]


@in_virtual_time
async def test_an_alarm_that_raises_another_is_stored_with_it() -> None:
    """ "Hjälp hit": the assistance is in the same batch, whoever asked is no candidate."""
    desk = Desk()
    id = desk.open()
    desk.commit(desk.answer(id, "bo", "accept"))
    folded = desk.fold(desk.answer(id, "bo", "help"))
    kinds = {row.kind for row in folded.batch().alarms}
    assert "assistance" in kinds
    helping = next(c.after for c in folded.changes() if c.after.kind is Kind.ASSISTANCE)
    assert "bo" not in {t.staff for t in helping.told}


@in_virtual_time
async def test_reports_become_outbox_rows_in_order() -> None:
    """One address per source; ids rise."""
    desk = Desk()
    id = desk.open()
    folded = desk.fold(
        ReceiptItem(T0, staff="bo", device="d", alarm=id, seen=False), desk.answer(id, "bo", "accept", T0 + 1)
    )
    rows = folded.batch().outbox
    assert [msgspec.json.decode(r.body)["status"] for r in rows] == ["paged", "accepted"]
    assert [r.id for r in rows] == sorted(r.id for r in rows)
    assert {(r.channel, r.address, r.alarm) for r in rows} == {("report", "plant", id)}
    assert all(r.give_up_at > desk.now for r in rows)


@in_virtual_time
async def test_an_id_is_answered_from_the_batch_and_from_memory() -> None:
    """Twice in the batch, and again in the next: one event, one remembered row."""
    desk = Desk()
    first = desk.commit(desk.signal(id="e1"), desk.signal(id="e1"))
    assert replies(first)[0] == replies(first)[1] and len(first.batch().answered) == 1
    second = desk.commit(desk.signal(id="e1"))
    assert replies(second) == replies(first)[:1] and second.empty


@in_virtual_time
async def test_facts_go_as_they_are() -> None:
    """None forgets."""
    desk = Desk()
    folded = desk.fold(FactItem(T0, "seen", "d1", b"1"), FactItem(T0, "seen", "d2", None))
    assert [(f.key, f.body) for f in folded.batch().facts] == [("d1", b"1"), ("d2", None)]


# What fails


def failing_for(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Deciding raises for events of these refs, or of these alarms' refs."""
    decide = fold_module.decide

    def broken(alarm: Alarm | None, event: Event, world: World, now: int) -> Decision:
        ref = event.signal.ref if isinstance(event, Raised) else alarm.ref if alarm is not None else ""
        if ref in names:
            raise ZeroDivisionError("a defect")
        return decide(alarm, event, world, now)

    monkeypatch.setattr(fold_module, "decide", broken)


@in_virtual_time
async def test_a_poisoned_start_leaves_the_others_as_they_would_be_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Set aside with its words for an engineer; "invalid" for its sender; nothing of it is stored."""
    desk = Desk()
    failing_for(monkeypatch, "bad")
    items = [desk.signal("12/1"), desk.signal("13/1", ref="bad"), desk.signal("14/1", id="e1")]
    folded = desk.fold(*items)
    assert len(folded.batch().alarms) == 2 and len(folded.batch().answered) == 1
    (row,) = folded.batch().quarantined
    assert b"bad" in row.body and "ZeroDivisionError: a defect" in row.cause
    told = {id(item): reply for item, reply in folded.replies}
    assert isinstance(told[id(items[1])], Refused)
    assert isinstance(told[id(items[0])], SignalOutcome) and isinstance(told[id(items[2])], SignalOutcome)


@in_virtual_time
async def test_many_poisoned_events_do_not_multiply_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch full of them is decided a bounded number of times, not once for each."""
    desk = Desk()
    failing_for(monkeypatch, "bad")
    decided: list[object] = []
    one = Folder._one
    monkeypatch.setattr(
        Folder,
        "_one",
        lambda self, folded, item, *rest: (decided.append(item), one(self, folded, item, *rest)),
    )
    items = [desk.signal("12/1", key=f"k{n}", ref="bad" if n % 2 else "good") for n in range(256)]
    folded = desk.fold(*items)
    assert len(folded.batch().quarantined) == 128
    assert len(decided) <= 4 * len(items)


@in_virtual_time
async def test_an_open_alarm_whose_rule_fails_goes_to_its_last_resort(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever event it was: nobody is left waiting for a defect to be mended."""
    desk = Desk()
    id = desk.open(ref="bad")
    failing_for(monkeypatch, "bad")
    folded = desk.fold(desk.answer(id, "bo", "accept"))
    after = folded.overlay.changed[id]
    assert "last_resort" in after.flags and after.due is not None
    assert [alarm for alarm, _ in folded.failed] == [id]


@in_virtual_time
async def test_quarantined_words_can_be_stored_whatever_they_are() -> None:
    """NUL, lone surrogates, megabytes: the row for the engineer must not be refused in its turn."""
    desk = Desk()
    item = desk.signal("12/1", text="\x00 \ud800 " + "x" * 100_000)
    row = fold_module.quarantine(Numbers(1), item, "bad \x00 \ud800 " + "y" * 9_000, T0)
    row.cause.encode()
    assert "\x00" not in row.cause and len(row.cause) <= 500 and len(row.body) <= 8192
    assert b"\x00" not in row.body


@in_virtual_time
async def test_a_fold_that_is_thrown_away_leaves_no_trace() -> None:
    """Its events are decided afresh as if for the first time."""
    desk = Desk()
    id = desk.open()
    items = [desk.answer(id, "bo", "accept", req="r1"), desk.signal("14/1", id="e1")]
    desk.fold(*items)
    folded = desk.commit(*items)
    assert [r.ok for r in replies(folded) if hasattr(r, "ok")] == [True]
    assert isinstance(folded.batch(), Batch) and len(folded.batch().answered) == 2


@in_virtual_time
async def test_what_a_poisoned_event_had_half_decided_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails after its alarm was put and indexed: the next event of the room does not see it."""
    desk = Desk()
    made = Folder._log_event

    def failing(self: Folder, folded: Folded, alarm: Alarm, *rest: Any) -> None:
        if alarm.ref == "bad":
            raise ZeroDivisionError("a defect while rows are made")
        made(self, folded, alarm, *rest)

    monkeypatch.setattr(Folder, "_log_event", failing)
    folded = desk.fold(
        desk.signal("12/2", ref="bad", id="e1"), desk.signal("12/1"), desk.signal("12", event="end")
    )
    assert [row.phase for row in folded.batch().alarms] == ["ended"]
    assert not folded.batch().answered


# One event over two paths


@in_virtual_time
async def test_one_event_over_two_paths_is_one_row_with_both_in_its_time_line() -> None:
    """In one batch or two; each end names the alarm, the second says that it had ended."""
    for batches in (1, 2):
        desk = Desk()
        joins = (JoinRule(("plant", "hubby"), 5),)
        desk.world = replace(desk.world, site=replace(desk.world.site, joins=joins))
        kind = Kind.PATIENT_CALL
        items = [
            desk.signal(key="7"),
            desk.signal(source="hubby", key="x9"),
            desk.signal(event="end", source="hubby", key="x9", kind=kind),
            desk.signal(event="end", key="7", kind=kind),
        ]
        done = [desk.commit(*items)] if batches == 1 else [desk.commit(*items[:3]), desk.commit(*items[3:])]
        said: list[SignalOutcome] = [reply for folded in done for reply in replies(folded)]
        assert len({outcome.alarm for outcome in said}) == 1 and said[0].alarm is not None
        assert [(one.new, one.phase, one.note) for one in said] == [
            (True, "ringing", ""),
            (False, "ringing", ""),
            (False, "ended", ""),
            (False, "ended", "already_ended"),
        ]
        assert [type for folded in done for type in events(folded)] == ["raised", "joined", "ended"]
        told = [row.address for folded in done for row in folded.batch().outbox if row.channel == "report"]
        assert told == ["plant", "hubby", "plant", "hubby"], "queued and ended, to each path"
