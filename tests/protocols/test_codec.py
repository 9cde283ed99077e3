"""The interface of all codecs, as a driver relies on it."""

from __future__ import annotations

from protocols.codec import StreamCodec
from protocols.espa444 import Link, PagerSystem

VERBS = [
    "receive_data",
    "receive_eof",
    "handle_timer",
    "events_received",
    "data_to_send",
    "next_timer",
    "wants_data",
    "closed",
    "error",
]


def test_every_verb_of_the_interface_is_there() -> None:
    """The names are the contract between codecs and the driver."""
    assert [name for name in vars(StreamCodec) if not name.startswith("_")] == VERBS
    assert all(hasattr(PagerSystem(Link()), verb) for verb in VERBS)
