"""Several reporters on one HL7 line: none waits for the statuses of another."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.inbound import hl7_held
from alarmhub.ports import DeliveryFailed
from load.hl7_monitor import GATEWAY, Alert, Monitor, pcd04
from tests.support.hl7_line import LINE, Hl7Rig, hl7_rig
from tests.support.waiting import until

SAME = replace(LINE, status_back="same", status_within_s=0.1)
AWAY = "BED1^1^EUI-64"
QUEUED, UNANSWERED, ACCEPTED = ReportStatus.QUEUED, ReportStatus.UNANSWERED, ReportStatus.ACCEPTED


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried again at once."""
    monkeypatch.setattr(hl7_held, "AGAIN_S", 0.01)


def words(monitor: Monitor) -> list[str]:
    """What a reporter was told, in order."""
    return [one.status for one in monitor.statuses]


async def alarm_of_one_that_leaves(it: Hl7Rig) -> None:
    """Alert 0 is of a reporter that is gone, alert 1 of one that stays."""
    leaving = await it.monitor()
    message = pcd04(Alert("7", place="201^12^3"), "X1", 0).replace(GATEWAY.encode(), AWAY.encode())
    assert (await leaving.say(message, "X1")).code == "CA"
    leaving.close()
    await until(lambda: not it.feed.status.connected, "the reporter to be gone")


async def test_one_that_is_away_keeps_nothing_from_the_others_and_hears_it_all_when_it_is_back() -> None:
    """In order: responsibility returned, and taken again."""
    async with hl7_rig(SAME) as it:
        await alarm_of_one_that_leaves(it)
        staying = await it.monitor()
        await staying.report(Alert("8"))
        await it.adapter.report(it.told(UNANSWERED), "alarm-0")
        await it.adapter.report(it.told(UNANSWERED, of=1), "alarm-1")
        assert words(staying) == ["UNDELIVERABLE"]
        await it.adapter.report(it.told(ACCEPTED), "alarm-0")
        back = await it.monitor()
        await back.say(pcd04(Alert("9"), "X2", 0).replace(GATEWAY.encode(), AWAY.encode()), "X2")
        await until(lambda: len(back.statuses) == 2, "what was held")
        assert words(back) == ["UNDELIVERABLE", "ACCEPTED"]
        await until(lambda: not it.adapter._held.has(AWAY), "nothing held")
        assert words(staying) == ["UNDELIVERABLE"]


async def test_one_that_does_not_answer_is_waited_for_once() -> None:
    """Then its statuses wait by themselves."""
    async with hl7_rig(SAME) as it:
        deaf, staying = await it.monitor(), await it.monitor()
        deaf.answer_as = ""
        await deaf.say(pcd04(Alert("7"), "X1", 0).replace(GATEWAY.encode(), AWAY.encode()), "X1")
        await staying.report(Alert("8", place="201^12^3"))
        await it.adapter.report(it.told(QUEUED), "alarm-0")
        await it.adapter.report(it.told(UNANSWERED), "alarm-0")
        await it.adapter.report(it.told(QUEUED, of=1), "alarm-1")
        assert words(staying) == ["RECEIVED"]
        deaf.answer_as = "CA"
        await until(lambda: not it.adapter._held.has(AWAY), "nothing held")
        assert words(deaf)[-2:] == ["RECEIVED", "UNDELIVERABLE"]


async def test_one_that_is_alone_is_left_to_the_outbox() -> None:
    """Which remembers through a stop of the hub."""
    async with hl7_rig(SAME) as it:
        await alarm_of_one_that_leaves(it)
        with pytest.raises(DeliveryFailed, match="not connected"):
            await it.adapter.report(it.told(UNANSWERED), "alarm-0")


async def test_what_waits_is_bounded_in_number_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes, and that is said."""
    monkeypatch.setattr(hl7_held, "MOST", 2)
    async with hl7_rig(SAME) as it:
        await alarm_of_one_that_leaves(it)
        staying = await it.monitor()
        await staying.report(Alert("8"))
        for status in (QUEUED, UNANSWERED, ACCEPTED):
            await it.adapter.report(it.told(status), "alarm-0")
        assert "away too long" in it.feed.status.last_refusal
        assert [one[0].status for one in it.adapter._held._waiting[AWAY]] == [UNANSWERED, ACCEPTED]
        monkeypatch.setattr(hl7_held, "HELD_FOR_MS", 0)
        it.adapter._held._waiting[AWAY].clear()
        await until(lambda: not it.adapter._held.has(AWAY), "nothing held")
        await it.adapter.report(it.told(QUEUED), "alarm-0")
        await until(lambda: not it.adapter._held.has(AWAY), "its time to be over")
        monkeypatch.setattr(hl7_held, "MOST_REPORTERS", 0)
        with pytest.raises(DeliveryFailed):
            await it.adapter.report(it.told(QUEUED), "alarm-0")
