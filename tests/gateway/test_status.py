"""Phones say how they are, and are told what is wrong with them."""

from __future__ import annotations

from alarmhub.core.handsets import Said
from protocols.phone import Result, State
from tests.support.phone import running
from tests.support.waiting import until


class Watch:
    """Hears everything, and warns of what it is told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, ...]] = []
        self.said: list[tuple[str, str, Said]] = []
        self.warnings: dict[str, tuple[str, ...]] = {}

    def hello(self, staff: str, device: str, app: str) -> None:
        """See `ports.PhoneWatch`."""
        self.heard.append((staff, device, app))

    def status(self, staff: str, device: str, said: Said) -> None:
        """See `ports.PhoneWatch`."""
        self.said.append((staff, device, said))

    def warnings_of(self, staff: str) -> tuple[str, ...]:
        """See `ports.PhoneWatch`."""
        return self.warnings.get(staff, ())


async def test_a_status_reaches_who_supervises_the_phones() -> None:
    """With the app's version from hello; a faulty one is refused by field and reaches nobody."""
    async with running() as hub:
        watch = Watch()
        hub.gateway.watched_by(watch)
        anna = await hub.phone("anna", "a1")
        assert watch.heard == [("anna", "a1", "")]
        await anna.say(type="status", battery=14, charging=False, notifications="denied")
        await anna.say(type="status", battery=140)
        refused = await anna.expect(Result)
        assert (refused.error, refused.field) == ("invalid_field", "battery")
        assert watch.said == [("anna", "a1", Said(battery=14, charging=False, notifications="denied"))]


async def test_nobody_need_supervise() -> None:
    """A status without anybody who listens is simply taken."""
    async with running() as hub:
        anna = await hub.phone("anna")
        await anna.say(type="status", battery=14)
        await anna.hears_nothing_before_beat()


async def test_warnings_stand_in_every_state_of_the_owners_phones() -> None:
    """On all her phones, after hello, and taken back by a state without them."""
    async with running() as hub:
        watch = Watch()
        hub.gateway.watched_by(watch)
        one, bo = await hub.phone("anna", "a1"), await hub.phone("bo")
        watch.warnings["anna"] = ("Ladda telefonen.",)
        hub.gateway.warnings_changed("anna")
        assert (await one.expect(State)).warnings == ("Ladda telefonen.",)
        two = await hub.phone("anna", "a2")
        assert (await two.expect(State)).warnings == ("Ladda telefonen.",)
        hub.engine.is_storing = False
        hub.gateway.storing(False)
        for phone, warnings in ((one, ("Ladda telefonen.",)), (two, ("Ladda telefonen.",)), (bo, ())):
            state = await phone.expect(State)
            assert (state.storing, state.warnings) == (False, warnings)
        watch.warnings.clear()
        hub.gateway.warnings_changed("anna")
        assert (await one.expect(State)).warnings == ()
        await bo.hears_nothing_before_beat()


async def test_how_long_a_connected_phone_was_not_heard_of() -> None:
    """None for one that is not connected."""
    async with running() as hub:
        anna = await hub.phone("anna", "a1")
        hub.tick(4)
        assert hub.gateway.silent_for_s("anna", "a1") == 2.0
        await anna.say(type="status", battery=90)
        await until(lambda: hub.gateway.silent_for_s("anna", "a1") == 0.0, "the status was heard")
        assert hub.gateway.silent_for_s("anna", "a2") is None
        assert hub.gateway.silent_for_s("bo", "a1") is None
