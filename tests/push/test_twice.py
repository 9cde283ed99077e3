"""One push, two attempts, one deadline: both sides of each instant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from alarmhub.push.transport import Outcome, Sent
from alarmhub.push.twice import AGAIN_AFTER_S, Attempt, twice
from tests.support.virtual import in_virtual_time, passes

TAKEN = Sent(Outcome.TAKEN, "200")
LATER = Sent(Outcome.LATER, "503")
LOST = Sent(Outcome.LOST, "reset")


def attempts(*script: tuple[float, Sent]) -> tuple[Attempt, list[float]]:
    """Each attempt answers after so many seconds; the list says when each began."""
    began: list[float] = []

    async def attempt(number: int) -> Sent:
        began.append(asyncio.get_running_loop().time())
        after_s, sent = script[number]
        await passes(after_s)
        return sent

    return attempt, began


async def played(*script: tuple[float, Sent]) -> tuple[Sent, list[float], float]:
    """With three seconds: what became of it, when each attempt began, when it ended."""
    attempt, began = attempts(*script)
    sent = await twice(attempt, 3.0)
    return sent, began, round(asyncio.get_running_loop().time(), 3)


@in_virtual_time
async def test_an_answer_in_time_needs_no_second_attempt() -> None:
    """Just before the patience ends."""
    assert await played((0.999, TAKEN)) == (TAKEN, [0], 0.999)


@in_virtual_time
async def test_silence_starts_the_second_and_the_first_goes_on() -> None:
    """Whichever answers first wins."""
    assert await played((1.5, TAKEN), (9, LATER)) == (TAKEN, [0, 1.0], 1.5)


@in_virtual_time
async def test_the_second_may_win() -> None:
    """The first is given up then."""
    assert await played((9, TAKEN), (0.25, TAKEN)) == (TAKEN, [0, 1.0], 1.25)


@pytest.mark.parametrize("failure", [LATER, LOST])
def test_a_failure_starts_the_second_at_once(failure: Sent) -> None:
    """Nobody waits for nothing."""

    @in_virtual_time
    async def play() -> None:
        assert await played((0.25, failure), (0.25, TAKEN)) == (TAKEN, [0, 0.25], 0.5)

    play()


@pytest.mark.parametrize(
    "sent", [TAKEN, Sent(Outcome.DEAD), Sent(Outcome.REFUSED), Sent(Outcome.LATER, "429", 60.0)]
)
def test_what_settles_it_is_not_tried_again(sent: Sent) -> None:
    """A provider that named a time is left alone until then."""

    @in_virtual_time
    async def play() -> None:
        assert await played((0.25, sent)) == (sent, [0], 0.25)

    play()


@in_virtual_time
async def test_two_failures_are_the_end() -> None:
    """What may have arrived is not forgotten for what surely has not."""
    sent, began, ended = await played((0.25, LOST), (0.25, LATER))
    assert (sent, began, ended) == (Sent(Outcome.LOST, "reset", AGAIN_AFTER_S), [0, 0.25], 0.5)


@in_virtual_time
async def test_two_silences_end_at_the_deadline() -> None:
    """Not a moment later."""
    sent, began, ended = await played((9, TAKEN), (9, TAKEN))
    assert (sent.outcome, sent.detail, began, ended) == (Outcome.LOST, "no answer within 3 s", [0, 1], 3.0)


@in_virtual_time
async def test_a_failure_and_a_silence() -> None:
    """The silent one may have arrived."""
    sent, _, ended = await played((0.5, LATER), (9, TAKEN))
    assert (sent.outcome, sent.detail, ended) == (Outcome.LOST, "no answer within 3 s, after 503", 3.0)


@in_virtual_time
async def test_an_answer_at_the_last_moment_counts() -> None:
    """Of either."""
    assert (await played((2.999, TAKEN), (9, TAKEN)))[0] == TAKEN


@in_virtual_time
async def test_cancelling_it_cancels_both() -> None:
    """No attempt lives on."""
    ended: list[int] = []

    def noting() -> Callable[[int], object]:
        async def attempt(number: int) -> Sent:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(number)
            return TAKEN

        return attempt

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2):
            await twice(noting(), 3.0)  # type: ignore[arg-type]
    assert sorted(ended) == [0, 1]
