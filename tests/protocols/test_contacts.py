"""Contacts: from raw values to what is told, with time as an argument, and reads as few as possible."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.contacts import (
    CHATTER_RUNS,
    Block,
    Condition,
    Contact,
    Point,
    PointMachine,
    Say,
    Table,
    collapse,
    contact_of,
    only,
    plan,
    raw_of,
)
from tests.fuzz.fuzz_contacts import SEEDS, target


def point(**more: Any) -> Point:
    """A normally open contact on discrete input 0."""
    return Point(**({"name": "fridge", "address": 0} | more))


ANALOGUE: dict[str, Any] = {
    # A loop of 4.7 kΩ at the end of the line and 10 kΩ beside the contact, in tenths of a volt.
    "table": Table.INPUT,
    "open": ((60, 80),),
    "closed": ((30, 50),),
    "fault": ((0, 10), (100, 120)),
}

PART: dict[str, Any] = {"table": Table.HOLDING, "mask": 0x0300, "open": ((1, 1),), "closed": ((2, 2),)}


class Line:
    """One point, and readings of it at instants."""

    def __init__(self, **more: Any) -> None:
        self.machine = PointMachine(point(**more))

    def at(self, now: int, raw: int | None) -> list[str]:
        """What is told of this reading: "word event"."""
        return [f"{say.word} {say.event}" for say in self.machine.read(raw, now)]

    def settled(self, raw: int | None, now: int = 0) -> Line:
        """A line that has been read and told before."""
        self.at(now, raw)
        return self


@pytest.mark.parametrize(
    ("more", "raw", "contact"),
    [
        ({}, 0, Contact.OPEN),
        ({}, 1, Contact.CLOSED),
        ({}, None, Contact.FAULT),
        ({"bits": 2, "open": ((1, 1),), "closed": ((2, 2),)}, 1, Contact.OPEN),
        ({"bits": 2, "open": ((1, 1),), "closed": ((2, 2),)}, 2, Contact.CLOSED),
        ({"bits": 2, "open": ((1, 1),), "closed": ((2, 2),)}, 0, Contact.FAULT),
        ({"bits": 2, "open": ((1, 1),), "closed": ((2, 2),)}, 3, Contact.FAULT),
        (ANALOGUE, 70, Contact.OPEN),
        (ANALOGUE, 30, Contact.CLOSED),
        (ANALOGUE, 5, Contact.FAULT),
        (ANALOGUE, 110, Contact.FAULT),
        (ANALOGUE, 55, Contact.FAULT),
        (PART, 0xFD04, Contact.OPEN),
        (PART, 0x0204, Contact.CLOSED),
    ],
)  # fmt: skip
def test_a_value_shows_open_closed_or_a_fault(
    more: dict[str, Any], raw: int | None, contact: Contact
) -> None:
    """One bit, two bits, ranges of a register, part of a register; what fits nothing is a fault."""
    assert contact_of(point(**more), raw) is contact


def test_a_press_and_its_end_are_told_once_each() -> None:
    """Readings that say the same say nothing."""
    line = Line().settled(0)
    told = [line.at(now, raw) for now, raw in enumerate([0, 1, 1, 1, 0, 0, 1])]
    assert told == [[], ["active start"], [], [], ["active end"], [], ["active start"]]


def test_normally_closed_is_the_other_way_round() -> None:
    """A loop that opens is the alarm."""
    line = Line(normally="closed").settled(1)
    assert (line.at(1, 0), line.at(2, 1)) == (["active start"], ["active end"])


def test_a_line_fault_neither_begins_nor_ends_the_alarm() -> None:
    """A cut cable after the press: nobody knows, so the alarm stays and the fault is told beside it."""
    line = Line(**ANALOGUE).settled(70)
    assert line.at(1, 40) == ["active start"]
    assert line.at(2, 0) == ["fault start"]
    assert line.at(3, 40) == ["fault end"]
    assert line.at(4, 70) == ["active end"]


def test_an_alarm_is_ended_after_a_fault_when_the_line_is_normal_again() -> None:
    """Both end then."""
    line = Line(**ANALOGUE).settled(70)
    line.at(1, 40)
    line.at(2, 0)
    assert line.at(3, 70) == ["fault end", "active end"]


def test_the_first_reading_says_what_is_and_what_is_not() -> None:
    """After a start of the hub: an update opens what is not open, an end closes what is over."""
    assert Line().at(0, 1) == ["fault end", "active update"]
    assert Line().at(0, 0) == ["fault end", "active end"]
    assert Line().at(0, None) == ["fault update"]


def test_after_a_loss_only_what_changed_is_told() -> None:
    """The points are read again; a point that went normal meanwhile ends, one that stayed says nothing."""
    stayed, went, came = Line().settled(1), Line().settled(1), Line().settled(0)
    for line in (stayed, went, came):
        line.machine.lost()
        assert not line.machine.known
    assert (stayed.at(9, 1), went.at(9, 0), came.at(9, 1)) == ([], ["active end"], ["active start"])


def test_what_a_state_says_can_be_set() -> None:
    """A button without reset rings once each press; a latch never ends by itself; a fault can be silent."""
    button = Line(active="once").settled(0)
    assert [button.at(now, raw) for now, raw in enumerate([1, 0, 1])] == [
        ["active once"],
        [],
        ["active once"],
    ]
    latch = Line(normal="none").settled(0)
    assert [latch.at(now, raw) for now, raw in enumerate([1, 0, 1])] == [
        ["active start"],
        [],
        ["active start"],
    ]
    mute = Line(line_fault="none").settled(0)
    assert (mute.at(1, None), mute.at(2, 1)) == ([], ["active start"])
    only_line = Line(active="none").settled(0)
    assert (only_line.at(1, 1), only_line.at(2, None)) == ([], ["fault start"])


def test_a_contact_counts_once_it_has_rested() -> None:
    """Bouncing for less than the debounce time is nothing; the reading that settles it is asked for."""
    line = Line(debounce_ms=50)
    assert (line.at(0, 0), line.machine.next_read()) == ([], 50)
    assert line.at(50, 0) == ["fault end", "active end"]
    assert line.machine.next_read() is None
    assert (line.at(100, 1), line.machine.next_read()) == ([], 150)
    assert line.at(120, 0) == []
    assert (line.at(130, 1), line.machine.next_read()) == ([], 180)
    assert line.at(179, 1) == []
    assert line.at(180, 1) == ["active start"]
    assert line.machine.next_read() is None


def test_one_late_reading_is_no_rest() -> None:
    """Two readings far apart that differ prove nothing of the time between them."""
    line = Line(debounce_ms=50).settled(0)
    line.at(50, 0)
    assert [line.at(1000, 1), line.at(2000, 0), line.at(3000, 1)] == [[], [], []]


def test_a_contact_that_never_rests_is_a_fault() -> None:
    """A loose wire is told, and is over when it rests."""
    line = Line(debounce_ms=50).settled(0)
    line.at(50, 0)
    told = [line.at(60 + 10 * n, (n + 1) % 2) for n in range(CHATTER_RUNS + 1)]
    assert told == [[]] * CHATTER_RUNS + [["fault start"]]
    assert line.machine.condition is Condition.FAULT
    assert line.at(200, 0) == []
    assert line.at(250, 0) == ["fault end"]


def test_why_a_line_is_at_fault() -> None:
    """The value, or that there is none."""
    assert PointMachine(point()).read(7, 0)[-1].cause == "value 7"
    assert PointMachine(point()).read(None, 0)[-1].cause == "this input cannot be read"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"open": ((1, 0),)}, "open: [1, 0] begins above its end"),
        ({"open": ((0, 1),)}, "closed: [1, 1] overlaps open [0, 1]"),
        ({"closed": ()}, "open: a point needs at least one range for open and one for closed"),
        (
            {"table": Table.INPUT, "bits": 2},
            "bits: only coils and discrete inputs are read as two bits; use mask",
        ),
        ({"bits": 2, "address": 65_535}, "address: the second bit lies beyond the table"),
    ],
)
def test_a_point_that_contradicts_itself_says_so(more: dict[str, Any], says: str) -> None:
    """With the setting's name first."""
    assert point(**more).faults() == [says]
    assert point().faults() == []


