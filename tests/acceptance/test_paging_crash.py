"""The hub is killed while consoles page and laboratories mail: what was answered 250 is there, and once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from load.mail_lab import MailLab, mail
from load.snpp_console import SnppConsole
from tests.support.hub import House, pass_time
from tests.support.paging_house import PagingHub, paging_house
from tests.support.waiting import until

KILLS = 4
SENDERS = 3
WINDOW_S = 600
BETWEEN_KILLS = 20
"""So many answers are awaited before the next kill."""


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A house with pager numbers."""
    async with paging_house(database_dsn) as one:
        yield one


class Senders:
    """Pages and mails without pause, each repeated until it is answered 250."""

    def __init__(self, paging: PagingHub) -> None:
        self.paging = paging
        self.answered: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._over = False

    async def __aenter__(self) -> Senders:
        loop = asyncio.get_running_loop()
        for line in range(SENDERS):
            self._tasks += [
                loop.create_task(self._go_on(f"page {line}", self._page)),
                loop.create_task(self._go_on(f"mail {line}", self._mail)),
            ]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._over = True  # a wait that ends as it is cancelled swallows that (Python 3.11)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _go_on(self, name: str, send: Callable[[str], Awaitable[bool]]) -> None:
        number = 0
        while not self._over:
            text = f"{name} no {number}"
            number += 1
            while text not in self.answered and not self._over:
                with contextlib.suppress(OSError, TimeoutError):
                    if await send(text):
                        self.answered.append(text)
                        continue
                await pass_time(0.02, "the sender repeats")

    async def _page(self, text: str) -> bool:
        async with SnppConsole("127.0.0.1", self.paging.snpp) as console:
            return (await console.page(["1042"], text)).code == 250

    async def _mail(self, text: str) -> bool:
        number = int.from_bytes(text.encode(), "big")
        async with MailLab("127.0.0.1", self.paging.smtp) as lab:
            return (await lab.send(["1043@hub.example"], mail(text, "", number=number))).code == 250


async def test_what_was_answered_is_there_once(house: House) -> None:
    """Killed again and again in the midst of it."""
    paging = PagingHub(house, more=f"repeat_window_s = {WINDOW_S}")
    await paging.hub.start()
    async with Senders(paging) as senders:
        for _ in range(KILLS):
            enough = len(senders.answered) + BETWEEN_KILLS
            await until(lambda enough=enough: len(senders.answered) >= enough, "answers", within_s=30)
            paging.hub.kill()
            await paging.hub.start()
        last = len(senders.answered) + 1
        await until(lambda: len(senders.answered) >= last, "one more answer", within_s=30)
    pages = await paging.pages()
    stored = Counter(page.source_text for page in pages)
    assert set(senders.answered) <= set(stored)
    assert [text for text, count in stored.items() if count > 1] == []
    assert {text.split()[0] for text in stored} == {"page", "mail"}
    await paging.hub.stop()
