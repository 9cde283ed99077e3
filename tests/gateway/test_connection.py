"""One socket at the level of bytes: framing, floods, limits, and every way a connection can end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from alarmhub.gateway.connection import FRAGMENTS_MAX, FRAMES_PER_TICK, text_frame
from tests.support.desk import call
from tests.support.phone import Hub, running
from tests.support.waiting import until

HANDSHAKE = (
    b"GET /phone HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: alarmhub.phone.v1\r\n\r\n"
)


def masked(payload: bytes, opcode: Opcode = Opcode.TEXT, *, fin: bool = True) -> bytes:
    """A frame as a client sends it."""
    return bytes(Frame(opcode, payload, fin).serialize(mask=True))


class Raw:
    """A TCP connection that says exactly what a test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until_contains(self, wanted: bytes) -> bytes:
        """All bytes up to the moment `wanted` has come."""
        heard = b""
        async with asyncio.timeout(5):
            while wanted not in heard:
                data = await self.reader.read(65536)
                assert data, f"the hub closed after {heard!r}"
                heard += data
        return heard

    async def rest(self) -> bytes:
        """Everything until the hub closes."""
        heard = b""
        async with asyncio.timeout(5):
            try:
                while data := await self.reader.read(65536):
                    heard += data
            except ConnectionResetError:
                pass
        return heard

    def send(self, data: bytes) -> None:
        """Write without waiting."""
        self.writer.write(data)


@asynccontextmanager
async def raw(hub: Hub, *, upgraded: bool = True, staff: str = "") -> AsyncIterator[Raw]:
    """A raw connection: only open, or upgraded, or with `staff` synced."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.gateway.port)
    peer = Raw(reader, writer)
    try:
        if upgraded or staff:
            peer.send(HANDSHAKE)
            await peer.until_contains(b"\r\n\r\n")
        if staff:
            token = hub.tokens.secret(staff)
            peer.send(masked(f'{{"type":"hello","token":"{token}","device":"raw"}}'.encode()))
            await peer.until_contains(b'"synced"')
        yield peer
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_a_text_frame_is_what_the_library_would_have_written(size: int) -> None:
    """At each border of the length's encoding (RFC 6455 section 5.2)."""
    payload = b"x" * size
    assert text_frame(payload) == bytes(Frame(Opcode.TEXT, payload).serialize(mask=False))


async def test_a_frame_may_come_byte_by_byte_or_many_at_once() -> None:
    """TCP knows no frames."""
    async with running() as hub, raw(hub, staff="anna") as phone:
        for byte in masked(b'{"type":"rang","alarm":"a1","rev":1}'):
            phone.send(bytes([byte]))
            await phone.writer.drain()
        phone.send(masked(b'{"type":"rang","alarm":"a2","rev":1}') * 3)
        await until(lambda: len(hub.engine.receipts) == 4)


async def test_frames_may_come_right_behind_the_handshake() -> None:
    """Even cut in the middle: an eager phone loses nothing."""
    async with running() as hub, raw(hub, upgraded=False) as phone:
        token = hub.tokens.secret("anna")
        hello = masked(f'{{"type":"hello","token":"{token}","device":"eager"}}'.encode())
        phone.send(HANDSHAKE + hello[:11])
        await phone.until_contains(b"\r\n\r\n")
        phone.send(hello[11:])
        await phone.until_contains(b'"synced"')


async def test_a_message_in_fragments_is_one_message() -> None:
    """With a ping between; pings are answered."""
    async with running() as hub, raw(hub, staff="anna") as phone:
        whole = b'{"type":"rang","alarm":"a1","rev":1}'
        phone.send(masked(whole[:9], fin=False) + masked(b"hi", Opcode.PING))
        phone.send(masked(whole[9:20], Opcode.CONT, fin=False) + masked(whole[20:], Opcode.CONT))
        await phone.until_contains(b"\x8a\x02hi")
        await until(lambda: [receipt[2] for receipt in hub.engine.receipts] == ["a1"])
        phone.send(masked(b"\x01", Opcode.BINARY, fin=False) + masked(b"\x02", Opcode.CONT))
        await phone.until_contains(b'"not_text"')


