"""The hub is killed while every protocol is under load: what was answered positively is there, and once."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial

import asyncpg
import pytest

from load import site as load_site
from load.site import Layout
from load.systems import Hub
from load.ways import MOST_CONTACTS, WAYS, Call, Contacts, NotTaken, Way, source_tables
from tests.support.hub import pass_time
from tests.support.waiting import until

KILLS = 3
LINKS = 2
BETWEEN_KILLS = (100, 800)
"""So many answers, all ways together, before the next kill."""
ANSWERED_WITHIN_S = 2.0
CLOSES_EVERY_S = 0.25
ALARMS = """
SELECT source, body, (
    SELECT count(*) FROM event, json_array_elements(reasons) AS reason
    WHERE alarm = alarm.id AND reason ->> 'code' = 'raised'
) AS raised
FROM alarm WHERE source LIKE 'way-%'
"""


class Senders:
    """Every link of every way: calls without pause, each repeated until it is answered positively.

    `sent` and `answered`: numbers by way. `last`: answered, by way and link. `repeated`: how many were sent
    again.
    """

    def __init__(self, ways: list[Way]) -> None:
        self.ways = ways
        self.sent: dict[str, set[int]] = {way.name: set() for way in ways}
        self.answered: dict[str, set[int]] = {way.name: set() for way in ways}
        self.repeated: Counter[str] = Counter()
        self.last: dict[tuple[str, int], int] = {}
        self.finishing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Senders:
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._go_on(way, link), name=f"{way.name} {link}")
            for way in self.ways
            for link in range(way.links)
        ]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for way in self.ways:
            await way.close()

    @property
    def count(self) -> int:
        """Answers of all ways."""
        return sum(len(numbers) for numbers in self.answered.values())

    def has(self, count: int) -> bool:
        """Whether there are so many answers."""
        return sum(len(numbers) for numbers in self.answered.values()) >= count

    def all_answered_since(self) -> Callable[[], bool]:
        """A condition: every way has had an answer since now."""
        before = {name: len(numbers) for name, numbers in self.answered.items()}
        return lambda: all(len(self.answered[name]) > count for name, count in before.items())

    async def finish(self, within_s: float) -> None:
        """No new calls; those under way are repeated until they are answered."""
        self.finishing.set()
        done, left = await asyncio.wait(self._tasks, timeout=within_s)
        for task in done:
            task.result()
        assert not left, [task.get_name() for task in left]

    async def _back(self, way: Way, link: int) -> Call:
        """A connection; the last call is sent once more, as by a sender whose answer was lost."""
        call, last = await way.open(link), self.last.get((way.name, link))
        if last is not None:
            self.repeated[way.name] += 1
            await call(last)
        return call

    async def _go_on(self, way: Way, link: int) -> None:
        call: Call | None = None
        numbers = iter(range(link, 10_000_000, way.links))
        while not self.finishing.is_set():
            number = next(numbers)
            if isinstance(way, Contacts):
                if number >= MOST_CONTACTS:
                    return
                await pass_time(CLOSES_EVERY_S, "the next contact closes")
            while number not in self.answered[way.name]:
                try:
                    async with asyncio.timeout(ANSWERED_WITHIN_S):
                        call = call or await self._back(way, link)
                        self.repeated[way.name] += number in self.sent[way.name]
                        self.sent[way.name].add(number)
                        await call(number)
                    self.answered[way.name].add(number)
                    self.last[way.name, link] = number
                except (OSError, EOFError, TimeoutError, NotTaken, LookupError):
                    call = None
                    await pass_time(0.05, "the sender comes back")


Stored = dict[str, list[tuple[int, int]]]
"""(number of the call, how often it was raised) of each stored alarm, by way."""


async def stored_of(dsn: str, senders: Senders) -> Stored:
    """What is in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(ALARMS)
    finally:
        await connection.close()
    way_of = {source: way.name for way in senders.ways for source, _ in way.sources}
    found: Stored = defaultdict(list)
    for row in rows:
        (number,) = set(re.findall(r"\bcall (\d+)", row["body"]))
        found[way_of[row["source"]]].append((int(number), row["raised"]))
    return found


@pytest.mark.timeout(60)
async def test_what_was_answered_over_any_way_is_there_once(database_dsn: str) -> None:
    """One hub with all links open, killed at random instants; senders send again what was not answered."""
    ways: list[Way] = [make(LINKS) for make in WAYS.values()]
    ways.append(Contacts(1))
    site = load_site.site_file(Layout(10)) + source_tables(ways)
    settings = "".join(way.tables for way in ways)
    hub = Hub(database_dsn, site, "way-http", log_level="error", settings=settings)
    for way in ways:
        await way.begin(hub)
    process, instants = await asyncio.to_thread(hub.start), random.Random(3)
    try:
        async with Senders(ways) as senders:
            for _ in range(KILLS):
                await until(senders.all_answered_since(), "every way is under load", within_s=20)
                goal = senders.count + instants.randrange(*BETWEEN_KILLS)
                await until(partial(senders.has, goal), "answers", within_s=20)
                await pass_time(instants.random() * 0.02, "between two commits, or within one")
                process.kill()
                process.stop()
                process = await asyncio.to_thread(hub.start)
            await until(senders.all_answered_since(), "every way is back", within_s=20)
            await senders.finish(within_s=20)

            async def contacts_told() -> bool:
                """Nobody is answered for a contact: it is an alarm sooner or later."""
                told = {number for number, _ in (await stored_of(database_dsn, senders))["modbus"]}
                return senders.answered["modbus"] <= told

            await until(contacts_told, "every closed contact is an alarm", within_s=10)
    finally:
        process.stop()
    stored = await stored_of(database_dsn, senders)
    for way in ways:
        numbers, answered = [number for number, _ in stored[way.name]], senders.answered[way.name]
        print(
            f"{way.name:>12}: {len(answered)} answered, {senders.repeated[way.name]} sent again, "
            f"{len(numbers)} alarms, raised {sum(raised for _, raised in stored[way.name])} times"
        )
    for way in ways:
        wanted = dict.fromkeys(senders.answered[way.name], 1)
        assert Counter(number for number, _ in stored[way.name]) == wanted, way.name
        assert dict(stored[way.name]) == wanted, way.name
    assert sum(senders.repeated.values()), "no call was under way when the hub was killed"
