"""A phone that sleeps, a whole hub and a push service of another make: woken, heard of, found again.

The hub is a process on real PostgreSQL; the push service is an HTTP server on loopback; what it gets is read
with a browser's keys, as RFC 8291 says.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from alarmhub.gateway.tokens import digest_of
from alarmhub.people import Device
from alarmhub.store.devices import PostgresDevices
from alarmhub.store.postgres import PostgresStore
from load.enrolment import Browser
from load.site import staff_id
from tests.support.hub import House, Hub, free_ports
from tests.support.waiting import until

REACH_S = 10.0
"""A patient call's: so long a phone may take to say that it rang."""
WEB_PUSH = '[webpush]\ncontact = "mailto:it@fjallmark.example"\nallow_loopback = true\n'
NURSE, COLLEAGUE = staff_id(0), staff_id(1)
"""The care team of bed 0."""


class PushService:
    """A browser's push service. `status`: what it answers."""

    def __init__(self) -> None:
        (self.port,) = free_ports(1)
        self.browser = Browser()
        self.status = 201
        self.pushed: list[tuple[str, dict[str, Any], dict[str, str]]] = []  # path, note, headers
        self._runner: web.ServerRunner | None = None

    async def open(self) -> None:
        """Listen from now on."""
        self._runner = web.ServerRunner(web.Server(self._take))  # type: ignore[arg-type]
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def close(self) -> None:
        """Nobody listens any more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.BaseRequest) -> web.Response:
        note = json.loads(self.browser.read(await request.read()))
        self.pushed.append((request.path, note, dict(request.headers)))
        return web.Response(status=self.status)

    def of(self, staff: str) -> list[dict[str, Any]]:
        """The notes this person's phone was sent."""
        return [note for path, note, _ in self.pushed if path == f"/{staff}"]


@asynccontextmanager
async def sleepers(dsn: str, *staff: str) -> AsyncIterator[tuple[House, Hub, PushService]]:
    """A running hub, and these people's phones enrolled, registered and asleep."""
    async with House(dsn) as house:
        service = PushService()
        await service.open()
        try:
            await _enrol(house, staff)
            hub = house.hub(config=WEB_PUSH)
            await hub.start()
            for person in staff:
                answer = await phone(
                    hub, person, "PUT", "/api/v1/device/push",
                    json={
                        "transport": "webpush", "address": f"http://127.0.0.1:{service.port}/{person}",
                        "keys": service.browser.keys,
                    },
                )  # fmt: skip
                assert answer == {"transports": ["webpush"]}
            yield house, hub, service
        finally:
            await service.close()


async def _enrol(house: House, staff: tuple[str, ...]) -> None:
    store = PostgresStore(house.dsn)
    await store.open()
    try:
        for person in staff:
            house.phone_secrets[person] = f"secret-of-the-phone-of-{person}"
            await PostgresDevices(store).enrol(
                Device(
                    id=f"{person}-pocket", digest=digest_of(house.phone_secrets[person]), label="Pocket",
                    enrolled_by="it", enrolled_at=0, staff=person,
                )
            )  # fmt: skip
    finally:
        await store.close()


async def phone(hub: Hub, staff: str, method: str, path: str, **more: Any) -> Any:
    """What the hub answers this person's phone."""
    answer = await hub.call(method, path, secret=hub.house.phone_secrets[staff], **more)
    assert answer.status == 200, answer
    return answer.body


async def turn_of(hub: Hub, alarm: str) -> int:
    """In which turn the alarm is, as stored."""
    (row,) = await hub.house.sql("SELECT body FROM alarm WHERE id = $1", alarm)
    return int(json.loads(row["body"])["turn"])


async def test_a_sleeping_phone_is_woken_and_its_receipt_holds_the_step(database_dsn: str) -> None:
    """The note is opaque; the phone asks what it is about, rings and says so. The step waits for her answer
    beyond the time a phone has to ring."""
    async with sleepers(database_dsn, NURSE) as (_house, hub, service):
        alarm = (await hub.press("r1")).body["alarm"]
        await until(lambda: service.of(NURSE), "it is pushed", within_s=5)
        note = service.of(NURSE)[0]
        assert note == {"alarm": alarm, "rev": 1, "priority": "low", "drill": False}

        shown = await phone(hub, NURSE, "GET", "/api/v1/phone/alarms")
        (frame,) = shown["alarms"]
        assert (frame["id"], frame["rings"], frame["place_label"]) == (alarm, True, "Bed 0")
        receipt = {"event": "rang", "rev": note["rev"], "via": "webpush"}
        await phone(hub, NURSE, "POST", f"/api/v1/alarms/{alarm}/receipts", json=receipt)
        stored = await until(lambda: _rang(hub, alarm), "the receipt is stored", within_s=5)
        assert stored["via"] == "webpush" and stored["device"] == f"{NURSE}-pocket"

        await _until_after(REACH_S + 2)
        assert await turn_of(hub, alarm) == 1
        assert len(service.of(NURSE)) == 1, "who rang is not woken again"