async def test_a_message_in_endless_fragments_is_closed() -> None:
    """Empty ones count: size alone would never end it."""
    async with running() as hub, raw(hub, staff="anna") as phone:
        phone.send(masked(b"", fin=False) + masked(b"", Opcode.CONT, fin=False) * (FRAGMENTS_MAX + 1))
        assert (4413).to_bytes(2, "big") in await phone.rest()


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1_000_000])
async def test_a_frame_over_16_kib_is_closed_with_1009(size: int) -> None:
    """As soon as its length is known, with a reason; one byte less is read."""
    async with running() as hub:
        anna = await hub.phone("anna")
        await anna.socket.send('{"type":"beat","x":"' + "y" * (16 * 1024 - 22) + '"}')
        await anna.next()
        await anna.socket.send("y" * size)
        code, reason = await anna.closing()
        assert code == 1009 and str(16 * 1024) in reason
        await until(lambda: hub.gateway.live == 0)


async def test_text_that_is_no_utf8_is_closed_with_1007() -> None:
    """RFC 6455 section 8.1."""
    async with running() as hub, raw(hub, staff="anna") as phone:
        phone.send(masked(b'{"type":"beat","x":"\xff"}'))
        assert (1007).to_bytes(2, "big") in await phone.rest()


@pytest.mark.parametrize(
    "data",
    [b"\x81\x02{}", b"\xf1\x80....", b"\x83\x80....", masked(b"x", Opcode.CONT)],
    ids=["unmasked", "reserved bits", "reserved opcode", "continues nothing"],
)
async def test_broken_framing_is_closed_with_1002(data: bytes) -> None:
    """Unmasked, reserved bits, an unknown opcode, a continuation of nothing."""
    async with running() as hub, raw(hub, staff="anna") as phone:
        phone.send(data)
        assert (1002).to_bytes(2, "big") in await phone.rest()


async def test_a_flood_is_read_at_a_measured_pace() -> None:
    """Past 200 frames in half a second the phone waits, others do not; nothing of it is lost."""
    async with running() as hub, raw(hub, staff="anna") as flood:
        bo = await hub.phone("bo")
        flood.send(masked(b'{"type":"rang","alarm":"a1","rev":1}') * (3 * FRAMES_PER_TICK))
        await until(lambda: len(hub.engine.receipts) >= FRAMES_PER_TICK)
        await bo.hears_nothing_before_beat()
        within_a_tick = len(hub.engine.receipts)
        assert within_a_tick < 2 * FRAMES_PER_TICK
        for _ in range(3):
            hub.tick()
            await bo.hears_nothing_before_beat()
        await until(lambda: len(hub.engine.receipts) == 3 * FRAMES_PER_TICK)


async def test_a_handshake_that_never_ends_is_cut_off() -> None:
    """After 5 s, however busily it drips; also one that says nothing."""
    async with running() as hub, raw(hub, upgraded=False) as slow, raw(hub, upgraded=False) as mute:
        slow.send(HANDSHAKE[:40])
        await until(lambda: hub.gateway.counters.accepted == 2)
        hub.tick(9)
        slow.send(HANDSHAKE[40:50])
        hub.tick()
        assert await slow.rest() == b"" and await mute.rest() == b""


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"404"),
        (b"GET /phone HTTP/1.1\r\nHost: h\r\n\r\n", b"426"),
        (b"POST /phone HTTP/1.1\r\nHost: h\r\n\r\n", b"405"),
        (b"GET /phone HTTP/1.1\r\nX: " + b"y" * 10_000 + b"\r\n\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01 TLS hello?\r\n\r\n", b""),
    ],
)
async def test_what_is_no_websocket_is_answered_and_closed(request_: bytes, answer: bytes) -> None:
    """In the words of HTTP, where it is HTTP."""
    async with running() as hub, raw(hub, upgraded=False) as peer:
        peer.send(request_)
        assert answer in (await peer.rest())[:20]


async def test_a_slow_reader_is_broken_off_and_holds_nobody_up() -> None:
    """Past its byte budget; the colleague beside gets every frame, and the slow one resumes on reconnect."""
    async with running(byte_budget=20_000) as hub:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", hub.gateway.port))
            slow.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(slow, HANDSHAKE)
            token = hub.tokens.secret("anna")
            hello = f'{{"type":"hello","token":"{token}","device":"slow"}}'.encode()
            await loop.sock_sendall(slow, masked(hello))
            await until(lambda: hub.gateway.live == 1)
            bo = await hub.phone("bo")
            hub.engine.put(call("a1", "anna", "bo", at=hub.clock.now(), text="x" * 150))
            assert (await bo.alarm()).count == 1
            for count in range(2, 2000):
                hub.engine.change("a1", count=count)
                assert (await bo.alarm()).count == count
                if hub.gateway.counters.closed_slow:
                    break
            assert hub.gateway.counters.closed_slow == 1 and hub.gateway.live == 1
        assert (await hub.phone("anna", "slow")).alarms[0].count == count


