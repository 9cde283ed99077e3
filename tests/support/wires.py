"""The other end of a serial line, or of a connection that the hub makes: says bytes, hears bytes."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import cast

from tests.support.espa_plant import Plant


class FarEnd:
    """What a plant writes to at its end of a pseudo-terminal: the part of a StreamWriter that plants use."""

    def __init__(self, fd: int, reader: asyncio.StreamReader) -> None:
        self._fd, self._reader = fd, reader
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self.resume_reading()

    @property
    def transport(self) -> FarEnd:
        return self

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    async def drain(self) -> None:
        return

    def is_closing(self) -> bool:
        return self._fd < 0

    def abort(self) -> None:
        if self._fd >= 0:
            self.pause_reading()
            os.close(self._fd)
            self._fd = -1
            self._reader.feed_eof()

    def pause_reading(self) -> None:
        self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        self._loop.add_reader(self._fd, self._on_bytes)

    def _on_bytes(self) -> None:
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # nobody holds the other end
        if data:
            self._reader.feed_data(data)
        else:
            self.pause_reading()


class Wire(Plant):
    """A plant at the far end of a pseudo-terminal; the hub opens `device`."""

    def __init__(self) -> None:
        super().__init__(0)
        self._far, near = os.openpty()
        self.device = os.ttyname(near)
        # Kept open: a device that nobody holds is gone.
        self._near = near
        self.far: FarEnd

    async def __aenter__(self) -> Wire:
        self.reader = asyncio.StreamReader()
        self.far = FarEnd(self._far, self.reader)
        self.writer = cast(asyncio.StreamWriter, self.far)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()

    def unplug(self) -> None:
        """The device is gone."""
        self.far.abort()
        if self._near >= 0:
            os.close(self._near)
            self._near = -1


class Called(Plant):
    """A plant that listens: the hub calls it, and again when it hangs up. `calls` counts."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.calls = 0
        self._server: asyncio.Server | None = None
        self._came: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._all: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Called:
        self._server = await asyncio.start_server(self._on_call, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()

    def _on_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        self._all.append(writer)
        self._came.put_nowait((reader, writer))

    async def answered(self) -> Called:
        """The next call of the hub is taken."""
        async with asyncio.timeout(5):
            self.reader, self.writer = await self._came.get()
        return self

    async def leave(self) -> None:
        """Hang up and listen no more."""
        if self._server is not None:
            self._server.close()
        for writer in self._all:
            writer.transport.abort()
