"""One phone's record: which of several she uses, what is named, and what is worth storing."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.handsets import Cause, Said, Track
from alarmhub.core.reach import Reach
from alarmhub.engine.handset import Handset, Kept, alike

KEPT = Kept("anna", "a", "app/1", Said(battery=64, muted=False), 5)


def test_the_phone_she_uses_is_connected_or_woken_or_the_last_heard_of() -> None:
    """In this order."""
    old, newer, sleeping, live = (Handset("anna", name, at) for at, name in enumerate("onsl"))
    sleeping.pushes, live.reach = True, Reach.LIVE
    live.contact_at = 0
    phones = [live, old, sleeping, newer]
    assert [p.device for p in sorted(phones, key=lambda p: p.rank)] == ["o", "n", "s", "l"]
    assert (sleeping.best, live.best, old.best) == (Reach.PUSHABLE, Reach.LIVE, Reach.NONE)


def test_a_low_battery_is_not_named_beside_a_critical_one() -> None:
    """The worst first."""
    phone = Handset("anna", "a", 0)
    phone.tracks = {
        Cause.BATTERY_LOW: Track(3), Cause.MUTED: Track(None, 4), Cause.UNTOUCHED: Track(5),
    }  # fmt: skip
    assert list(phone.wrong()) == [(Cause.UNTOUCHED, 5), (Cause.BATTERY_LOW, 3)]
    phone.tracks[Cause.BATTERY_CRITICAL] = Track(6)
    assert list(phone.wrong()) == [(Cause.BATTERY_CRITICAL, 6), (Cause.UNTOUCHED, 5)]


def test_a_percent_of_battery_is_no_news_and_a_warning_is() -> None:
    """What is stored is stored sparsely."""
    assert alike(KEPT, replace(KEPT, said=Said(battery=60, muted=False, visible=True)))
    for other in (
        replace(KEPT, said=Said(battery=59, muted=False)),
        replace(KEPT, said=Said(battery=64, muted=True)),
        replace(KEPT, since={"muted": 7}),
        replace(KEPT, told=("muted",)),
        replace(KEPT, app="app/2"),
    ):
        assert not alike(KEPT, other)
