"""Contacts in: one adapter per I/O module over Modbus/TCP, which the hub polls.

Each poll reads all points, or only the module's change register where it has one; what changed is told at
once, in order, and told again until it is stored, while the polling goes on beside it. While the module is
away nothing is known of its points; afterwards all are read again, and what changed meanwhile is told: a
point that went back to normal ends its alarm. After a start of the hub the first reading says of every point
what it is, as an update (which opens an alarm only where none is open) or an end.

It refuses to decide what a point means for the ward (site rules do, by the address "module/point" and texts
that begin with "active" or "fault"), to write to a module, and to take what it cannot read for normal.
"""

from __future__ import annotations

import asyncio
from typing import Final

from alarmhub.core.effects import Report
from alarmhub.inbound.contacts import Telling
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.modbus_reader import ILLEGAL, ModuleAway, ModuleReader, ReadRefused
from alarmhub.inbound.modbus_settings import ModbusLink
from alarmhub.tasks import end, spawn
from protocols.contacts import Block, PointMachine, Table, only, plan, raw_of

RECONNECT_FIRST_S: Final = 0.25
RECONNECT_LAST_S: Final = 5.0
ASK_AGAIN_S: Final = 300.0
"""A point whose address the module does not have is asked for again this often, and at each connection."""
SHORTEST_WAIT_S: Final = 0.005
_CHANGE_REGISTER: Final = "change-register"


