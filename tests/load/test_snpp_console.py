"""The console that pages: what it writes, and what it makes of answers, against a scripted terminal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from load.snpp_console import Hung, SnppConsole
from tests.support.waiting import until


class Terminal:
    """Answers each line with the next of its answers; hears DATA to the end."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.heard: list[str] = []
        self.port = 0
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.open += 1
        writer.write(b"220 hi\r\n")
        data = False
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.heard.append(line)
            if data and line != ".":
                continue
            if not self.answers:
                break
            answer = self.answers.pop(0)
            data = answer.startswith("354")
            writer.write(f"{answer}\r\n".encode())
        writer.close()
        await writer.wait_closed()
        self.open -= 1


@asynccontextmanager
async def terminal(*answers: str) -> AsyncIterator[Terminal]:
    """A terminal with these answers."""
    it = Terminal(list(answers))
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        await until(lambda: not it.open, "the connections to end")


async def test_a_page_line_by_line() -> None:
    """Every number, subject, alert, the text with its dots doubled, SEND."""
    answers = ["250 ok"] * 4 + ["354 go", "250 ok", "250 sent"]
    async with terminal(*answers) as it, SnppConsole("127.0.0.1", it.port) as console:
        assert console.greeting.code == 220
        reply = await console.page(["1", "2"], "a\n.b", subject="s", alert=True)
        assert reply.ok and reply.text == "sent"
        assert it.heard == ["PAGE 1", "PAGE 2", "SUBJ s", "ALER 1", "DATA", "a", "..b", ".", "SEND"]


async def test_the_first_no_ends_the_page() -> None:
    """It is what is told."""
    async with terminal("250 ok", "550 unknown") as it, SnppConsole("127.0.0.1", it.port) as console:
        assert (await console.page(["1", "2"], "x")).code == 550
        assert it.heard == ["PAGE 1", "PAGE 2"]


async def test_a_two_way_page_is_asked_for_by_its_tag() -> None:
    """As SEND named it."""
    answers = ["250 ok"] * 6 + ["354 go", "250 ok", "960 17 4 queued", "860 17 now delivered"]
    async with terminal(*answers) as it, SnppConsole("127.0.0.1", it.port, user="u", password="p") as console:
        sent = await console.page_two_way(["1"], "x", choices=[("01", "Ja")], ack_read=True)
        assert sent.ok and (await console.status(sent)).code == 860
        assert it.heard[:6] == ["LOGI u p", "2WAY", "PAGE 1", "RTYP MULTICHOICE", "MCRE 01 Ja", "ACKR 1"]
        assert it.heard[-2:] == ["SEND", "MSTA 17 4"]


async def test_help_goes_on_and_a_hang_up_is_no_answer() -> None:
    """Lines of 214 belong together."""
    async with terminal("214 a\r\n214 b\r\n250 end") as it, SnppConsole("127.0.0.1", it.port) as console:
        assert (await console.say("HELP")).text == "a\nb\nend"
        with pytest.raises(Hung):
            await console.say("QUIT")
