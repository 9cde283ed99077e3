"""The scratch pad: flags keep their order, and what is said is kept in order."""

from __future__ import annotations

from alarmhub.core.alarm import Flag
from alarmhub.core.draft import Draft, change, flag, refuse, say, unflag
from tests.support.ward import Ward


def draft() -> Draft:
    """Of a ringing call."""
    ward = Ward()
    return Draft(ward.press("12/1").alarm, ward.world, ward.now, [], [])


def test_flags_are_a_set_in_order() -> None:
    """Adding one twice and removing one that is not there change nothing."""
    pad = draft()
    flag(pad, Flag.PRESENCE, Flag.UNANSWERED)
    once = pad.alarm
    flag(pad, Flag.UNANSWERED, Flag.PRESENCE)
    unflag(pad, Flag.RETURNED)
    assert pad.alarm is once and once.flags == (Flag.PRESENCE, Flag.UNANSWERED)
    unflag(pad, Flag.PRESENCE)
    assert pad.alarm.flags == (Flag.UNANSWERED,)


def test_what_is_said_is_kept_in_order_and_a_refusal_is_also_a_verdict() -> None:
    """The reason tells why, the verdict tells the asker."""
    pad = draft()
    say(pad, "updated")
    assert pad.verdict.ok
    refuse(pad, "stale", "answer_for_another_turn", staff="anna")
    assert [r.code for r in pad.reasons] == ["updated", "answer_for_another_turn"]
    assert (pad.verdict.ok, pad.verdict.error, pad.reasons[1].facts) == (False, "stale", {"staff": "anna"})


def test_a_change_makes_a_new_alarm() -> None:
    """The old value stays what it was."""
    pad = draft()
    before = pad.alarm
    change(pad, count=7)
    assert (before.count, pad.alarm.count) == (1, 7)
