"""The driver of stream codecs, over real loopback sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.inbound.stream import Connection, Limits, StreamServer
from alarmhub.tasks import Crew
from protocols.codec import StreamCodec
from tests.support.waiting import until


class Lines:
    """A small codec: each line is an event; `reply` answers it. Knobs for every way to misbehave."""

    def __init__(self) -> None:
        self._rest = b""
        self._events: list[str] = []
        self._out = b""
        self.timer: int | None = None
        self.fired: list[int] = []
        self.clears_timer = True
        self.wants = True
        self.closed = False
        self.error: str | None = None
        self.eof = False

    def receive_data(self, data: bytes, now: int) -> None:
        """Split at newlines."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._events += [line.decode() for line in lines]

    def receive_eof(self, now: int) -> None:
        """The half line at the end is an event too."""
        self.eof = self.closed = True
        if self._rest:
            self._events.append("half " + self._rest.decode())

    def handle_timer(self, now: int) -> None:
        """Note when it fired."""
        self.fired.append(now)
        if self.clears_timer:
            self.timer = None

    def events_received(self) -> list[str]:
        """Once each."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Once each."""
        out, self._out = self._out, b""
        return out

    def next_timer(self) -> int | None:
        """As set."""
        return self.timer

    @property
    def wants_data(self) -> bool:
        """As set."""
        return self.wants

    def reply(self, data: bytes) -> None:
        """To be written at the next flush."""
        self._out += data


class Peer:
    """A session that keeps what it took and does what the test tells it to."""

    def __init__(self, connection: Connection[str]) -> None:
        self.connection = connection
        self.codec = Lines()
        self.taken: list[str] = []
        self.lost_because: list[str] = []
        self.on_event: Callable[[str], Awaitable[None]] | None = None

    async def take(self, event: str) -> None:
        """Keep, then act."""
        if self.on_event is not None:
            await self.on_event(event)
        self.taken.append(event)

    def lost(self, cause: str) -> None:
        """Keep why."""
        self.lost_because.append(cause)


class Door:
    """A server and its sessions."""

    def __init__(self, server: StreamServer[str], peers: list[Peer], crew: Crew) -> None:
        self.server = server
        self.peers = peers
        self.crew = crew
        self.writers: list[asyncio.StreamWriter] = []

    async def knock(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, Peer]:
        """Connect; the session that serves it."""
        before = len(self.peers)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        self.writers.append(writer)
        await until(lambda: len(self.peers) > before, "a session")
        return reader, writer, self.peers[-1]


@asynccontextmanager
async def door(
    limits: Limits | None = None, prepare: Callable[[Peer], None] | None = None
) -> AsyncIterator[Door]:
    """An open door on a free port, closed and without tasks afterwards."""
    peers: list[Peer] = []

    def open_session(connection: Connection[str]) -> Peer:
        peer = Peer(connection)
        codec: StreamCodec[str] = peer.codec
        assert codec is peer.codec
        if prepare is not None:
            prepare(peer)
        peers.append(peer)
        return peer

    crew = Crew("test")
    server: StreamServer[str] = StreamServer(open_session, crew=crew, clock=MonotonicClock(), limits=limits)
    await server.start("127.0.0.1", 0)
    it = Door(server, peers, crew)
    try:
        yield it
    finally:
        await server.close()
        for writer in it.writers:
            writer.transport.abort()
        assert await crew.close()
        assert not crew.fatal.done()


async def test_lines_go_in_and_answers_come_back() -> None:
    """Bytes in any packets, events in order, answers written."""

    async with door() as it:
        reader, writer, peer = await it.knock()

        async def answer(event: str) -> None:
            peer.codec.reply(event.upper().encode() + b"!")

        peer.on_event = answer
        for packet in (b"on", b"e\ntw", b"o\n"):
            writer.write(packet)
            await writer.drain()
        assert await reader.readexactly(8) == b"ONE!TWO!"
        assert peer.taken == ["one", "two"]
        writer.close()
        await until(lambda: peer.lost_because, "the end")
        assert peer.lost_because == ["closed by the other side"]