async def test_a_large_state_at_sync_is_no_slow_reader() -> None:
    """The budget is counted on top of what the hub itself wanted to say."""
    async with running(byte_budget=1_000) as hub:
        for number in range(3_000):
            hub.engine.put(call(f"a{number}", "anna", at=hub.clock.now()))
        anna = await hub.socket()
        await anna.say(type="hello", token=hub.tokens.secret("anna"), device="d")
        await until(lambda: hub.gateway.live == 1)
        hub.engine.change("a7", count=2)
        await anna.next()
        for _ in range(3_000):
            await anna.alarm()
        await anna.next()
        assert (await anna.alarm()).id == "a7"


async def test_a_phone_that_says_goodbye_is_answered() -> None:
    """And is lost at once, not when TCP has settled."""
    async with running() as hub:
        anna = await hub.phone("anna")
        await anna.socket.close(1000)
        assert anna.socket.close_code == 1000
        await until(lambda: hub.gateway.live == 0)


async def test_who_does_not_take_part_in_closing_is_cut_off() -> None:
    """After two seconds."""
    async with running(faults_allowed=1) as hub, raw(hub, staff="anna") as phone:
        phone.send(masked(b"?"))
        await phone.until_contains((4429).to_bytes(2, "big"))
        hub.tick(4)
        assert not phone.reader.at_eof() or hub.gateway.live == 0
        hub.tick(2)
        await until(lambda: hub.gateway.connections == 0)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60), max_size=8), st.booleans(), st.booleans())
def test_garbage_never_hurts_the_hub(pieces: list[bytes], framed: bool, said_hello: bool) -> None:
    """Before or after hello, in frames or beside them: whoever sends it, the next phone is served."""

    async def scene() -> None:
        async with running() as hub, raw(hub, staff="anna" if said_hello else "") as peer:
            for piece in pieces:
                peer.send(masked(piece) if framed else piece)
            peer.send(b"\x00" * 10)
            bo = await hub.phone("bo")
            await bo.hears_nothing_before_beat()

    asyncio.run(scene())


async def test_a_short_frame_between_the_pieces_of_another_is_not_taken_for_a_message() -> None:
    """Whole by itself, it is a fault within an unfinished message: the library says so and closes."""
    async with running() as hub, raw(hub, staff="anna") as peer:
        peer.send(masked(b'{"type":', fin=False))
        await until(lambda: any(c._fragments for c in hub.gateway._connections), "the first piece is there")
        peer.send(masked(b'{"type":"beat"}'))
        assert b"\x88" in await peer.rest()


async def test_what_looks_like_a_frame_inside_a_longer_one_is_only_its_content() -> None:
    """While the library waits for the rest of one, a chunk is part of it, whatever it looks like."""
    async with running() as hub, raw(hub, staff="anna") as peer:
        unread = lambda: [c._unread for c in hub.gateway._connections]  # noqa: E731
        inner = b"\x81\x8f\0\0\0\0" + b'{"type":"beat"}'
        head = bytes((0x81, 0x80 | (len(inner) + 2))) + b"\0\0\0\0" + b'"'
        peer.send(head)
        await until(lambda: unread() == [len(head)], "the beginning is there")
        peer.send(inner)
        await until(lambda: unread() == [len(head + inner)], "the middle is there")
        peer.send(b'"')
        heard = await peer.rest()
        assert b'"beat"' not in heard and b"UTF-8" in heard


async def test_after_a_long_frame_short_ones_go_on() -> None:
    """The bytes the library has completed are none that it waits for."""
    async with running() as hub, raw(hub, staff="anna") as peer:
        peer.send(masked(b'{"type":"beat","of":"%s"}' % (b"x" * 300)))
        await peer.until_contains(b'"beat"')
        assert all(c._unread == 0 for c in hub.gateway._connections)
        peer.send(masked(b'{"type":"beat"}'))
        await peer.until_contains(b'"beat"')
