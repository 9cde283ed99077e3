"""The least of RFC 6455 that a dumb phone needs: handshake text, frame splitting, masked frames.

It refuses extensions (none is offered) and anything a server must not send (masked frames, unknown
opcodes). Client frames carry an all-zero masking key: section 5.3 lets the client choose the key, the
server does the same unmasking work as for any other key, and the generator is spared the XOR.
"""

from __future__ import annotations

SUBPROTOCOL = "alarmhub.phone.v1"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MAX_FRAME_BYTES = 1 << 20

_FIN, _MASKED = 0x80, 0x80
_KEY = "YWxhcm1odWItbG9hZC0wMA=="
"""Fixed nonce: the server only has to hash it, and a constant saves the generator the randomness."""


class FrameFault(ValueError):
    """The peer broke the framing rules; the connection is worthless from here on."""


def handshake(host: str, port: int, path: str = "/phone") -> bytes:
    """The opening request (RFC 6455 section 4.1) with the phone subprotocol offered."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {_KEY}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    ).encode()


def handshake_end(data: bytes) -> int:
    """Where the frames begin in `data`, 0 while the response head is not complete.

    Raises FrameFault if the server answers anything but 101.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        if len(data) > 16_384:
            raise FrameFault("response head too long")
        return 0
    if not data.startswith(b"HTTP/1.1 101"):
        raise FrameFault(f"no upgrade: {data[:60]!r}")
    return end + 4


def split(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """All whole frames at the start of `data` as (opcode with FIN bit, payload), and the bytes used.

    The FIN bit stays in the first value (0x81 = a whole text message), so that the usual case is one
    comparison. Raises FrameFault on masked, reserved or oversized frames.
    """
    frames: list[tuple[int, bytes]] = []
    at, have = 0, len(data)
    while have - at >= 2:
        head, size = data[at], data[at + 1]
        if head & 0x70 or size & _MASKED:
            raise FrameFault("reserved bits or masked server frame")
        start = at + 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if have < start + width:
                break
            size = int.from_bytes(data[start : start + width], "big")
            start += width
        if size > MAX_FRAME_BYTES:
            raise FrameFault(f"frame of {size} bytes")
        if have < start + size:
            break
        frames.append((head, data[start : start + size]))
        at = start + size
    return frames, at


def client_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole frame from client to server, masked with the all-zero key."""
    size = len(payload)
    if size < 126:
        return bytes((_FIN | opcode, _MASKED | size, 0, 0, 0, 0)) + payload
    if size < 65_536:
        return bytes((_FIN | opcode, _MASKED | 126)) + size.to_bytes(2, "big") + b"\0\0\0\0" + payload
    return bytes((_FIN | opcode, _MASKED | 127)) + size.to_bytes(8, "big") + b"\0\0\0\0" + payload


def server_frame(payload: bytes, opcode: int = TEXT) -> bytes:
    """One whole unmasked frame, as a server sends it; for tests and simulated gateways."""
    size = len(payload)
    if size < 126:
        return bytes((_FIN | opcode, size)) + payload
    if size < 65_536:
        return bytes((_FIN | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FIN | opcode, 127)) + size.to_bytes(8, "big") + payload
