"""Push as a whole, from the start of a hub to its end."""

from __future__ import annotations

import msgspec

from alarmhub.core.effects import Push
from alarmhub.metrics import Metrics
from alarmhub.people import Device
from alarmhub.push.service import PushService
from alarmhub.push.targets import LOOK_AFTER_S
from alarmhub.store.memory import Tables
from alarmhub.store.push_targets import MemoryPushTargets
from alarmhub.tasks import Crew, spawn
from tests.support.pushing import PushShift
from tests.support.stored import effect_row
from tests.support.virtual import in_virtual_time, passes


@in_virtual_time
async def test_it_serves_from_its_start_to_its_end() -> None:
    """Providers are opened and closed; what a process before left waits for the start; new secrets make it
    look again at who carries what."""
    shift = PushShift()
    async with shift:
        web, tables, crew = shift.web, Tables(), Crew("push")
        web.running = False
        targets = MemoryPushTargets(tables)
        service = PushService([web], targets, clock=shift.clock, crew=crew, metrics=Metrics())
        shift.reach = {}
        alarm = await shift.press("12/1")
        shift.screens.muted = set(shift.site.staff)
        left = effect_row(
            channel="push", address="anna", give_up_at=shift.clock.now() + 60_000,
            body=msgspec.json.encode(Push("anna", alarm.id, alarm.rev, "low")),
        )  # fmt: skip
        carried = spawn(service.carry(left), "left behind", crew, ends=True)
        await passes(1)
        assert not carried.done() and not web.running

        tables.devices["p"] = Device(
            id="p", digest=b"", label="p", enrolled_by="ivar", enrolled_at=0, staff="bo"
        )
        await service.start(shift.engine)
        assert web.running and list(service.transports) == ["webpush"]
        await passes(0.001)
        assert carried.done() and carried.exception() is not None, "anna has no phone there"
        await service.book.put("p", "bo", "webpush", "a", {})
        tables.devices["p"] = msgspec.structs.replace(tables.devices["p"], staff="anna")
        for heard in shift.engine.on_tokens:
            heard()
        await passes(LOOK_AFTER_S + 0.1)
        assert [t.address for t in service.book.of("anna")] == ["a"]
        await service.stop()
        assert not web.running
        await crew.close()
