"""The interface of every stream codec: a conversation with one peer, without a socket and without a clock.

How to read a codec, if you have never met the pattern: it is a machine with two slots. Whoever owns the
connection pushes bytes into `receive_data` as they arrive, in pieces of any size, and then takes out

* `events_received()`: what the peer has said so far, as frozen values, in order, each exactly once;
* `data_to_send()`: the bytes the machine wants written now, each exactly once.

Time is an argument (`now`, integer milliseconds of whatever clock the owner uses, never going back). A codec
that waits for something names the instant in `next_timer()`; the owner calls `handle_timer(now)` at or after
it. So a test of a 15-second rule takes no time, and a recorded conversation can be replayed to the byte.

    codec.receive_data(b"\\x042\\x05", now)      # bytes in, in any split
    for event in codec.events_received(): ...   # what they meant
    transport.write(codec.data_to_send())       # what to answer
    wake_at(codec.next_timer())                 # None: nothing is waited for

What every codec promises: it never raises on what a peer sends; any split of the same bytes gives the same
events; its memory is bounded whatever arrives; a good message before a bad byte is still delivered; and after
`handle_timer(now)` its `next_timer()` is None or later than `now`. What it refuses: to open, read or close
anything, to know a clock, to log, and to import the hub.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

E = TypeVar("E")


class StreamCodec(Protocol[E]):
    """One side of one conversation; `E` is the union of its event types. All times are integer ms."""

    def receive_data(self, data: bytes, now: int) -> None:
        """Take bytes from the peer. Never raises; after `closed` they are dropped."""
        ...

    def receive_eof(self, now: int) -> None:
        """The peer will send no more: whatever is unfinished fails, and the codec is closed."""
        ...

    def handle_timer(self, now: int) -> None:
        """The instant named by `next_timer` has come. Called early, it changes nothing."""
        ...

    def events_received(self) -> list[E]:
        """What happened since the last call, in order; each event is handed out once."""
        ...

    def data_to_send(self) -> bytes:
        """What to write since the last call; each byte is handed out once."""
        ...

    def next_timer(self) -> int | None:
        """When `handle_timer` is to be called next, None while nothing is waited for."""
        ...

    @property
    def wants_data(self) -> bool:
        """False asks the owner to stop reading until it has answered what it was given."""
        ...

    @property
    def closed(self) -> bool:
        """True once the conversation is over; the owner closes the connection."""
        ...

    @property
    def error(self) -> str | None:
        """Why the codec closed the conversation itself, None otherwise."""
        ...
