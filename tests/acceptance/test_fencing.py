"""A hub that was stopped beyond its lease and wakes up late writes nothing; a hub that stops does it well."""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import aiohttp

from tests.support.hub import Answer, House, Hub, Nurse
from tests.support.waiting import until

TABLES = ("alarm", "event", "batch", "answered", "outbox", "fact", "roster", "quarantine", "lease")


async def _content(house: House) -> dict[str, set[str]]:
    """Every row of every table the hub writes, as text."""
    rows: dict[str, set[str]] = {}
    for table in TABLES:
        rows[table] = {row[0] for row in await house.sql(f"SELECT t::text FROM {table} t")}
    return rows


async def test_a_hub_that_wakes_up_after_a_takeover_writes_nothing(house: House) -> None:
    """SIGSTOP beyond the lease while a second process takes over; after SIGCONT the first says one clear
    line and ends, whatever it had in hand."""
    first, second = house.hub("first"), house.hub("second")
    await first.start()
    second.launch()
    await second.said("hub_standby")
    async with contextlib.AsyncExitStack() as stack:
        phone = await stack.enter_async_context(first.phone(0))
        ringing = (await first.press("ringing", 0, type="load-step")).body["alarm"]
        await phone.wait_alarm(5, id=ringing)

        # Work in hand when it freezes: presses it has read, and more with an answer in its sockets.
        answers: list[Answer] = []
        presses = [asyncio.ensure_future(_press(first, n, answers)) for n in range(10)]  # noqa: TID251
        await until(lambda: len(answers) >= 50, "a stream of presses")
        first.freeze()
        await phone.send({"type": "accept", "alarm": ringing, "rev": 1, "req": "unread"})

        await second.serves()
        assert (await second.press("after", 1)).status == 201
        await until(lambda: second.lines("hub_serving"), "the second serves")
        epochs = await house.sql("SELECT epoch, owner FROM lease")
        before = await _content(house)

        first.thaw()
        assert await first.ended() == 1
        after = await _content(house)
        await asyncio.gather(*presses)
        assert phone.closed is None or phone.closed.code in (1006, 1012)

    # The second goes on renewing its lease; nothing else may have changed, and no batch of the first's epoch.
    assert [list(row) for row in await house.sql("SELECT epoch, owner FROM lease")] == [list(epochs[0])]
    for table in TABLES:
        if table != "lease":
            assert after[table] == before[table], table
    assert [line["event"] for line in first.lines() if line["level"] == "error"] == ["lease_lost"]
    # Whatever it acknowledged before it froze is there; nothing was acknowledged afterwards.
    stored = await house.alarms()
    for answer in answers:
        assert answer.status in (201, 503), answer
        if answer.status == 201:
            assert answer.body["alarm"] in {alarm.id for alarm in stored.values()}
    assert stored["ringing"].phase == "ringing"
    assert second.running
    assert await second.stop() == 0


async def _press(hub: Hub, line: int, answers: list[Answer]) -> None:
    """Press without pause until the hub is gone."""
    with contextlib.suppress(aiohttp.ClientError, OSError):
        for number in itertools.count():
            answers.append(await hub.press(f"{line}-{number}", number % 10))


async def test_a_graceful_stop_under_load_drains_and_hands_over(house: House) -> None:
    """SIGTERM in a stream of presses: everything taken is committed and answered, phones are closed with
    1012, exit 0, and a standby has taken over before the process is gone."""
    first, second = house.hub("first"), house.hub("second")
    await first.start()
    second.launch()
    await second.said("hub_standby")
    answers: list[Answer] = []

    async with contextlib.AsyncExitStack() as stack:
        phones = [await stack.enter_async_context(first.phone(n)) for n in range(10)]
        presses = [asyncio.ensure_future(_press(first, n, answers)) for n in range(8)]  # noqa: TID251
        await until(lambda: len(answers) >= 50, "a stream of presses")
        first.ask_to_stop()
        assert await first.ended() == 0
        await second.serves(within_s=2.0)
        await asyncio.wait_for(asyncio.gather(*presses), 5)
        closed = [await phone.wait_closed(5) for phone in phones]
        assert {one.code for one in closed} == {1012}

    assert {answer.status for answer in answers} == {201}
    stored = {alarm.id for alarm in (await house.alarms()).values()}
    assert stored == {answer.body["alarm"] for answer in answers}, "committed is answered, and the reverse"
    assert [line for line in first.lines() if line["level"] == "error"] == []
    async with Nurse(second, 0) as nurse:
        await until(lambda: nurse.took, "a nurse goes on at the second hub")
    assert await second.stop() == 0
