"""`demo`: a hub at work to watch, with patients who call and staff who answer, until Ctrl-C.

Everything is real but the people: the hub on its own embedded PostgreSQL, two call plants on ESPA lines, one
over HTTP, a phone for everybody on duty. What it stored stays: the next demo in the same folder goes on with
the alarms that were open. It refuses to run beside another in the same folder.
"""

from __future__ import annotations

import asyncio
import shlex
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.live import Live

from alarmhub import logs
from alarmhub.app import App
from alarmhub.core.alarm import Phase, told_of
from alarmhub.core.reach import Reach
from alarmhub.demo.board import Changes, table
from alarmhub.demo.ground import alone_in, data_folder, demo_site, kept_secrets, publish_demo_site
from alarmhub.demo.login import VISITOR, kept_login
from alarmhub.demo.people import Staff
from alarmhub.demo.stage import MEDICINE, SURGERY, HousePlant
from alarmhub.demo.wards import Wards
from alarmhub.inbound.espa_settings import EspaLink
from alarmhub.installation import opened
from alarmhub.settings import LINKS, DatabaseSettings, Settings
from alarmhub.store.embedded import EmbeddedServer
from alarmhub.tasks import Crew, spawn
from alarmhub.web.board_door import STAFF, board_url
from load.espa_plant import EspaPlant, Mode

LOOK_EVERY_S: Final = 0.25
LOG_FILE = "demo.log"
EXAMPLE_PLACE = "201/12/2"
BOARD_UNIT: Final = "201"
LEFT_OVER_S: Final = 20.0

Say = Callable[[str], None]


async def run_live(settings: Settings) -> bool:
    """Run until SIGINT or SIGTERM; True when it ended because it was told to. Raises StartFailed,
    ServerFault, OSError when it cannot begin."""
    folder = data_folder(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, stop.set)
    with alone_in(folder, "live"), (folder / LOG_FILE).open("a", encoding="utf-8") as log:
        logs.configure(level=settings.log.level, format="json", stream=log)
        async with Demo(live_settings(settings, folder, click.echo), folder, click.echo) as demo:
            return await demo.show(stop)


def live_settings(settings: Settings, folder: Path, say: Say) -> Settings:
    """The settings of the demo's hub: a port that is taken is exchanged for a free one, and said; of the
    lines only those of its own plants."""
    ports = {}
    for name, door in (("API", settings.api), ("phone", settings.phones)):
        ports[name] = door.port if _is_free(door.host, door.port) else 0
        if ports[name] != door.port:
            say(f"port {door.port} is taken; the demo's {name} door takes a free one")
    return msgspec.structs.replace(
        msgspec.structs.replace(settings, **dict.fromkeys(LINKS, ())),
        database=DatabaseSettings(data_dir=str(folder)),
        api=msgspec.structs.replace(settings.api, port=ports["API"]),
        phones=msgspec.structs.replace(settings.phones, port=ports["phone"]),
        espa=(
            EspaLink(source=MEDICINE, listen="127.0.0.1:0", mode="polled"),
            EspaLink(source=SURGERY, listen="127.0.0.1:0", mode="select-only"),
        ),
    )


def _is_free(host: str, port: int) -> bool:
    if port == 0:
        return True
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return True
    except OSError:
        return False


def press_command(folder: Path, port: int, usual_port: int) -> str:
    """What to type in a second terminal to press a button of this demo."""
    env = {"ALARMHUB_DATABASE__DATA_DIR": str(folder)}
    if port != usual_port:
        env["ALARMHUB_API__PORT"] = str(port)
    words = [f"{name}={shlex.quote(value)}" for name, value in env.items()]
    return " ".join([*words, shlex.quote(sys.executable), "-m", "alarmhub", "press", EXAMPLE_PLACE])