class ModbusAdapter:
    """One module. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: ModbusLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        host, port = settings.address()
        self._reader = ModuleReader(host, port, settings.unit, within_s=settings.read_within_s)
        self._machines = [PointMachine(point) for point in settings.points]
        self._illegal: dict[int, int] = {}  # point without such an address → when to ask again
        self._named: set[str] = set()  # faults of the configuration an engineer has been told of
        self._failing: dict[int, int] = {}  # point → since when the module cannot say
        self._plan: tuple[Block, ...] = ()
        self._planned_for: frozenset[int] | None = None
        self._change: int | None = None
        self._full_at = 0
        self.telling = Telling(settings.name, settings.points, feed)
        self._poll: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """It does not listen."""
        return 0

    @property
    def machines(self) -> list[PointMachine]:
        """The points as they were read last."""
        return self._machines

    async def start(self) -> None:
        """Begin to poll; a module that is away does not fail the start."""
        self._feed.supervise(down_s=self._settings.down_s, up_s=self._settings.up_s, polls=True)
        self._named_before()
        self.telling.start()
        self._poll = spawn(self._live(), f"modbus {self._settings.name}", self._feed.crew, ends=True)

    async def close(self) -> None:
        """Poll no more; what was read is still stored, while the hub takes it."""
        await end(self._poll)
        self._reader.close()
        await self.telling.close()

    async def report(self, report: Report, alarm: str) -> None:
        """A contact cannot be told anything."""

    # The module.

    async def _live(self) -> None:
        wait_s = RECONNECT_FIRST_S
        while True:
            try:
                await self._reader.connect()
            except ModuleAway as error:
                self._feed.status.last_refusal = str(error)
                self._feed.status.last_refusal_at = self._feed.now()
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, RECONNECT_LAST_S)
                continue
            self._feed.connected(self._reader.peer)
            cause, began_at = "closed", self._feed.now()
            try:
                await self._polls()
            except ModuleAway as error:
                cause = str(error)
            finally:
                self._lost(cause)
            # One that only accepts connections must not be knocked at without pause.
            lasted_ms = self._feed.now() - began_at
            wait_s = RECONNECT_FIRST_S if lasted_ms > RECONNECT_LAST_S * 1000 else wait_s
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RECONNECT_LAST_S)

    def _lost(self, cause: str) -> None:
        self._feed.disconnected(self._reader.peer, cause)
        for machine in self._machines:
            machine.lost()
        self._change, self._planned_for = None, None
        self._illegal = dict.fromkeys(self._illegal, 0)
        self._failing.clear()

    async def _polls(self) -> None:
        """Poll until the module is lost. Raises ModuleAway."""
        while True:
            began_at = self._feed.now()
            if await self._is_due(began_at):
                await self._read_all()
            due = began_at + round(self._settings.poll_s * 1000)
            # What was due before this poll it has asked for: a busy module is not asked without pause.
            unsettled = [at for m in self._machines if (at := m.next_read()) is not None and at > began_at]
            wait_s = (min([due, *unsettled]) - self._feed.now()) / 1000
            await asyncio.sleep(max(SHORTEST_WAIT_S, wait_s))

    async def _is_due(self, now: int) -> bool:
        """Whether the points must be read: by the change register, where the module has one."""
        address = self._settings.change_address
        if address is None:
            return True
        block = Block(Table(self._settings.change_table), address, 1, ())
        try:
            change = int((await self._reader.read(block))[0])
        except ReadRefused as error:
            if error.code in ILLEGAL:
                self._config_fault(
                    _CHANGE_REGISTER,
                    "Modulens ändringsregister kan inte läsas, alla punkter läses varje gång",
                    "The module's change register cannot be read, all points are read each time",
                    f"change register {address}: {error}",
                )
            return True
        self._is_right(_CHANGE_REGISTER)
        before, self._change = self._change, change
        resting = all(
            (m.known and m.next_read() is None) or index in self._illegal
            for index, m in enumerate(self._machines)
        )
        if change == before and now < self._full_at and resting:
            self._feed.life()
            return False
        self._full_at = now + round(self._settings.full_s * 1000)
        return True

    async def _read_all(self) -> None:
        now = self._feed.now()
        asked = frozenset(i for i in range(len(self._machines)) if self._illegal.get(i, 0) <= now)
        asked = asked or frozenset({0})  # a module without a single known address is still there
        if asked != self._planned_for:
            self._planned_for, self._plan = asked, self._plan_of(asked)
        heard = False
        for block in self._plan:
            heard = await self._read(block) or heard
        if heard:
            self._feed.life()
        self._mind_failing(heard)

    def _plan_of(self, asked: frozenset[int]) -> tuple[Block, ...]:
        """The reads for these points; those the module refused before are asked for one by one."""
        points = self._settings.points
        sure = [i for i in sorted(asked) if i not in self._illegal]
        blocks = plan(
            [points[i] for i in sure],
            most_bits=self._settings.most_bits,
            most_registers=self._settings.most_registers,
        )
        shared = [Block(b.table, b.address, b.count, tuple(sure[i] for i in b.points)) for b in blocks]
        doubtful = [i for i in sorted(asked) if i in self._illegal]
        return (*shared, *(only(points, i) for i in doubtful))

    async def _read(self, block: Block) -> bool:
        """Read one block and take what it says; whether the module said anything of its points."""
        try:
            values = await self._reader.read(block)
        except ReadRefused as error:
            if error.code not in ILLEGAL:
                self._cannot_say(block, error)
                return False
            if len(block.points) == 1:
                self._has_no(block.points[0], error)
                return True
            parts = [only(self._settings.points, index) for index in block.points]
            return any([await self._read(part) for part in parts])
        for index in block.points:
            self._take(index, raw_of(self._settings.points[index], block, values))
        return True

    def _take(self, index: int, raw: int | None) -> None:
        point = self._settings.points[index]
        self._failing.pop(index, None)
        if self._illegal.pop(index, None) is not None:
            self._is_right(f"point:{point.name}")
        self.telling.tell(self._machines[index].read(raw, self._feed.now()))

    def _cannot_say(self, block: Block, error: ReadRefused) -> None:
        """Busy or failing: asked again at the next poll."""
        first = block.points[0]
        if first not in self._failing:
            self._feed.refused("module_failure", f"{self._where(first)}: {error}", fault=False)
        for index in block.points:
            self._failing.setdefault(index, self._feed.now())

    def _mind_failing(self, heard: bool) -> None:
        """A point that cannot be read for long is a line fault while the module answers for others; when it
        answers for none, the module is lost and that is told of the source."""
        now = self._feed.now()
        for index, since in self._failing.items():
            if now - since < self._settings.down_s * 1000:
                continue
            if heard:
                self.telling.tell(self._machines[index].read(None, now))
            else:
                self._machines[index].lost()

    def _has_no(self, index: int, error: ReadRefused) -> None:
        """The module has no such address: told to an engineer once, and asked for again now and then."""
        self._illegal[index] = self._feed.now() + round(ASK_AGAIN_S * 1000)
        self._failing.pop(index, None)
        self._machines[index].lost()
        self._config_fault(
            f"point:{self._settings.points[index].name}",
            "Larmpunkt kan inte läsas och övervakas INTE",
            "An alarm point cannot be read and is NOT supervised",
            f"{self._where(index)}: {error}",
        )

    def _config_fault(self, what: str, swedish: str, english: str, cause: str) -> None:
        if what in self._named:
            return
        self._named.add(what)
        self._feed.refused("illegal_address", cause, fault=False)
        self._feed.trouble(what, f"{swedish}: {cause}", f"{english}: {cause}")

    def _is_right(self, what: str) -> None:
        if what in self._named:
            self._named.remove(what)
            self._feed.well(what)

    def _named_before(self) -> None:
        """What a hub before this one has told; such a point is asked for alone, and well when it answers."""
        if self._feed.in_trouble(_CHANGE_REGISTER):
            self._named.add(_CHANGE_REGISTER)
        for index, point in enumerate(self._settings.points):
            if self._feed.in_trouble(f"point:{point.name}"):
                self._named.add(f"point:{point.name}")
                self._illegal[index] = 0

    def _where(self, index: int) -> str:
        point = self._settings.points[index]
        return f"{self._settings.name}/{point.name} ({point.table} {point.address})"
