"""The queue of events: who goes first, who keeps behind whom, and who is refused when it is full."""

from __future__ import annotations

import asyncio

import hypothesis.strategies as st
from hypothesis import given

from alarmhub.engine.items import Item, Rank
from alarmhub.engine.queue import BACKLOG_LIMITS, Queue
from tests.support.virtual import in_virtual_time, run_virtually


def item(rank: Rank, lane: str = "", at: int = 0) -> Item:
    """An event somebody waits for, in a lane of its own unless said otherwise."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    made = Item(at, rank, lane, future)
    made.lane = lane or f"lane-{id(made)}"
    return made


def filled(queue: Queue, count: int, rank: Rank = Rank.LOW) -> list[Item]:
    """So many events of a rank, each in its own lane."""
    items = [item(rank, f"{rank}-{n}") for n in range(count)]
    for one in items:
        queue.put(one)
    return items


@in_virtual_time
async def test_high_goes_before_low_and_answers_before_both() -> None:
    """With a backlog the most urgent are taken first, each rank in order of arrival."""
    queue = Queue()
    low, high, answer = filled(queue, 2), filled(queue, 2, Rank.HIGH), filled(queue, 1, Rank.ANSWER)
    assert queue.take(4) == answer + high + low[:1]
    assert queue.take(4) == low[1:]


@in_virtual_time
async def test_an_end_never_overtakes_its_start() -> None:
    """An end outranks a low start, and still comes after the one of its own lane."""
    queue = Queue()
    start, end = item(Rank.LOW, "plant|12:1"), item(Rank.ANSWER, "plant|12:1")
    queue.put(start)
    queue.put(end)
    assert queue.take(9) == [start, end]


@in_virtual_time
async def test_an_answer_takes_along_what_waits_before_it() -> None:
    """A receipt of the same alarm, of all things the least urgent, does not hold the accept up behind a
    backlog of new calls."""
    queue = Queue()
    calls = filled(queue, 300)
    rang, accept = item(Rank.RECEIPT, "alarm-1"), item(Rank.ANSWER, "alarm-1")
    queue.put(rang)
    queue.put(accept)
    assert queue.take(3) == [rang, accept, calls[0]]


@in_virtual_time
async def test_a_high_call_takes_along_the_low_one_of_its_place() -> None:
    """The second press at a place is an emergency: neither waits for the other lanes' low calls."""
    queue = Queue()
    filled(queue, 300)
    low, high = item(Rank.LOW, "plant|12"), item(Rank.HIGH, "plant|12")
    queue.put(low)
    queue.put(high)
    assert queue.take(2) == [low, high]


@in_virtual_time
async def test_what_came_to_nothing_is_decided_before_all_that_came_since() -> None:
    """Events of a lost commit go first, in their order, and before newer ones of their own lanes."""
    queue = Queue()
    start, other = item(Rank.LOW, "plant|12:1"), item(Rank.LOW, "plant|13:1")
    queue.put(start)
    queue.put(other)
    lost = queue.take(2)
    end, high = item(Rank.ANSWER, "plant|12:1"), item(Rank.HIGH, "elsewhere")
    queue.put(end)
    queue.put(high)
    queue.put_back(lost)
    assert queue.take(9) == [start, other, end, high]


@in_virtual_time
async def test_when_full_the_lowest_new_starts_are_refused_first() -> None:
    """Low, then medium; high starts, answers and ends are taken long after."""
    queue = Queue()
    filled(queue, BACKLOG_LIMITS[Rank.LOW])
    assert queue.full_for(item(Rank.LOW))
    assert not queue.full_for(item(Rank.MEDIUM))
    filled(queue, BACKLOG_LIMITS[Rank.MEDIUM] - BACKLOG_LIMITS[Rank.LOW], Rank.MEDIUM)
    assert queue.full_for(item(Rank.MEDIUM))
    assert not queue.full_for(item(Rank.HIGH))
    assert not queue.full_for(item(Rank.ANSWER))


@in_virtual_time
async def test_the_hubs_own_events_are_never_refused_and_fill_nothing() -> None:
    """Deadlines and changes of the roster are as many as open alarms; calls are not refused for them."""
    queue = Queue()
    for number in range(BACKLOG_LIMITS[Rank.LOW] + 10):
        queue.put(Item(0, Rank.LOW, f"alarm-{number}"))
    assert not queue.full_for(item(Rank.LOW))
    filled(queue, BACKLOG_LIMITS[Rank.LOW])
    assert not queue.full_for(Item(0, Rank.LOW, "alarm-x"))


@in_virtual_time
async def test_receipts_fill_nothing_but_themselves() -> None:
    """After a burst every phone reports its ring: no call is refused for that, and too many are dropped."""
    queue = Queue()
    for number in range(BACKLOG_LIMITS[Rank.RECEIPT]):
        assert not queue.full_for(Item(0, Rank.RECEIPT, "alarm"))
        queue.put(Item(0, Rank.RECEIPT, f"alarm-{number}"))
    assert queue.full_for(Item(0, Rank.RECEIPT, "alarm"))
    assert not queue.full_for(item(Rank.LOW))


@in_virtual_time
async def test_who_was_told_no_leaves_the_queue() -> None:
    """An event that was refused after its two seconds is never decided and takes nobody's place."""
    queue = Queue()
    waiting = filled(queue, BACKLOG_LIMITS[Rank.LOW])
    for one in waiting[1:]:
        queue.drop(one)
    assert len(queue) == 1
    assert not queue.full_for(item(Rank.LOW))
    assert queue.take(9) == waiting[:1]
    assert not len(queue)


@in_virtual_time
async def test_a_night_without_database_does_not_fill_the_memory() -> None:
    """What was refused is let go of, however many come while nothing is taken."""
    queue = Queue()
    for _ in range(20):
        for one in filled(queue, 1_000):
            queue.drop(one)
    assert queue.held < 5_000
    assert queue.take(9) == []


_STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(list(Rank)), st.integers(0, 3)),
    st.tuples(st.just("take"), st.integers(1, 4), st.just(0)),
    st.tuples(st.just("drop"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("lost"), st.integers(1, 4), st.just(0)),
)


@given(st.lists(_STEP, max_size=40))
def test_whatever_happens_a_lane_keeps_its_order_and_nothing_is_lost(
    steps: list[tuple[str, int, int]],
) -> None:
    """Any sequence of puts, takes, refusals and lost commits: each event that was not refused comes out
    once, and those of a lane in the order they came."""

    async def play() -> None:
        queue, put, out, dropped = Queue(), [], [], set()
        for what, number, lane in steps:
            if what == "put":
                one = item(Rank(number), f"lane-{lane}", at=len(put))
                put.append(one)
                queue.put(one)
            elif what == "take":
                out += queue.take(number)
            elif what == "drop" and number < len(put):
                if put[number] not in out:
                    dropped.add(put[number])
                queue.drop(put[number])
            elif what == "lost":
                queue.put_back(i for i in queue.take(number) if not i.refused)
            assert len(queue) == len(put) - len(out) - len(dropped)
        out += queue.take(99)
        assert sorted(i.at for i in out) == [i.at for i in put if i not in dropped]
        for name in {i.lane for i in out}:
            came = [i.at for i in out if i.lane == name]
            assert came == sorted(came)

    run_virtually(play())