class Demo:
    """The running demo, as a context manager."""

    def __init__(self, settings: Settings, folder: Path, say: Say) -> None:
        self.settings, self.folder = settings, folder
        self.app = App(settings)
        self.staff: Staff
        self.wards: Wards
        self.crew: Crew
        self.login: str
        self._board_secret = ""
        self._say = say
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Demo:
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._say("ending; what was open stays open for the next demo in this folder")
        await self._stack.aclose()

    async def _build(self) -> None:
        site = demo_site()
        self._say(f"{site.name}: starting the database and the hub (log: {self.folder / LOG_FILE})")
        server = EmbeddedServer(self.folder)
        await server.start()
        self._stack.push_async_callback(server.stop)
        # Nobody plays the visitor: what rings that phone is for whoever signs in.
        people = [p.id for p in site.staff.values() if p.pager is None and p.id != VISITOR]
        async with opened(self.settings) as store:
            await publish_demo_site(store, site)
            phones = await kept_secrets(store, self.folder, "phone", people)
            sources = await kept_secrets(store, self.folder, "source", site.sources)
            boards = await kept_secrets(store, self.folder, "board", [BOARD_UNIT], (STAFF,))
            self._board_secret = boards[BOARD_UNIT]
            self.login = await kept_login(store, self.folder, site)
        await self.app.start()
        self._stack.push_async_callback(self.app.stop)
        self.crew = Crew("demo")
        self._stack.push_async_callback(self.crew.close)
        await self._furnish(phones, sources)

    async def _furnish(self, phones: dict[str, str], sources: dict[str, str]) -> None:
        engine, lines = self.app.engine, self.app.lines
        plants = {
            MEDICINE: EspaPlant("127.0.0.1", lines.port(MEDICINE), mode=Mode.POLLED),
            SURGERY: EspaPlant("127.0.0.1", lines.port(SURGERY), mode=Mode.SELECT_ONLY),
        }
        posts = {id: HousePlant(self.app.api.port, secret) for id, secret in sources.items()}
        for plant in plants.values():
            await self._stack.enter_async_context(plant)
        for post in posts.values():
            await self._stack.enter_async_context(post)
        site = engine.world().site
        self.wards = Wards(
            site, plants, posts, engine.open_alarm, lambda: len(engine.open_alarms()),
            spared=f"{site.site}/{EXAMPLE_PLACE}",
        )  # fmt: skip
        url = f"ws://127.0.0.1:{self.app.gateway.port}/phone"
        self.staff = Staff(url, phones, lambda: engine.world().roster.by_staff, self.wards.reset, self.crew,
                           leaves=self._rings_the_visitor)  # fmt: skip
        self._stack.push_async_callback(self.staff.sign_off)
        await self.staff.change_shift()
        self._take_up_what_was_open()
        spawn(self.staff.keep_shifts(), "shifts", self.crew)
        spawn(self.wards.press_for_ever(), "patients", self.crew)

    def _rings_the_visitor(self, alarm: str) -> bool:
        """Whether it rings at a phone of the visitor's that is there to be answered."""
        engine = self.app.engine
        found = engine.open_alarm(alarm)
        return (
            found is not None
            and told_of(found, VISITOR) is not None
            and engine.contacts.reach.get(VISITOR) is Reach.LIVE
        )

    def _take_up_what_was_open(self) -> None:
        left = list(self.app.engine.open_alarms())
        if left:
            self._say(f"{len(left)} alarms were open when the last demo ended; they go on")
        for alarm in left:
            self.wards.light(alarm)
            if alarm.phase in (Phase.ACCEPTED, Phase.ATTENDED):
                self.staff.finish_later(alarm.id, LEFT_OVER_S)

    async def show(self, stop: asyncio.Event) -> bool:
        """Show what happens until told to stop (True), or until a part of it has died (False)."""
        usual_port = Settings().api.port
        self._say(f"the hub serves: API port {self.app.api.port}, phones port {self.app.gateway.port}; "
                  f"{len(self.staff.people)} people on duty have signed in")  # fmt: skip
        here = f"http://127.0.0.1:{self.app.api.port}"
        self._say(f"a phone of your own: open {here}/phone and sign in {self.login};")
        self._say('  enrol it, begin a shift with "sal 12 plats 2", and it rings when you')
        self._say("press a button from a second terminal (your colleagues leave it to you for 30 s):")
        self._say(f"  {press_command(self.folder, self.app.api.port, usual_port)}")
        self._say(f"the board of ward {BOARD_UNIT}: {board_url(here, BOARD_UNIT, self._board_secret)}")
        self._say("Ctrl-C ends the demo.")
        if Console().is_terminal:
            await self._watch_table(stop)
        else:
            await self._watch_lines(stop)
        for crew in (self.app.crew, self.crew):
            if crew.fatal.done():
                self._say(f"the demo stops: {crew.fatal.result().name}: {crew.fatal.result().cause}")
                return False
        return True

    async def _watch_table(self, stop: asyncio.Event) -> None:
        engine, changes = self.app.engine, Changes()
        with Live(refresh_per_second=8, transient=True) as live:
            while await self._goes_on(stop):
                alarms, world, now = list(engine.open_alarms()), engine.world(), engine.now()
                changes.lines(alarms, world, now)
                live.update(table(alarms, world, now, engine.contacts.by_reach(), changes.ended))

    async def _watch_lines(self, stop: asyncio.Event) -> None:
        engine, changes = self.app.engine, Changes()
        while await self._goes_on(stop):
            for line in changes.lines(engine.open_alarms(), engine.world(), engine.now()):
                self._say(line)

    async def _goes_on(self, stop: asyncio.Event) -> bool:
        try:
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()
        except TimeoutError:
            return not (self.app.crew.fatal.done() or self.crew.fatal.done())
        return False
