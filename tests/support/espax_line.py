"""A raw client of ESPA-X over a socket: says bytes, and judges everything it hears by the oracle."""

from __future__ import annotations

import asyncio
import struct
from types import TracebackType

from tests.support.espax_oracle import Said, judged, request

WITHIN_S = 5.0


class EspaxLine:
    """One connection, as a context manager. `session` is the number of its session once logged in."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.session = ""
        self._invoke = 0

    async def __aenter__(self) -> EspaxLine:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> Said:
        async with asyncio.timeout(WITHIN_S):
            magic, length, invoke = struct.unpack(">2sII", await self.reader.readexactly(10))
            assert magic == b"EX"
            return judged(await self.reader.readexactly(length - 10), invoke)

    async def ask(self, element: str, **fields: str) -> Said:
        """A request and its answer; indications that come before it fail the test."""
        self._invoke += 1
        await self.say(request(element, self._invoke, self.session or None, **fields))
        said = await self.hear()
        assert said.element == element.replace("REQ.", "RSP.")
        assert said.attributes["invokeID"] == str(self._invoke)
        return said

    async def login(self, user: str = "lichtruf", password: str = "geheim12") -> Said:
        said = await self.ask("REQ.LOGIN", LI_CLIENT="Test", LI_USER=user, LI_PASSWORD=password)
        if said.code == "200":
            self.session = said.attributes["sessionID"]
        return said

    async def start(self, ref: str = "r1", **fields: str) -> Said:
        named = {"CP_PR_REF": ref} if ref else {}
        return await self.ask(
            "REQ.P-START", **named, **{f"CP_{name}": value for name, value in fields.items()}
        )

    async def ended(self) -> bytes:
        """What is left to hear until the other side closes."""
        async with asyncio.timeout(WITHIN_S):
            return await self.reader.read()
