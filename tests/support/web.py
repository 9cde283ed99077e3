"""A running API over a behaving fake, and a caller for it."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, cast

import aiohttp
from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from alarmhub.clock import MonotonicClock
from alarmhub.core.decide import decide
from alarmhub.core.drilling import DrillRules
from alarmhub.core.events import Raised, Signal
from alarmhub.core.handsets import HandsetRules
from alarmhub.core.reach import Reach
from alarmhub.core.site import Staff
from alarmhub.engine.carrying import Carrying
from alarmhub.engine.drills import Drills
from alarmhub.engine.handsets import Handsets
from alarmhub.engine.phone_notices import PhoneNotices
from alarmhub.engine.trials import Trials
from alarmhub.gateway.views import Views
from alarmhub.people import Account, Device, Session
from alarmhub.ports import Change, SignalOutcome, SourceStatus, Store, Token
from alarmhub.push.targets import TargetBook
from alarmhub.store.accounts import MemoryAccounts
from alarmhub.store.devices import MemoryDevices
from alarmhub.store.drills import MemoryDrills
from alarmhub.store.memory import Tables
from alarmhub.store.push_targets import MemoryPushTargets
from alarmhub.tasks import Crew
from alarmhub.web.api import Api
from alarmhub.web.board_door import BoardDoor
from alarmhub.web.board_screens import Boards
from alarmhub.web.device_door import DeviceDoor
from alarmhub.web.drill_door import DrillDoor
from alarmhub.web.oidc_provider import Provider
from alarmhub.web.pages import Pages
from alarmhub.web.passwords import Passwords
from alarmhub.web.people_doors import people_doors
from alarmhub.web.push_door import PushDoor
from alarmhub.web.server import WebSettings
from alarmhub.web.sessions import Sessions, SessionSettings
from alarmhub.web.shift_door import ShiftDoor
from alarmhub.web.sign_in_settings import SignIn
from tests.support.hooks import Hooks
from tests.support.intake import NOW, Intake, Shelf
from tests.support.push import FakeTransport

PLANT = "plant-secret"
OTHER = "other-secret"
ANNA = "anna-secret"
BO = "bo-secret"


def trials_of(intake: Intake) -> Trials:
    """Trials over a behaving fake; its facts are kept nowhere."""

    async def lost(source: str) -> None:
        await intake.link(source, up=False)

    async def forgotten(scope: str, key: str) -> None:
        """At once."""

    return Trials(
        clock=MonotonicClock(),
        world=intake.world,
        fact=lambda scope, key, body: None,
        say=intake.say,
        opened=lambda source, key: None,
        lost=lost,
        is_up=lambda source: True,
        shown=lambda: None,
        forgotten=forgotten,
    )


class Caller:
    """Calls the API as one of the known secrets."""

    def __init__(self, hub: Hub, http: aiohttp.ClientSession) -> None:
        self._hub = hub
        self._http = http

    async def __call__(
        self,
        method: str,
        path: str | URL,
        *,
        secret: str | None = PLANT,
        headers: dict[str, str] | None = None,
        signed: Signed | None = None,
        **kw: Any,
    ) -> Answer:
        """`signed`: as a browser that is signed in, and so without a secret."""
        url = URL(self._hub.url).join(path) if isinstance(path, URL) else self._hub.url + path
        sent = dict(headers or {})
        if signed is not None:
            sent = signed.headers | sent
        elif secret is not None:
            sent.setdefault("Authorization", f"Bearer {secret}")
        async with self._http.request(method, url, headers=sent, **kw) as response:
            return Answer(response.status, response.headers.copy(), await response.read())

    async def post(self, secret: str | None = PLANT, **signal: Any) -> Answer:
        return await self("POST", "/api/v1/signals", secret=secret, json=signal)


class Answer:
    """Status, headers and body of a response."""

    def __init__(self, status: int, headers: Any, raw: bytes) -> None:
        self.status = status
        self.headers = headers
        self.raw = raw

    @property
    def body(self) -> Any:
        import json

        return json.loads(self.raw)


class Signed(Struct, frozen=True):
    """A browser that is signed in: its cookie, and what changes need."""

    staff: str
    cookie: str
    csrf: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "X-Alarmhub-CSRF": self.csrf}


class HubClock:
    """The hub's clock (`alarmhub.clock.Clock`): what the fake says it is."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def now(self) -> int:
        return self._intake.at


