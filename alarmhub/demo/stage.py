"""A whole hospital in one process: the hub with open doors, call plants on their lines, a phone for everyone.

Everything between them is real: sockets, ESPA bytes, HTTP, the database. Only the clock is the scenario's.
`Stage` offers what a story needs (press, answer, let time pass, look at what phones show). It refuses to know
what ought to happen: that is for whoever tells the story.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final, TypeVar

import aiohttp
import msgspec

from alarmhub.app import App
from alarmhub.core.alarm import Alarm
from alarmhub.core.reach import Reach
from alarmhub.core.site import Site
from alarmhub.demo.clock import DemoClock
from alarmhub.demo.ground import make_secrets, publish_demo_site
from alarmhub.inbound.espa_settings import EspaLink
from alarmhub.inbound.espax_settings import EspaxLink
from alarmhub.inbound.hl7_settings import Hl7Link
from alarmhub.inbound.snpp_settings import SnppLink
from alarmhub.secret import Secret
from alarmhub.settings import LINKS, ApiSettings, DatabaseSettings, DrillSettings, PhoneSettings, Settings
from alarmhub.store.postgres import PostgresStore
from load.espa_plant import CALL, Call, EspaPlant, Mode, Outcome, block
from load.hl7_monitor import Monitor
from load.phone_client import AlarmShown, PhoneClient

MEDICINE, SURGERY, HOUSE = "plant-201", "plant-301", "http-plant"
MONITORS, CONSOLE, NEW_205 = "monitor-gw", "vaxel-konsol", "kallelse-205"
NEW_USER, NEW_WORD = "kallelse205", "demo-word"
"""How the new call system of 205 logs in, on a loopback port of this process alone."""
WITHIN_S: Final = 20.0
"""How long anything that happens at once may take on a busy machine."""
LOOK_EVERY_S: Final = 0.005
SETTLE_S: Final = 0.03
CONNECT_AT_ONCE: Final = 16
REPEAT_WINDOW_S: Final = 1.0
"""Shorter than a real plant's, so that a restart of the plant need not take five seconds."""
DATABASE: Final = "alarmhub_once"
NEVER_S: Final = 10 * 365 * 86_400.0

T = TypeVar("T")


class NotInTime(AssertionError):
    """Something that should have happened at once did not."""


class Refused(AssertionError):
    """The hub did not take what it should have taken."""


async def until(seen: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
    """Look until `seen()` is true; returns it. Raises NotInTime with `what`."""
    give_up_at = time.monotonic() + within_s
    while not (value := seen()):
        if time.monotonic() > give_up_at:
            raise NotInTime(f"{what}: not within {within_s:g} s")
        await asyncio.sleep(LOOK_EVERY_S)
    return value


def stage_settings(settings: Settings, folder: str, dsn: str) -> Settings:
    """The settings of the scenario's hub: any free ports, its own database, one line for each of the
    sources that speak in it, and none of those that are set."""
    return msgspec.structs.replace(
        msgspec.structs.replace(settings, **dict.fromkeys(LINKS, ())),
        database=DatabaseSettings(dsn=Secret(dsn), data_dir=folder),
        api=ApiSettings(port=0),
        # Hours pass between scenes in no time: nobody's phone has fallen silent by that, and no drill is due.
        phones=PhoneSettings(port=0, silent_after_s=NEVER_S),
        drills=DrillSettings(on_shift_start=False, on_change=False),
        espa=(
            EspaLink(source=MEDICINE, listen="127.0.0.1:0", mode="polled", repeat_window_s=REPEAT_WINDOW_S),
            EspaLink(
                source=SURGERY, listen="127.0.0.1:0", mode="select-only", repeat_window_s=REPEAT_WINDOW_S
            ),
        ),
        hl7=(Hl7Link(source=MONITORS, listen="127.0.0.1:0", status_back="same"),),
        snpp=(SnppLink(source=CONSOLE, listen="127.0.0.1:0"),),
        espax=(EspaxLink(source=NEW_205, listen="127.0.0.1:0", user=NEW_USER, password=Secret(NEW_WORD)),),
    )


class HousePlant:
    """The plant that posts to the HTTP interface. Use as a context manager."""

    def __init__(self, port: int, secret: str) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/signals"
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HousePlant:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, event: str, ref: str, **members: Any) -> dict[str, Any]:
        """Post one signal; the hub's answer. Raises Refused unless it was taken."""
        assert self._session is not None
        body = {"event": event, "ref": ref, "id": uuid.uuid4().hex, **members}
        async with self._session.post(self._url, json=body, headers=self._headers) as answer:
            taken: dict[str, Any] = await answer.json(content_type=None)
            if answer.status not in (200, 201):
                raise Refused(f"the hub answered {answer.status} to {event} {ref}: {taken.get('detail')}")
            return taken