def test_neighbours_are_read_together_and_holes_are_left_alone() -> None:
    """One read for each run of addresses of a table; none touches an address of no point."""
    points = [
        point(address=3), point(address=0), point(address=1, bits=2), point(address=5),
        point(address=4, table=Table.COIL), point(address=0),
    ]  # fmt: skip
    assert plan(points) == (
        Block(Table.COIL, 4, 1, (4,)),
        Block(Table.DISCRETE, 0, 4, (1, 5, 2, 0)),
        Block(Table.DISCRETE, 5, 1, (3,)),
    )


def test_no_read_is_longer_than_the_module_allows() -> None:
    """2000 bits, 125 registers, or less where it is set so; a point of two bits is never cut."""
    registers = [point(address=n, table=Table.HOLDING) for n in range(130)]
    assert [(b.address, b.count) for b in plan(registers)] == [(0, 125), (125, 5)]
    pairs = [point(address=2 * n, bits=2) for n in range(4)]
    assert [(b.address, b.count) for b in plan(pairs, most_bits=3)] == [(0, 2), (2, 2), (4, 2), (6, 2)]
    assert only(pairs, 2) == Block(Table.DISCRETE, 4, 2, (2,))


def test_each_point_finds_its_value_in_the_answer() -> None:
    """And none where the answer is too short."""
    two = point(address=11, bits=2)
    block = Block(Table.DISCRETE, 10, 3, (0,))
    assert raw_of(two, block, [1, 0, 1]) == 2
    assert raw_of(two, block, [1, 0]) is None
    assert raw_of(point(address=9), block, [1, 0, 1]) is None
    assert raw_of(point(address=10, table=Table.INPUT), block, [70_000]) == 70_000 & 0xFFFF


def says(text: str) -> list[Say]:
    """ "s" start, "e" end, "o" once, of one point."""
    events: dict[str, Any] = {"s": "start", "e": "end", "o": "once"}
    return [Say("p", "active", events[letter]) for letter in text]


@pytest.mark.parametrize(
    ("waiting", "left"),
    [("se", "se"), ("sese", "se"), ("eseses", "es"), ("esesese", "ese"), ("ss", "s"), ("oo", "o"), ("", "")],
)
def test_what_waits_is_shortened_without_losing_a_press_or_the_last_state(waiting: str, left: str) -> None:
    """A press is told even if it is over, and the last word stays the last."""
    assert collapse(says(waiting)) == says(left)


@given(st.text(alphabet="se", max_size=60))
def test_shortening_keeps_the_last_word_and_any_start(waiting: str) -> None:
    """Never more than three, never without a press that was there, never ending differently."""
    left = collapse(says(waiting))
    assert len(left) <= 3
    assert left[-1:] == says(waiting)[-1:]
    assert any(say.event == "start" for say in left) == ("s" in waiting)


@given(st.binary(max_size=400))
def test_any_readings_at_any_time_keep_the_promises(data: bytes) -> None:
    """Whatever a module says: nothing raises, ends follow starts, what rests is told."""
    target(data)


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_the_seeds_of_the_fuzzer_hold(seed: int) -> None:
    """They are what mutations begin with."""
    target(SEEDS[seed])