class Hub:
    """Everything a test of the API can turn."""

    def __init__(
        self,
        *,
        session: SessionSettings | None = None,
        sign_in: SignIn | None = None,
        provider: Callable[[Hub], Provider] | None = None,
        **settings: Any,
    ) -> None:
        self.intake = Intake()
        self.shelf = Shelf(self.intake)
        self.not_ready = ""
        self.refusals: list[str] = []
        self.lines: list[SourceStatus] = []
        self.settings = WebSettings(port=0, **settings)
        self.hooks = Hooks("plant")
        self.pushable: dict[str, tuple[str, ...]] = {}
        self.shelf.admit(PLANT, "source", "plant")
        self.shelf.admit(OTHER, "source", "other")
        self.shelf.admit(ANNA, "phone", "anna", device="annas")
        self.shelf.admit(BO, "phone", "bo")
        self.trials = trials_of(self.intake)
        self.accounts = MemoryAccounts()
        self.sessions = Sessions(self.accounts, self.intake, session)
        self.passwords = Passwords()
        # A board over HTTP ends at once here; `tests.web.test_board_door` follows some.
        self.boards = Boards(desk=self.intake, maintenances=lambda: self.trials.maintenances)
        people = people_doors(
            accounts=self.accounts, sessions=self.sessions, passwords=self.passwords, desk=self.intake,
            settings=self.settings, sign_in=sign_in or SignIn(),
            provider=None if provider is None else provider(self),
        )  # fmt: skip
        self.api = Api(
            intake=self.intake,
            desk=self.intake,
            store=cast(Store, self.shelf),
            metrics_render=lambda: b"alarmhub_alarms 0\n",
            settings=self.settings,
            ready=lambda: self.not_ready,
            on_refused=self.refusals.append,
            hooks=self.hooks,
            lines=lambda: self.lines,
            trials=self.trials,
            sessions=self.sessions,
            doors=[
                Pages(socket_port=lambda: 8081),
                *people,
                BoardDoor(self.boards, self.intake, followed_s=0),
                *self._phone_doors(),
                self._drill_door(),
                self._push_door(),
            ],
        )

    async def sign_in(
        self, staff: str = "anna", *grants: str, units: tuple[str, ...] | None = None, **more: Any
    ) -> Signed:
        """A session of this person, with these grants of the site and no others. `units`: those they belong
        to, and so are nurse of (unknown people: none). `more`: fields of the session."""
        known = self.intake.world_now.site.staff
        person = replace(known.get(staff, Staff(staff, staff.capitalize())), grants=grants)
        known[staff] = person if units is None else replace(person, units=units)
        if staff not in self.accounts.tables.accounts:
            await self.accounts.put_account(
                Account(staff=staff, login=staff, handle=staff.encode(), created_at=self.intake.at)
            )
        secret = secrets.token_urlsafe(32)
        usual: dict[str, Any] = {
            "digest": sha256(secret.encode()).digest(), "id": secrets.token_hex(8), "staff": staff,
            "method": "password", "csrf": f"csrf-of-{staff}", "label": "a test",
            "created_at": self.intake.at, "seen_at": self.intake.at,
            "expires_at": self.intake.at + 3_600_000,
        }  # fmt: skip
        session = Session(**(usual | more))
        await self.accounts.add_session(session)
        return Signed(staff, f"{self.sessions.cookie}={secret}", session.csrf)

    def _phone_doors(self) -> tuple[DeviceDoor, ShiftDoor]:
        """Anna's phone is one of ward 201's drawer."""
        self.tables = Tables()
        self.devices = MemoryDevices(self.tables)
        digest = sha256(ANNA.encode()).digest()
        self.tables.devices["annas"] = Device(
            id="annas", digest=digest, label="Lånetelefon 1", enrolled_by="anna", enrolled_at=NOW, pool=True,
            unit="201", staff="anna", bound_at=NOW,
        )  # fmt: skip
        self.tables.tokens[digest] = Token(digest, "phone", "anna", (), "annas")
        self.carrying = Carrying(
            devices=self.devices, intake=self.intake, now=self.intake.now,
            elsewhere=lambda staff, device: Reach.NONE,
        )  # fmt: skip
        devices = DeviceDoor(
            carrying=self.carrying, devices=self.devices, sessions=self.sessions, desk=self.intake,
            reach=lambda staff, device: Reach.LIVE, settings=self.settings,
        )  # fmt: skip
        shift = ShiftDoor(
            intake=self.intake, desk=self.intake, shifts=lambda: self.intake.shifts, settings=self.settings
        )
        return devices, shift

    def _drill_door(self) -> DrillDoor:
        """Drills and supervision over nobody's phones: each drill is red at once, and over with `look`."""
        intake, clock = self.intake, HubClock(self.intake)
        self.handsets = Handsets(
            clock=clock, world=intake.world, rules=HandsetRules(), shown=lambda staff: None,
            notices=PhoneNotices(world=intake.world, say=intake.say, opened=lambda source, key: None),
            fact=lambda scope, key, body: None,
        )  # fmt: skip
        self.drills = Drills(
            clock=clock, world=intake.world, signal=self._begin_drill, say=intake.say,
            open_alarms=lambda: (), rows=MemoryDrills(Tables()), fact=lambda scope, key, body: None,
            phones_of=self.handsets.phones_of, transports_of=lambda staff, device: (),
            lost=self.handsets.push_lost, rules=DrillRules(), version="1",
        )  # fmt: skip
        return DrillDoor(drills=self.drills, handsets=self.handsets, desk=intake, settings=self.settings)

    async def _begin_drill(self, signal: Signal) -> SignalOutcome:
        """Decided by the core, committed at once."""
        if self.intake.refuse is not None:
            raise self.intake.refuse
        alarm = decide(None, Raised(signal, str(uuid.uuid4())), self.intake.world(), self.intake.at).alarm
        assert alarm is not None
        self.drills.refresh([Change(None, alarm)])
        return SignalOutcome(alarm.id, alarm.phase, True)

    def _push_door(self) -> PushDoor:
        """Over a book in memory, with Web Push set up."""
        self.book = TargetBook(
            MemoryPushTargets(Tables()), transports={"webpush": FakeTransport("webpush")},
            clock=MonotonicClock(), crew=cast(Crew, None), pushable=self.pushable.__setitem__,
        )  # fmt: skip
        return PushDoor(
            targets=self.book, intake=self.intake, desk=self.intake, frames_of=self._frames_of,
            settings=self.settings,
        )  # fmt: skip

    def _frames_of(self, staff: str) -> tuple[int, list[bytes]]:
        views, world = Views(), self.intake.world()
        return NOW, [views.alarm(alarm, staff, world, NOW) for alarm in self.intake.shown_to(staff)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api.port}"


@asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[tuple[Hub, Caller]]:
    """A hub that listens on loopback, and somebody to call it."""
    hub = Hub(**settings)
    await hub.api.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield hub, Caller(hub, http)
    finally:
        await hub.api.stop()
        hub.passwords.close()