async def test_a_sleeping_phone_that_does_not_ring_is_passed_over(database_dsn: str) -> None:
    """The push service took it, which is no receipt: after ten seconds the step passes on, and not before."""
    async with sleepers(database_dsn, NURSE) as (_house, hub, service):
        pressed_at = time.monotonic()
        alarm = (await hub.press("r1")).body["alarm"]
        await until(lambda: service.of(NURSE), "it is pushed", within_s=5)

        async def passed() -> bool:
            return await turn_of(hub, alarm) > 1

        await until(passed, "the step passes on", within_s=REACH_S + 5)
        assert time.monotonic() - pressed_at >= REACH_S - 0.2


async def test_a_push_that_a_crash_came_before_is_sent_by_the_next_hub(database_dsn: str) -> None:
    """Committed, and nobody could be reached when the process died: after its start it is pushed at once."""
    async with sleepers(database_dsn, NURSE, COLLEAGUE) as (house, hub, service):
        await service.close()
        alarm = (await hub.press("r1")).body["alarm"]
        hub.kill()
        waiting = await house.sql("SELECT address FROM outbox WHERE channel = 'push' ORDER BY address")
        assert [row["address"] for row in waiting] == [NURSE, COLLEAGUE]
        await service.open()
        await hub.start()
        for person in (NURSE, COLLEAGUE):
            await until(lambda person=person: service.of(person), f"{person} is pushed to", within_s=5)  # type: ignore[misc]
            assert {note["alarm"] for note in service.of(person)} == {alarm}
        assert await turn_of(hub, alarm) == 1, "the restart has passed nobody over"

        async def settled() -> bool:
            return not await house.sql("SELECT 1 FROM outbox WHERE channel = 'push'")

        await until(settled, "the rows are settled", within_s=5)


async def test_a_dead_address_is_forgotten_and_counts_for_nobody(database_dsn: str) -> None:
    """410: the browser unsubscribed. With no other way to reach her the step is passed on at once."""
    async with sleepers(database_dsn, NURSE) as (house, hub, service):
        service.status = 410
        pressed_at = time.monotonic()
        alarm = (await hub.press("r1")).body["alarm"]

        async def passed() -> bool:
            return await turn_of(hub, alarm) > 1

        await until(passed, "the step passes on", within_s=5)
        assert time.monotonic() - pressed_at < REACH_S / 2
        line = await hub.said("push_target_dead")
        assert (line["device"], line["transport"], line["staff"]) == (f"{NURSE}-pocket", "webpush", NURSE)

        async def forgotten() -> bool:
            return not await house.sql("SELECT 1 FROM push_target")

        await until(forgotten, "the address is forgotten", within_s=5)
        assert "http://" not in json.dumps(line), "an endpoint opens what it names: it stands in no log"


async def test_high_priority_is_pushed_beside_the_socket(database_dsn: str) -> None:
    """The phone is awake and gets both, whichever is first."""
    async with sleepers(database_dsn, NURSE) as (_house, hub, service):
        awake = hub.phone_of(NURSE)
        await awake.connect()
        try:
            await hub.press("calm")
            calm = await awake.wait_alarm(5, place="load/u0000/r1/bed")
            urgent = (await hub.press("urgent", type=None, kind="emergency")).body["alarm"]
            await awake.wait_alarm(5, id=urgent)
            await until(lambda: service.of(NURSE), "it is pushed", within_s=5)
            assert {note["alarm"] for note in service.of(NURSE)} == {urgent} != {calm.id}
            assert service.of(NURSE)[0]["priority"] == "high"
        finally:
            await awake.close()


async def _rang(hub: Hub, alarm: str) -> Any:
    rows = await hub.house.sql("SELECT body FROM event WHERE alarm = $1 AND type = 'rang'", alarm)
    return json.loads(rows[0]["body"]) if rows else None


async def _until_after(seconds: float) -> None:
    """So much real time: nothing may happen meanwhile, so there is nothing to wait for."""
    await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=seconds)
