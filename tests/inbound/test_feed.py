"""What every adapter shares: mapping that always rings, one answer for signals that belong together, news."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import MappingRule
from alarmhub.engine import notices
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.presses import Answer
from alarmhub.metrics import Metrics
from alarmhub.ports import NotStored, Refused, SignalOutcome
from alarmhub.tasks import Crew
from tests.support.intake import BED, Intake
from tests.support.waiting import until


class Picky(Intake):
    """Refuses the signals whose text says how."""

    async def signal(self, signal: Signal) -> SignalOutcome:
        """As told by the text."""
        if signal.source_text == "away":
            raise NotStored("database away")
        if signal.source_text == "poison":
            raise Refused("invalid")
        return await super().signal(signal)


@asynccontextmanager
async def feed(source: str = "plant") -> AsyncIterator[tuple[Feed, Picky]]:
    """A feed of a hub in memory; afterwards no task is left and none has died."""
    crew, hub = Crew("test"), Picky()
    it = Feed(source, "mqtt", hub=hub, clock=MonotonicClock(), crew=crew, metrics=Metrics())
    try:
        yield it, hub
    finally:
        it.close()
        assert await crew.close()
        assert not crew.fatal.done()


def signals(*texts: str) -> list[Signal]:
    """Starts with these texts, each of its own key."""
    return [
        Signal(source="plant", event=SignalEvent.START, key=str(n), source_text=text)
        for n, text in enumerate(texts)
    ]


def refused(it: Feed, reason: str) -> float:
    """How often the metrics counted this reason."""
    assert it._metrics is not None
    value: float = it._metrics.refusals.labels("mqtt", reason)._value.get()
    return value


async def test_stored_is_the_answer_when_all_are_committed() -> None:
    """With an outcome each, in order."""
    async with feed() as (it, hub):
        stored = await it.store(*signals("a", "b"))
        assert stored.answer is Answer.STORED
        assert [outcome is not None and outcome.new for outcome in stored.outcomes] == [True, True]
        assert it.status.last_signal_at > 0
        assert len(hub.taken) == 2


@pytest.mark.parametrize(
    ("texts", "answer", "why"),
    [
        (("a", "away"), Answer.BUSY, "database away"),
        (("a", "poison"), Answer.INVALID, "invalid"),
        (("poison", "away"), Answer.BUSY, "database away"),
    ],
)
async def test_one_answer_for_signals_that_belong_together(
    texts: tuple[str, ...], answer: Answer, why: str
) -> None:
    """Busy wins over invalid: what is sent again may still be stored. What was stored stays."""
    async with feed() as (it, hub):
        stored = await it.store(*signals(*texts))
        assert (stored.answer, stored.why) == (answer, why)
        assert len(hub.taken) == texts.count("a")
        assert it.status.refused == len(texts) - texts.count("a")
        assert it.status.last_signal_at == 0


async def test_a_rule_that_fails_rings_all_the_same() -> None:
    """At the fallback unit, with the reason."""
    async with feed() as (it, hub):
        rules = (MappingRule(text="(", place=BED),)
        site = hub.world_now.site
        plant = replace(site.sources["plant"], rules=rules)
        hub.world_now = replace(hub.world_now, site=replace(site, sources=site.sources | {"plant": plant}))
        (signal,) = it.map(Words("12", "Sal 12"))
        assert (signal.place, signal.mapped_by) == ("", ("mapping_failed",))


async def test_words_keep_what_the_protocol_states() -> None:
    """Event, key, id, callback, reference; the rule's priority wins, a floor never yields."""
    async with feed() as (it, hub):
        site = hub.world_now.site
        rules = (MappingRule(address="bed", place=BED, kind=Kind.CLINICAL, priority=Priority.LOW),)
        plant = replace(site.sources["plant"], rules=rules)
        hub.world_now = replace(hub.world_now, site=replace(site, sources=site.sources | {"plant": plant}))
        words = Words(
            "bed", "SpO2", event=SignalEvent.UPDATE, key="k", id="i", ref="r", callback="4711",
            occurred_at=5, priority=Priority.HIGH, because=("phase:update",),
        )  # fmt: skip
        (signal,) = it.map(words)
        assert (signal.event, signal.key, signal.id, signal.ref) == (SignalEvent.UPDATE, "k", "i", "r")
        assert (signal.callback, signal.occurred_at, signal.place) == ("4711", 5, BED)
        assert signal.priority is Priority.LOW
        assert signal.mapped_by == ("phase:update", "rule:1")
        (signal,) = it.map(replace(words, floor=Priority.MEDIUM))
        assert signal.priority is Priority.MEDIUM


async def test_a_source_the_site_does_not_know_still_has_rules() -> None:
    """None of its own; what it says rings at the fallback."""
    async with feed("stranger") as (it, _):
        (signal,) = it.map(Words("1", "x"))
        assert (signal.source, signal.mapped_by) == ("stranger", ("no_rule",))


