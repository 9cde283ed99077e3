"""Identical telegrams close together are one press."""

from __future__ import annotations

import asyncio

import pytest

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.inbound.presses import MOST, Answer, Presses, begins
from tests.support.waiting import turns

WINDOW_MS = 5_000


class Store:
    """Stores telegrams as told, and counts how often it was asked."""

    def __init__(self, *answers: Answer, begins: bool = True) -> None:
        self.answers = list(answers)
        self.begins = begins
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> tuple[Answer, bool]:
        """Wait for the gate, then answer as told."""
        self.asked += 1
        await self.gate.wait()
        return self.answers.pop(0) if self.answers else Answer.STORED, self.begins


async def test_the_same_within_the_window_is_stored_once() -> None:
    """Both sides of the window, counted from the first; another telegram is another press."""
    presses, store = Presses(WINDOW_MS), Store()
    for now in (1_000, 1_001, 1_000 + WINDOW_MS - 1):
        assert await presses.answer("A", now, store) is Answer.STORED
    assert store.asked == 1
    await presses.answer("B", 1_002, store)
    assert store.asked == 2
    await presses.answer("A", 1_000 + WINDOW_MS, store)
    assert store.asked == 3


@pytest.mark.parametrize("refusal", [Answer.BUSY, Answer.INVALID])
async def test_what_was_not_stored_is_no_press(refusal: Answer) -> None:
    """The repetition of a refused telegram is stored like a first one."""
    presses, store = Presses(WINDOW_MS), Store(refusal)
    assert await presses.answer("A", 0, store) is refusal
    assert await presses.answer("A", 1, store) is Answer.STORED
    assert store.asked == 2


async def test_a_repetition_waits_for_the_press_it_repeats() -> None:
    """While the first is being stored nothing is known yet; both get the same answer."""
    presses, store = Presses(WINDOW_MS), Store(Answer.BUSY)
    store.gate.clear()
    first = asyncio.get_running_loop().create_task(presses.answer("A", 0, store))
    await turns()
    second = asyncio.get_running_loop().create_task(presses.answer("A", WINDOW_MS * 2, store))
    await turns()
    assert not second.done()
    store.gate.set()
    assert await first is await second is Answer.BUSY
    assert store.asked == 1


async def test_a_repetition_that_goes_away_does_not_take_the_press_with_it() -> None:
    """Its connection closed; the first is still answered."""
    presses, store = Presses(WINDOW_MS), Store()
    store.gate.clear()
    first = asyncio.get_running_loop().create_task(presses.answer("A", 0, store))
    await turns()
    second = asyncio.get_running_loop().create_task(presses.answer("A", 1, store))
    await turns()
    second.cancel()
    store.gate.set()
    assert await first is Answer.STORED


async def test_call_reset_call_are_three_events_and_so_is_the_second_reset() -> None:
    """What ends forgets what began, and the other way round."""
    presses, call, reset = Presses(WINDOW_MS), Store(), Store(begins=False)
    for now in range(3):
        await presses.answer("call", now, call)
        await presses.answer("call", now, call)
        await presses.answer("reset", now, reset)
        await presses.answer("reset", now, reset)
    assert (call.asked, reset.asked) == (3, 3)


async def test_a_defect_while_storing_is_nobodys_press() -> None:
    """The exception passes through; who waited is told to come again."""
    presses = Presses(WINDOW_MS)
    gate = asyncio.Event()

    async def fail() -> tuple[Answer, bool]:
        await gate.wait()
        raise ZeroDivisionError

    first = asyncio.get_running_loop().create_task(presses.answer("A", 0, fail))
    await turns()
    second = asyncio.get_running_loop().create_task(presses.answer("A", 0, fail))
    await turns()
    gate.set()
    with pytest.raises(ZeroDivisionError):
        await first
    assert await second is Answer.BUSY
    assert len(presses) == 0


async def test_memory_is_bounded() -> None:
    """A plant that sends thousands of different telegrams in a window is still only a plant."""
    presses, store = Presses(WINDOW_MS), Store()
    for number in range(3 * MOST):
        await presses.answer(number, 0, store)
    assert len(presses) <= MOST


@pytest.mark.parametrize(
    ("event", "present", "expected"),
    [
        (SignalEvent.START, None, True),
        (SignalEvent.ONCE, None, True),
        (SignalEvent.END, None, False),
        (SignalEvent.PRESENCE, True, True),
        (SignalEvent.PRESENCE, False, False),
    ],
)
def test_what_begins(event: SignalEvent, present: bool | None, expected: bool) -> None:
    """A presence that goes is an end."""
    assert begins(Signal("plant", event, present=present)) is expected
