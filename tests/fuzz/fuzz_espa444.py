"""Fuzz target for the ESPA 4.4.4 pager system.

`one_input` is what a coverage-guided fuzzer calls (atheris: `atheris.Setup(sys.argv, one_input)`). Without,
`python -m tests.fuzz.fuzz_espa444 N [SEED]` runs N inputs made by mutating the recorded conversations. It
raises AssertionError when a promise of `protocols.codec` is broken, and whatever the codec raised if it did.
"""

from __future__ import annotations

import random
import sys

from protocols.espa444 import MAX_PENDING_BYTES, Link, LinkMode, PagerSystem, StatusReport
from protocols.espa444_events import BlockReceived
from tests.support.espa_replay import load_transactions

MODES = list(LinkMode)


def one_input(data: bytes) -> None:
    """The first byte chooses mode and answers, the rest is talk; every 7th byte value lets time pass."""
    head = data[0] if data else 0
    codec = PagerSystem(Link(mode=MODES[head % 3], seven_bit=bool(head & 0x10)))
    codec.queue_status(StatusReport("s", "1", "x", "3"))
    now, start = 0, 1
    while start < len(data):
        size = 1 + data[start] % 23
        chunk, start = data[start : start + size], start + size
        codec.receive_data(chunk, now)
        _settle(codec, head, now)
        if chunk[0] % 7 == 0:
            now += chunk[-1] * 40
            _time(codec, now)
            _settle(codec, head, now)
    codec.receive_eof(now)
    _settle(codec, head, now)
    assert codec.closed
    assert codec.next_timer() is None


def _settle(codec: PagerSystem, head: int, now: int) -> None:
    while events := codec.events_received():
        for event in events:
            if isinstance(event, BlockReceived):
                answer = (codec.accept, codec.refuse_busy, codec.refuse_invalid, None)[head // 3 % 4]
                if answer is not None:
                    answer(event.token, now)
                assert len(event.text) + len(event.address) <= codec.link.max_block_bytes
    codec.data_to_send()
    assert len(codec._pending) <= MAX_PENDING_BYTES


def _time(codec: PagerSystem, now: int) -> None:
    for _ in range(1_000):
        due = codec.next_timer()
        if due is None or due > now:
            return
        codec.handle_timer(now)
    raise AssertionError("the codec does not clear its timer")


def mutations(count: int, seed: int) -> list[bytes]:
    """Inputs: recorded conversations, spliced, with bytes flipped, dropped and doubled."""
    chance = random.Random(seed)
    corpus = [transaction.said for transaction in load_transactions().values()]
    made = []
    for _ in range(count):
        data = bytearray([chance.randrange(256)])
        for _ in range(chance.randrange(1, 5)):
            data += chance.choice(corpus)
        for _ in range(chance.randrange(12)):
            place = chance.randrange(len(data) + 1)
            data[place : place + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        made.append(bytes(data))
    return made


def main(arguments: list[str]) -> None:
    """Run N inputs from SEED (default 1)."""
    count = int(arguments[0]) if arguments else 10_000
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    for data in mutations(count, seed):
        one_input(data)
    print(f"{count} inputs, seed {seed}: nothing raised, nothing grew, every timer cleared")


if __name__ == "__main__":
    main(sys.argv[1:])