class Stage:
    """The hospital at work, as a context manager: in means that all doors are open and all phones synced."""

    def __init__(self, settings: Settings, site: Site, begin_at: int) -> None:
        self.settings, self.site = settings, site
        self.clock = DemoClock(begin_at)
        self.app = App(settings, clock=self.clock)
        self.phones: dict[str, PhoneClient] = {}
        self.medicine: EspaPlant
        self.surgery: EspaPlant
        self.house: HousePlant
        self.monitor = Monitor(self.clock.now)
        self.pressed: list[str] = []
        """Alarms opened by presses that the hub acknowledged."""
        self.early: list[str] = []
        """What happened a millisecond before its time."""
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Stage:
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _build(self) -> None:
        assert self.settings.database.dsn is not None
        store = PostgresStore(self.settings.database.dsn.reveal())
        try:
            await store.open()
            await publish_demo_site(store, self.site)
            # Everybody has a phone but those who carry a pager only.
            people = [person.id for person in self.site.staff.values() if person.pager is None]
            phone_secrets = await make_secrets(store, "phone", people)
            house_secret = (await make_secrets(store, "source", [HOUSE]))[HOUSE]
        finally:
            await store.close()
        await self.app.start()
        self._stack.push_async_callback(self.app.stop)
        lines = self.app.lines
        self.medicine = EspaPlant("127.0.0.1", lines.port(MEDICINE), mode=Mode.POLLED, poll_every_s=0.2)
        self.surgery = EspaPlant("127.0.0.1", lines.port(SURGERY), mode=Mode.SELECT_ONLY)
        self.house = HousePlant(self.app.api.port, house_secret)
        for plant in (self.medicine, self.surgery, self.house):
            await self._stack.enter_async_context(plant)
        await self.monitor.connect("127.0.0.1", lines.port(MONITORS))
        self._stack.callback(self.monitor.close)
        self._stack.push_async_callback(self._sign_off)
        await self._sign_in(phone_secrets)

    async def _sign_in(self, secrets: dict[str, str]) -> None:
        url = f"ws://127.0.0.1:{self.app.gateway.port}/phone"
        doors = asyncio.Semaphore(CONNECT_AT_ONCE)

        async def one(staff: str, secret: str) -> None:
            phone = PhoneClient(url, secret, f"phone-{staff}", name=staff)
            async with doors:
                await phone.connect(WITHIN_S)
            self.phones[staff] = phone

        await asyncio.gather(*(one(staff, secret) for staff, secret in secrets.items()))

    async def _sign_off(self) -> None:
        await asyncio.gather(*(phone.close() for phone in self.phones.values()))

    # Looking

    def open_alarm(self, id: str) -> Alarm | None:
        """An open alarm as it is committed; None once it has ended."""
        return self.app.engine.open_alarm(id)

    def open_alarms(self) -> list[Alarm]:
        """All that are open."""
        return list(self.app.engine.open_alarms())

    def must(self, id: str) -> Alarm:
        """An alarm that must be open."""
        alarm = self.open_alarm(id)
        if alarm is None:
            raise NotInTime(f"alarm {id} has ended too soon")
        return alarm

    def shown(self, staff: str, id: str) -> AlarmShown | None:
        """The alarm as this person's phone shows it now."""
        phone = self.phones.get(staff)
        return None if phone is None else phone.alarms.get(id)

    def rings(self, staff: str, id: str) -> bool:
        """Whether this person's phone sounds for the alarm now."""
        shown = self.shown(staff, id)
        return shown is not None and shown.rings

    def ever_shown(self, staff: str, id: str) -> bool:
        """Whether this phone was ever sent anything about the alarm."""
        return any(frame.get("id") == id for frame in self.phones[staff].frames)

    # Pressing

    async def calls(
        self, plant: EspaPlant, address: str, text: str, *, priority: str = "3", lamp: bool = True
    ) -> str:
        """A lamp is lit and the plant calls; the alarm's id. Raises Refused unless it was acknowledged."""
        before = {alarm.id for alarm in self.open_alarms()}
        outcome = await plant.call(address, text, priority=priority)
        if not lamp:
            plant.lamps.pop((address, text), None)
        if outcome is not Outcome.TAKEN:
            raise Refused(f'the hub answered "{outcome.value}" to {address} {text}')
        await self.calm()
        fresh = [a for a in self.open_alarms() if a.id not in before and a.source_text == text]
        if len(fresh) != 1:
            raise Refused(f"{address} {text} opened {len(fresh)} alarms")
        self.pressed.append(fresh[0].id)
        return fresh[0].id

    async def stored_of(self, source: str) -> set[str]:
        """The ids of all alarms of a source that the database holds now."""
        page = await self.app.store.alarms(phase=None, units=None, source=source, limit=200, after=None)
        return {alarm.id for alarm in page}

    async def has_stored(self, source: str, before: set[str]) -> str:
        """The id of the alarm of a source that the database holds by now and did not `before`: what a
        positive answer promises. Raises Refused unless it is exactly one."""
        fresh = await self.stored_of(source) - before
        if len(fresh) != 1:
            raise Refused(f"{source} was answered, and the database holds {len(fresh)} new alarms of it")
        self.pressed.extend(fresh)
        await self.calm()
        return fresh.pop()

    async def says(self, plant: EspaPlant, address: str, text: str) -> None:
        """The plant tells something that is no call (presence). Raises Refused unless it was acknowledged."""
        outcome = await plant.send_block(block(CALL, Call(address, text).records()))
        if outcome is not Outcome.TAKEN:
            raise Refused(f'the hub answered "{outcome.value}" to {address} {text}')
        await self.calm()

    async def resets(self, plant: EspaPlant, address: str, text: str) -> None:
        """A lamp is put out in the room. Raises Refused unless that was acknowledged."""
        outcome = await plant.reset(address, text)
        if outcome is not Outcome.TAKEN:
            raise Refused(f'the hub answered "{outcome.value}" to the reset of {address} {text}')
        await self.calm()

    async def posts(self, event: str, ref: str, **members: Any) -> str:
        """The HTTP plant reports; the id of the alarm. Raises Refused unless it was taken."""
        taken = await self.house.send(event, ref, **members)
        await self.calm()
        if event == "start":
            self.pressed.append(str(taken["alarm"]))
        return str(taken["alarm"])

    # Answering

    async def answers(self, staff: str, answer: str, id: str) -> None:
        """A person presses a button on the phone. Raises Refused unless the hub took it."""
        phone = self.phones[staff]
        await until(lambda: id in phone.alarms or id in phone.gone, f"{staff}'s phone has seen {id}")
        result = await phone.answer(answer, id, within_s=WITHIN_S)
        if not result.ok:
            raise Refused(f"{staff}: {answer} was refused: {result.error}")
        await self.calm()

    async def looks(self, staff: str, id: str) -> None:
        """A person looks at the phone and answers nothing."""
        await self.phones[staff].seen(id)

        def seen() -> bool:
            return any(told.staff == staff and told.seen_at is not None for told in self.must(id).told)

        await until(seen, f"{staff} has seen {id}")

    # Time

    async def calm(self) -> None:
        """Wait until nothing is due, all is committed, and every phone that should ring has said so."""
        await until(self._is_calm, "the hub comes to rest")
        await self.app.engine.idle()

    def _is_calm(self) -> bool:
        now, reach = self.clock.now(), self.app.engine.contacts.reach
        for alarm in self.open_alarms():
            if alarm.due is not None and alarm.due <= now:
                return False
            for told in alarm.told:
                waits = told.answer == "" and told.turn == alarm.turn and told.rang_at is None
                # A machine's drill is silent, and who is only shown an alarm does not ring.
                if waits and reach.get(told.staff) is Reach.LIVE and self.rings(told.staff, alarm.id):
                    return False
        return True

    async def clock_to(self, at: int, *, runs_on: bool = True) -> None:
        """Set the scenario's clock forward, and wait until all that falls due thereby has been done."""
        await self.calm()
        self.clock.move_to(max(at, self.clock.now()), runs_on=runs_on)
        self.app.engine.time_moved()
        await self.calm()

    async def passes(self, seconds: float) -> None:
        """Time passes."""
        await self.clock_to(self.clock.now() + round(seconds * 1000))

    async def deadline(self, id: str, field: str) -> None:
        """Go to a deadline of an alarm (answer_at, lapse_at …): a millisecond before it nothing may have
        happened, at it something must. Raises NotInTime when that deadline is not set."""
        due = getattr(self.must(id), field)
        if due is None:
            raise NotInTime(f"alarm {id} has no {field}")
        await self.clock_to(due - 1, runs_on=False)
        await asyncio.sleep(SETTLE_S)
        await self.app.engine.idle()
        alarm = self.open_alarm(id)
        if alarm is None or getattr(alarm, field) != due:
            self.early.append(f"{field} of {id}, due {due}")
        await self.clock_to(due)
        after = self.open_alarm(id)
        if after is not None and getattr(after, field) == due:
            raise NotInTime(f"{field} of {id} was due and nothing happened")

    async def heard(self, plant: EspaPlant, address: str, status: str) -> None:
        """Wait until the plant has picked up this call status for this number."""
        await plant.wait_status(address, status, WITHIN_S)