async def test_a_slow_commit_stops_neither_reading_nor_timers() -> None:
    """While one event is being taken, the end of the connection is noticed; what was read is still taken."""
    async with door() as it:
        _, writer, peer = await it.knock()
        gate = asyncio.Event()

        async def wait(event: str) -> None:
            await gate.wait()

        peer.on_event = wait
        writer.write(b"call\nnext\nhalf")
        await writer.drain()
        writer.close()
        await until(lambda: peer.codec.eof, "the end to be noticed")
        assert peer.taken == []
        assert peer.lost_because == []
        gate.set()
        await until(lambda: peer.lost_because, "the end")
        assert peer.taken == ["call", "next", "half half"]


async def test_an_answer_from_outside_is_written_by_flush() -> None:
    """Whoever changes the codec says so."""
    async with door() as it:
        reader, _, peer = await it.knock()
        peer.codec.reply(b"status")
        peer.connection.flush()
        assert await reader.readexactly(6) == b"status"


async def test_the_timer_fires_at_its_time_and_not_before() -> None:
    """The codec is called once, at or after the instant it named; a later one replaces it."""
    async with door() as it:
        _, _, peer = await it.knock()
        clock = MonotonicClock()
        due = clock.now() + 60
        peer.codec.timer = clock.now() + 20
        peer.connection.flush()
        peer.codec.timer = due
        peer.connection.flush()
        await until(lambda: peer.codec.fired, "the timer")
        assert peer.codec.fired[0] >= due
        assert len(peer.codec.fired) == 1


async def test_a_codec_that_does_not_clear_its_timer_loses_its_connection(
    log_lines: list[dict[str, Any]],
) -> None:
    """It would spin the loop; the driver asserts, says so and closes that one connection."""
    async with door() as it:
        reader, _, peer = await it.knock()
        peer.codec.clears_timer = False
        peer.codec.timer = 1
        peer.connection.flush()
        assert await reader.read() == b""
        await until(lambda: peer.lost_because, "the end")
        assert peer.lost_because == ["defect: the codec does not clear its timer"]
        assert len(peer.codec.fired) == 1
        assert any("clear its timer" in str(line.get("cause")) for line in log_lines)


async def test_a_defect_met_by_one_peer_closes_that_peer_alone(log_lines: list[dict[str, Any]]) -> None:
    """The other connection talks on, the hub's crew is alive, the defect is in the log."""
    async with door() as it:
        reader, writer, peer = await it.knock()
        other_reader, other_writer, other = await it.knock()

        async def fail(event: str) -> None:
            raise ZeroDivisionError("a defect")

        async def echo(event: str) -> None:
            other.codec.reply(b"here")

        peer.on_event, other.on_event = fail, echo
        writer.write(b"x\n")
        assert await reader.read() == b""
        other_writer.write(b"y\n")
        assert await other_reader.readexactly(4) == b"here"
        await until(lambda: peer.lost_because, "the end")
        assert peer.lost_because == ["defect: ZeroDivisionError"]
        assert any(line["event"] == "source_closed" for line in log_lines)


async def test_reading_stops_while_the_codec_wants_no_data() -> None:
    """Backpressure reaches the peer: nothing more is read until the codec wants it again."""

    def shut(peer: Peer) -> None:
        peer.codec.wants = False

    async with door(prepare=shut) as it:
        _, writer, peer = await it.knock()
        writer.write(b"early\n")
        await writer.drain()
        peer.codec.reply(b"")
        peer.connection.flush()
        assert peer.taken == []
        peer.codec.wants = True
        peer.connection.flush()
        await until(lambda: peer.taken == ["early"], "the line")


