"""The bench: one database server, and hub and floor on it, started and stopped one at a time.

Only one of the two runs at any moment, so that neither disturbs the other. Context managers undo all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from load import machine
from load import site as load_site
from load.database import DatabaseServer
from load.rounds import Target
from load.systems import Hub, Process, free_ports, start_floor

HUB, FLOOR = "hub", "floor"
PINNINGS = ("none", "split", "swapped")
LOOPS = ("asyncio", "uvloop")


@dataclass(frozen=True, slots=True)
class Setup:
    """How to measure. loop: event loop of hub and floor alike. pin: none, split (hub or floor on the first
    core, database and generator on the second) or swapped."""

    phones: int = 2000
    beds_per_unit: int = 5
    loop: str = "uvloop"
    database_profile: str = "bench"
    pin: str = "none"
    seed: int = 1


class Bench:
    """Context manager; `running(name)` gives a Target for as long as it is entered."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.layout = load_site.Layout(setup.phones, setup.beds_per_unit)
        self.database = DatabaseServer(setup.database_profile)
        self._hub: Hub | None = None
        self._floor_dsn = ""
        self._floor_ports = (0, 0)
        self._cores = sorted(os.sched_getaffinity(0))

    def __enter__(self) -> Bench:
        self.database.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.database.__exit__(None, None, None)

    @property
    def hub(self) -> Hub:
        """The hub with the load site in a database of its own, made on first use."""
        if self._hub is None:
            dsn = self.database.fresh("load_hub")
            self._hub = Hub(dsn, load_site.site_file(self.layout), load_site.SOURCE, loop=self.setup.loop)
        return self._hub

    @contextmanager
    def running(self, name: str) -> Iterator[Target]:
        """Starts hub or floor, pins it as set up, and stops it in the end."""
        with self._start(name) as process, self._pinned(process):
            yield self.target(name, process)

    def target(self, name: str, process: Process) -> Target:
        """Where the running process is reached."""
        places = self.layout.places
        desks: tuple[str, ...] = ()
        if name == HUB:
            desks = tuple(self.hub.phone_secrets[desk] for desk in load_site.DESKS)
            secrets = [self.hub.phone_secrets[load_site.staff_id(n)] for n in range(self.layout.phones)]
            http_port, phone_port, source = self.hub.http_port, self.hub.phone_port, self.hub.source_secret
        else:
            secrets = [load_site.staff_id(n) for n in range(self.layout.phones)]
            http_port, phone_port = self._floor_ports
            source = "none"
        return Target(
            name=name,
            host="127.0.0.1",
            http_port=http_port,
            phone_port=phone_port,
            source_secret=source,
            phone_secrets=secrets,
            places=places,
            pid=process.pid,
            postmaster_pid=self.database.postmaster_pid,
            desk_secrets=desks,
        )

    def _start(self, name: str) -> Process:
        if name == HUB:
            return self.hub.start()
        if not self._floor_dsn:
            self._floor_dsn = self.database.fresh("load_floor")
        http_port, phone_port = free_ports(2)
        self._floor_ports = (http_port, phone_port)
        return start_floor(self._floor_dsn, http_port, phone_port, loop=self.setup.loop)

    @contextmanager
    def _pinned(self, process: Process) -> Iterator[None]:
        if self.setup.pin == "none" or len(self._cores) < 2:
            yield
            return
        mine, theirs = self._cores[:2] if self.setup.pin == "split" else self._cores[1::-1]
        _keep_to({mine}, process.pid)
        self._keep_others_to({theirs})
        try:
            yield
        finally:
            self._keep_others_to(set(self._cores))

    def _keep_others_to(self, cores: set[int]) -> None:
        postmaster = self.database.postmaster_pid
        for pid in (0, postmaster, *machine.children(postmaster)):
            _keep_to(cores, pid)


def _keep_to(cores: set[int], pid: int) -> None:
    with suppress(ProcessLookupError):  # it has ended meanwhile
        os.sched_setaffinity(pid, cores)