async def test_nonsense_is_said_once_and_refusals_of_the_hub_never() -> None:
    """Three faults within a minute; what could not be stored is no fault of the source's."""
    async with feed() as (it, hub):
        for _ in range(3):
            it.refused("not_stored", "database away", fault=False)
        assert hub.said == []
        for _ in range(5):
            it.refused("malformed", "no JSON", peer="p")
        assert [notice.key for notice in hub.said] == ["nonsense:plant"]
        assert (it.status.refused, it.status.last_refusal) == (8, "no JSON")
        assert refused(it, "malformed") == 5


async def test_trouble_behind_a_source_begins_and_ends() -> None:
    """One technical alarm by what is wrong, in the site's language."""
    async with feed() as (it, hub):
        it.trouble("battery:b1", "Knapp b1: batteriet är svagt", "Button b1: battery low")
        it.well("battery:b1")
        start, end = hub.said
        assert start.key == end.key == "trouble:plant:battery:b1"
        assert (start.text, end.event) == ("Knapp b1: batteriet är svagt", SignalEvent.END)


async def test_a_silent_link_is_news_and_its_return_too() -> None:
    """Down after `down_s` without life, up after `up_s` of it; each told once."""
    async with feed() as (it, hub):
        it.supervise(down_s=0.1, up_s=0.2, polls=True)
        await until(lambda: hub.links, "the loss")
        assert not it.up

        def alive() -> bool:
            it.life()
            return len(hub.links) == 2

        await until(alive, "the return")
        assert hub.links == [("plant", False), ("plant", True)]
        assert it.up


async def test_an_open_connection_is_life_where_the_source_may_be_silent() -> None:
    """The last one to close begins the silence."""
    async with feed() as (it, hub):
        it.supervise(down_s=0.05, up_s=0.1, polls=False)
        it.connected("a")
        it.connected("b")
        it.disconnected("a", "gone")
        assert it.status.connected == 1
        assert hub.links == []
        it.disconnected("b", "gone")
        await until(lambda: hub.links, "the loss")
        assert hub.links == [("plant", False)]


async def test_a_link_that_was_down_before_a_restart_is_told_up() -> None:
    """Or its alarms would stay for ever; while it stays away nothing is told again."""
    async with feed() as (it, hub):
        for lost in notices.link(it.site(), "plant", up=False):
            await hub.signal(lost)
        it.supervise(down_s=0.05, up_s=0.1, polls=False)
        assert not it.up
        it.connected("a")
        await until(lambda: hub.links, "the return")
        assert (hub.links, it.up) == ([("plant", True)], True)


async def test_watching_in_another_way_forgets_nothing() -> None:
    """An open connection is life as before, and a loss that was told is still taken back."""
    async with feed() as (it, hub):
        it.supervise(down_s=0.05, up_s=0.1, polls=True)
        await until(lambda: hub.links, "the loss")
        it.supervise(down_s=0.06, up_s=0.1, polls=True)
        it.connected("a")
        it.supervise(down_s=0.06, up_s=0.1, polls=False)
        await until(lambda: len(hub.links) == 2, "the return")
        assert hub.links == [("plant", False), ("plant", True)]


async def test_a_trouble_is_known_again_after_a_restart() -> None:
    """By its own name only, while it is open."""
    async with feed() as (it, hub):
        it.trouble("station 3", "Station 3 svarar inte", "Station 3 is silent")
        assert not it.in_trouble("station 3")
        await hub.signal(hub.said[0])
        assert it.in_trouble("station 3")
        assert not it.in_trouble("station 4")
        it.well("station 3")
        await hub.signal(hub.said[1])
        assert not it.in_trouble("station 3")


async def test_a_line_that_is_no_source_tells_somebody_else() -> None:
    """A pager transmitter that falls silent is no ward whose calls do not arrive."""
    told: list[bool] = []
    async with feed() as (it, hub):
        it.supervise(down_s=0.05, up_s=0.05, polls=True, tell=told.append)
        await until(lambda: told == [False], "the loss")

        def alive() -> bool:
            it.life()
            return told == [False, True]

        await until(alive, "the return")
        assert (it.up, hub.links) == (True, [])


async def test_clinical_stays_off_until_somebody_answers_for_the_source() -> None:
    """Never stored, and said why; with a name in the site file it is."""
    async with feed() as (it, hub):
        alarm = Signal(source="plant", event=SignalEvent.START, key="m", kind=Kind.CLINICAL)
        refused = await it.store(alarm)
        assert refused.answer is Answer.INVALID
        assert "clinical_enabled_by" in it.status.last_refusal
        site = hub.world_now.site
        plant = replace(site.sources["plant"], clinical_enabled_by="Britta Alm, 2026-11-01")
        hub.world_now = replace(hub.world_now, site=replace(site, sources=site.sources | {"plant": plant}))
        assert (await it.store(alarm)).answer is Answer.STORED