async def test_reading_stops_while_too_many_events_wait() -> None:
    """A stuck session does not grow: what cannot be taken stays in the socket, and comes in order later."""
    async with door(Limits(events_waiting=4)) as it:
        _, writer, peer = await it.knock()
        gate = asyncio.Event()

        async def wait(event: str) -> None:
            await gate.wait()

        peer.on_event = wait
        lines = [f"{number:0500d}" for number in range(60)]
        writer.write("".join(line + "\n" for line in lines).encode())
        await until(lambda: len(peer.connection._events) >= 4, "a backlog")
        backlog = len(peer.connection._events)
        assert backlog < 20
        gate.set()
        await until(lambda: len(peer.taken) == 60, "all lines")
        assert peer.taken == lines


async def test_a_peer_that_does_not_read_is_closed_at_the_write_deadline() -> None:
    """Its answers pile up no longer than that."""
    async with door(Limits(write_within_s=0.2)) as it:
        _, writer, peer = await it.knock()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.transport.pause_reading()
        peer.codec.reply(b"x" * 16_000_000)
        peer.connection.flush()
        await until(lambda: peer.lost_because, "the end")
        assert peer.lost_because == ["the other side does not read"]


async def test_a_slow_but_reading_peer_is_kept() -> None:
    """Progress within the deadline is enough."""
    async with door(Limits(write_within_s=0.3)) as it:
        reader, _, peer = await it.knock()
        for _ in range(4):
            peer.codec.reply(b"x" * 1_000_000)
            peer.connection.flush()
            assert len(await reader.readexactly(1_000_000)) == 1_000_000
        assert not peer.lost_because


async def test_a_plant_that_reconnects_is_never_locked_out() -> None:
    """At the limit the connection goes that was useful least lately: the dead one, not the busy one."""
    async with door(Limits(connections=2)) as it:
        _, busy_writer, busy = await it.knock()
        silent_reader, _, silent = await it.knock()
        busy_writer.write(b"alive\n")
        await until(lambda: busy.taken == ["alive"], "the line")
        _, newest_writer, newest = await it.knock()
        assert await silent_reader.read() == b""
        await until(lambda: silent.lost_because, "the end")
        assert silent.lost_because == ["a newer connection took its place"]
        newest_writer.write(b"back\n")
        await until(lambda: newest.taken == ["back"], "the line")
        assert not busy.lost_because
        assert {c.peer for c in it.server.connections} == {busy.connection.peer, newest.connection.peer}


async def test_dead_peers_are_found_by_keepalive() -> None:
    """A plant that lost its power says no goodbye: the kernel asks."""
    async with door() as it:
        _, _, peer = await it.knock()
        sock = peer.connection._writer.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10


async def test_a_codec_may_end_the_conversation() -> None:
    """Its last words are written before the connection closes; its error is the cause."""
    async with door() as it:
        reader, _, peer = await it.knock()
        peer.codec.reply(b"bye")
        peer.codec.closed, peer.codec.error = True, "protocol error"
        peer.connection.flush()
        assert await reader.read() == b"bye"
        await until(lambda: peer.lost_because, "the end")
        assert peer.lost_because == ["protocol error"]


async def test_closing_the_door_ends_all_connections() -> None:
    """Each session is told once, and nobody can knock any more."""
    async with door() as it:
        readers = [(await it.knock())[0] for _ in range(3)]
        port = it.server.port
        await it.server.close()
        assert [await reader.read() for reader in readers] == [b""] * 3
        assert [peer.lost_because for peer in it.peers] == [["hub is stopping"]] * 3
        with pytest.raises(OSError, match=r".*"):
            await asyncio.open_connection("127.0.0.1", port)


async def test_who_may_not_connect_is_sent_away() -> None:
    """Before anything is read from him, and without a session."""
    asked: list[str] = []

    def admits(host: str) -> bool:
        asked.append(host)
        return False

    crew = Crew("test")
    server: StreamServer[str] = StreamServer(Peer, crew=crew, clock=MonotonicClock(), admits=admits)
    await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        assert await reader.read() == b""
    except ConnectionResetError:
        pass
    assert (asked, server.connections) == (["127.0.0.1"], [])
    writer.transport.abort()
    await server.close()
    assert await crew.close()
