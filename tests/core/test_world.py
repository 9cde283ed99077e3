"""What a decision may know, and its outcome."""

from __future__ import annotations

from alarmhub.core.alarm import Alarm
from alarmhub.core.reach import Reach
from alarmhub.core.world import Decision, Verdict, World
from tests.support.ward import Ward


def test_who_is_missing_from_reach_cannot_be_reached() -> None:
    """An empty world rings nobody in vain: it is passed on at once, to the end."""
    ward = Ward()
    ward.reach = {}
    call = ward.press("12/1")
    assert "nobody_reachable_at_all" in call.codes
    assert World(ward.site, ward.world.roster, {"anna": Reach.LIVE}).reach.get("bo") is None


def test_a_verdict_is_ok_unless_it_says_otherwise() -> None:
    """And a decision without one is too."""
    alarm: Alarm = Ward().press("12/1").alarm
    assert Verdict() == Decision(alarm).verdict and Verdict().ok and Verdict().error == ""
