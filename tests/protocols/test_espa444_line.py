"""Who is meant by what is said on the line, and what can be agreed for it."""

from __future__ import annotations

from typing import Any

import pytest

from protocols.espa444_line import BURST_GAP_MS, Line, Link, LinkMode, Meaning

POLL, SELECT = Meaning.POLL_OF_US, Meaning.SELECT_OF_US


@pytest.mark.parametrize(
    ("mode", "ended_something", "gap", "expected"),
    [
        (LinkMode.POLLED, False, 0, POLL),
        (LinkMode.POLLED, True, 60_000, POLL),
        (LinkMode.SELECT_ONLY, False, 0, SELECT),
        (LinkMode.AUTO, False, BURST_GAP_MS, POLL),
        (LinkMode.AUTO, False, BURST_GAP_MS + 1, SELECT),
        (LinkMode.AUTO, True, 0, SELECT),
    ],
)
def test_eot_me_enq(mode: LinkMode, ended_something: bool, gap: int, expected: Meaning) -> None:
    """The ambiguous pair, by mode, by what the EOT was, and on both sides of the burst gap."""
    line = Line(Link(mode=mode), polling_seen=False)
    line.eot(1_000, ended_something=ended_something)
    assert line.enq("2", 1_000 + gap) is expected


def test_evidence_of_an_earlier_connection_counts() -> None:
    """The owner keeps `polling_seen` across connections of a link."""
    line = Line(Link(mode=LinkMode.AUTO), polling_seen=True)
    line.eot(0, ended_something=True)
    assert line.enq("2", 60_000) is POLL


def test_after_our_own_eot_a_poll_may_follow() -> None:
    """A poll follows anyone's EOT."""
    line = Line(Link(), polling_seen=False)
    line.own_eot()
    assert line.enq("2", 0) is POLL
    assert line.enq("2", 0) is SELECT


def test_who_is_selected_by_whom() -> None:
    """The control station polls itself and selects; a polled station selects; an EOT ends all of it."""
    line = Line(Link(), polling_seen=False)
    line.eot(0, ended_something=False)
    assert line.enq("3", 0) is Meaning.POLL_OF_OTHER
    assert line.enq("1", 0) is Meaning.SELECT_OF_OTHER
    assert line.foreign
    line.eot(0, ended_something=False)
    assert not line.foreign
    assert line.enq("1", 0) is Meaning.POLL_OF_OTHER
    assert line.enq("1", 0) is Meaning.POLL_OF_OTHER, "the control station does not select itself"
    assert line.enq("4", 0) is Meaning.SELECT_OF_OTHER
    assert line.enq("2", 0) is SELECT
    assert not line.foreign


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"own": "12"}, "own address"),
        ({"control": "x"}, "control address"),
        ({"own": ""}, "own address"),
        ({"own": "1"}, "the same"),
        ({"charset": "koi8"}, "koi8"),
    ],
)
def test_a_line_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    """Addresses are one digit each and differ; the character set is known."""
    with pytest.raises(ValueError, match=message):
        Link(**wrong)
