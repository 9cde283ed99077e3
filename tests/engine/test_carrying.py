"""Who carries which phone: committed first, heard of then, and no alarm left behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alarmhub.core.reach import Reach
from alarmhub.core.shifts import HandOff
from alarmhub.engine.carrying import Carrying, NoSuchPhone, PhoneBusy, ReceiverNeeded
from alarmhub.engine.invitations import CodeOver
from alarmhub.people import Device
from alarmhub.ports import AnswerOutcome, StoreUnavailable
from alarmhub.store.devices import MemoryDevices
from alarmhub.store.memory import Tables
from tests.support.intake import Intake
from tests.support.waiting import turns

HERE = "192.0.2.7"


class Drawer:
    """Phones over a fake engine; `heard` is what the others were told."""

    def __init__(self) -> None:
        self.intake, self.tables = Intake(), Tables()
        self.devices = MemoryDevices(self.tables)
        self.reach: dict[str, Reach] = {}
        self.heard: list[tuple[str, str | None]] = []
        self.carrying = Carrying(
            devices=self.devices, intake=self.intake, now=self.intake.now,
            elsewhere=lambda staff, device: self.reach.get(staff, Reach.NONE),
        )  # fmt: skip
        self.carrying.carried.append(lambda device, staff: self.heard.append((device.id, staff)))

    async def enrolled(self, by: str = "anna", **more: Any) -> Device:
        """A phone by code."""
        code, _ = self.carrying.codes.issue("enrol", by, **more)
        device, _ = await self.carrying.enrol(code, HERE, "", "Android")
        return device

    async def token(self, device: Device) -> str | None:
        """Whose the secret is now."""
        token = self.tables.tokens.get(device.digest)
        return None if token is None else token.subject


async def test_a_phone_is_enrolled_for_who_asked_and_its_secret_opens_for_her() -> None:
    """Named by the code unless the phone names itself; the secret is kept nowhere."""
    drawer = Drawer()
    code, _ = drawer.carrying.codes.issue("enrol", "anna", label="Annas")
    device, secret = await drawer.carrying.enrol(code, HERE, "", "iPhone")
    assert (device.staff, device.label, device.platform, device.pool) == ("anna", "Annas", "iPhone", False)
    assert await drawer.token(device) == "anna"
    assert drawer.heard == [(device.id, "anna")]
    assert secret not in repr(drawer.tables) and len(secret) >= 43
    with pytest.raises(CodeOver):
        await drawer.carrying.enrol(code, HERE, "", "")


async def test_a_pool_phone_is_nobodys_until_it_is_handed_over() -> None:
    """It shows its code, a colleague opens it."""
    drawer = Drawer()
    device = await drawer.enrolled("lena", pool=True, unit="201")
    assert (device.staff, device.unit, await drawer.token(device)) == ("", "201", "")
    code, _ = drawer.carrying.codes.issue("handover", device.id)
    taken = await drawer.carrying.take(code, HERE, "anna", {})
    assert taken.staff == "anna" and await drawer.token(device) == "anna"
    assert drawer.heard == [(device.id, ""), (device.id, "anna")]
    assert drawer.intake.words == [], "nobody had it, nobody need be asked"


async def test_while_the_database_is_away_nothing_changes_and_the_code_still_counts() -> None:
    """Nobody hears of what is not committed."""
    drawer = Drawer()
    code, _ = drawer.carrying.codes.issue("enrol", "anna")
    drawer.devices.away = True
    with pytest.raises(StoreUnavailable):
        await drawer.carrying.enrol(code, HERE, "", "")
    assert drawer.heard == []
    drawer.devices.away = False
    device, _ = await drawer.carrying.enrol(code, HERE, "", "")
    assert device.staff == "anna"


async def test_who_has_alarms_in_hand_hands_them_over_before_her_phone_is_somebody_elses() -> None:
    """Refused with who could take them, and the code still counts; with receivers it goes on."""
    drawer = Drawer()
    device = await drawer.enrolled("lena", pool=True, unit="201")
    await drawer.carrying.bind(device.id, "anna", {})
    code, _ = drawer.carrying.codes.issue("handover", device.id)
    drawer.intake.duty_outcome = AnswerOutcome(False, "receiver_needed", candidates=("cia",), alarms=("a1",))
    with pytest.raises(ReceiverNeeded) as needed:
        await drawer.carrying.take(code, HERE, "bo", {})
    assert (needed.value.staff, needed.value.outcome.alarms) == ("anna", ("a1",))
    assert await drawer.token(device) == "anna"
    drawer.intake.duty_outcome = None
    await drawer.carrying.take(code, HERE, "bo", {"a1": "cia"})
    assert drawer.intake.words == [("anna", HandOff({"a1": "cia"}))]
    assert await drawer.token(device) == "bo" and drawer.heard[-1] == (device.id, "bo")


async def test_who_can_be_rung_on_another_phone_keeps_her_alarms() -> None:
    """She has taken a fresh one from the drawer already."""
    drawer = Drawer()
    device = await drawer.enrolled("lena", pool=True, unit="201")
    await drawer.carrying.bind(device.id, "anna", {})
    drawer.reach["anna"] = Reach.LIVE
    await drawer.carrying.bind(device.id, "bo", {})
    assert drawer.intake.words == [] and await drawer.token(device) == "bo"


async def test_a_phone_put_back_is_nobodys() -> None:
    """The same rule for what is in hand."""
    drawer = Drawer()
    device = await drawer.enrolled("lena", pool=True, unit="201")
    await drawer.carrying.bind(device.id, "anna", {})
    free = await drawer.carrying.bind(device.id, "", {})
    assert (free.staff, free.bound_at) == ("", None) and drawer.heard[-1] == (device.id, "")
    assert drawer.intake.words == [("anna", HandOff({}))]


async def test_given_to_who_has_it_nothing_happens() -> None:
    """A tap repeated."""
    drawer = Drawer()
    device = await drawer.enrolled("anna")
    await drawer.carrying.bind(device.id, "anna", {})
    assert drawer.heard == [(device.id, "anna")] and drawer.intake.words == []


async def test_a_lost_phone_is_revoked_once_whatever_is_in_hand() -> None:
    """Its secret opens nothing, it can be bound to nobody, and no code of its own hands it over."""
    drawer = Drawer()
    device = await drawer.enrolled("lena", pool=True, unit="201")
    code, _ = drawer.carrying.codes.issue("handover", device.id)
    drawer.intake.duty_outcome = AnswerOutcome(False, "receiver_needed")
    await drawer.carrying.revoke(device.id)
    assert await drawer.token(device) is None and drawer.heard[-1] == (device.id, None)
    for asked in (
        drawer.carrying.revoke(device.id),
        drawer.carrying.bind(device.id, "bo", {}),
        drawer.carrying.take(code, HERE, "bo", {}),
        drawer.carrying.revoke("never enrolled"),
    ):
        with pytest.raises(NoSuchPhone):
            await asked


async def test_two_who_reach_for_one_phone_at_once_take_it_one_after_the_other() -> None:
    """The second is told to try again, and nothing is half done."""
    drawer = Drawer()
    device = await drawer.enrolled("lena", pool=True, unit="201")
    gate = asyncio.Event()
    bind = drawer.devices.bind

    async def slow(id: str, staff: str, now: int) -> bool:
        await gate.wait()
        return await bind(id, staff, now)

    drawer.devices.bind = slow  # type: ignore[method-assign]
    first = asyncio.get_running_loop().create_task(drawer.carrying.bind(device.id, "anna", {}))
    await turns()
    with pytest.raises(PhoneBusy):
        await drawer.carrying.bind(device.id, "bo", {})
    gate.set()
    assert (await first).staff == "anna" and await drawer.token(device) == "anna"
    assert (await drawer.carrying.bind(device.id, "bo", {})).staff == "bo"
