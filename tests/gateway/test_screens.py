"""What each phone shows, kept so: at most once per version and connection, and gone exactly when shown."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Phase, Told
from alarmhub.core.kinds import Priority
from alarmhub.gateway import screens
from alarmhub.ports import Change
from tests.support.desk import call
from tests.support.phone import running


async def test_a_newcomer_gets_its_alarms_most_urgent_first() -> None:
    """Welcome, the alarms of this person alone, synced."""
    async with running() as hub:
        at = hub.clock.now()
        hub.engine.put(call("low", "anna", at=at))
        hub.engine.put(call("high", "anna", "bo", at=at, priority=Priority.HIGH))
        hub.engine.put(call("other", "bo", at=at))
        anna = await hub.phone("anna")
        assert anna.welcome is not None
        assert (anna.welcome.staff, anna.welcome.name, anna.welcome.at) == ("anna", "Anna Lind", at)
        assert [alarm.id for alarm in anna.alarms] == ["high", "low"]


async def test_the_same_version_is_sent_once_per_connection() -> None:
    """Receipts and reasons of others commit too, and ring nobody's phone."""
    async with running() as hub:
        anna = await hub.phone("anna")
        alarm = hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        assert (await anna.alarm()).rev == 1
        hub.engine.put(replace(alarm, version=7))
        await anna.hears_nothing_before_beat()
        hub.engine.change("a1", count=2)
        assert (await anna.alarm()).count == 2
        again = await hub.phone("anna", "tablet")
        assert [(a.id, a.rev) for a in again.alarms] == [("a1", 2)]
        await anna.hears_nothing_before_beat()


async def test_every_device_of_a_person_is_kept_up_to_date() -> None:
    """And only the person's own."""
    async with running() as hub:
        phone, tablet, bo = await hub.phone("anna"), await hub.phone("anna", "tablet"), await hub.phone("bo")
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        assert (await phone.alarm()).id == (await tablet.alarm()).id == "a1"
        await bo.hears_nothing_before_beat()


async def test_who_is_no_longer_told_hears_gone_once() -> None:
    """With the reason; nothing more comes of that alarm until it concerns the person again."""
    async with running() as hub:
        anna, bo = await hub.phone("anna"), await hub.phone("bo")
        at = hub.clock.now()
        hub.engine.put(call("a1", "anna", "bo", at=at))
        await anna.alarm()
        await bo.alarm()
        taken = (Acceptance("anna", at),)
        hub.engine.change(
            "a1",
            phase=Phase.ACCEPTED,
            acceptances=taken,
            told=(Told("anna", 1, at, "unit", answer="accepted"),),
        )
        assert (await bo.gone()).text == "Anna Lind tar den"
        assert (await anna.alarm()).accepted_by == ("Anna Lind",)
        hub.engine.change("a1", phase=Phase.ATTENDED)
        assert (await anna.alarm()).phase == "attended"
        await bo.hears_nothing_before_beat()
        hub.engine.change(
            "a1", phase=Phase.RINGING, acceptances=(), told=(Told("bo", 2, at, "unit"),), turn=2
        )
        assert (await anna.gone()).reason == "passed_on"
        assert (await bo.alarm()).turn == 2


async def test_what_ended_while_a_phone_was_away_is_not_sent() -> None:
    """What was not sent before synced is gone."""
    async with running() as hub:
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        first = await hub.phone("anna")
        assert [a.id for a in first.alarms] == ["a1"]
        await first.socket.close()
        hub.engine.change("a1", phase=Phase.ENDED, ended_by="source", told=())
        assert (await hub.phone("anna")).alarms == []


async def test_an_alarm_that_cannot_be_rendered_still_rings(
    monkeypatch: pytest.MonkeyPatch, log_lines: list[dict[str, Any]]
) -> None:
    """The bare facts go out, the others are not kept waiting, and the log says which alarm it was."""

    def broken(*args: Any) -> bytes:
        raise KeyError("label")

    async with running() as hub:
        anna, bo = await hub.phone("anna"), await hub.phone("bo")
        monkeypatch.setattr(screens.views.Views, "alarm", broken)
        monkeypatch.setattr(screens.views, "gone", broken)
        hub.engine.put(call("a1", "anna", "bo", at=hub.clock.now()))
        for phone in (anna, bo):
            shown = await phone.alarm()
            assert (shown.id, shown.rings, shown.can) == ("a1", True, ("accept",))
        hub.engine.change("a1", phase=Phase.ENDED, ended_by="source", told=())
        assert (await anna.gone()).reason == "ended"
    assert {line["alarm"] for line in log_lines if line["event"] == "view_failed"} == {"a1"}


async def test_the_writing_is_reported_after_it_happened() -> None:
    """For lateness: which change, the hub's clock, how many frames. Changes nobody sees are not reported."""
    async with running() as hub:
        await hub.phone("anna")
        await hub.phone("bo")
        at = hub.clock.now()
        alarm = hub.engine.put(call("a1", "anna", "bo", at=at))
        hub.gateway.refresh([Change(alarm, replace(alarm, version=2)), Change(None, call("a2", at=at))])
        assert hub.written == [("a1", at, 2)]
        assert hub.gateway.frames_out == 2 * 2 + 2
