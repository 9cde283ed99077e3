"""One epoll loop with precise timers, for a generator that must not be what gets measured.

An asyncio loop rounds its timers up to whole milliseconds and costs several times as much per event.
This loop sleeps in epoll while nothing is due soon, and in select() (microseconds) for the last stretch
before a timer. It knows nothing of HTTP, phones or alarms, and starts no thread.
"""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable
from typing import Any

now_ns = time.monotonic_ns
"""CLOCK_MONOTONIC, comparable between processes of one machine."""

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
_FINE_NS = 2_000_000
_IDLE_NS = 50_000_000


class Reactor:
    """Timers and sockets of one process; everything runs on the caller's thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0
        self._stop = False
        # select() takes descriptors below 1024 only; created first, the epoll descriptor is one.
        self._fine = self._epoll.fileno() < 1024

    def close(self) -> None:
        """Gives the epoll descriptor back; sockets belong to those who registered them."""
        self._epoll.close()

    def call_at(self, due_ns: int, call: Callable[..., None], *args: Any) -> None:
        """Runs `call(*args)` right after `due_ns` (monotonic ns). Cannot be cancelled: check when called."""
        self._count += 1
        heapq.heappush(self._timers, (due_ns, self._count, call, args))

    def call_in(self, delay_s: float, call: Callable[..., None], *args: Any) -> None:
        """Runs `call(*args)` after `delay_s` seconds."""
        self.call_at(now_ns() + int(delay_s * 1e9), call, *args)

    def watch(self, fd: int, handler: Callable[[int], None], events: int = READ) -> None:
        """Calls `handler(event bits)` whenever `fd` is ready, errors and hang-ups included."""
        self._handlers[fd] = handler
        self._epoll.register(fd, events)

    def change(self, fd: int, events: int) -> None:
        """Watches `fd` for other events from now on."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stops watching `fd`; must come before the descriptor is closed."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def stop(self) -> None:
        """Ends the running `run_for` or `run_until` after the current callback."""
        self._stop = True

    def run_for(self, seconds: float) -> None:
        """Serves timers and sockets for `seconds`."""
        self.call_in(seconds, self.stop)
        self._run()

    def run_until(self, done: Callable[[], bool], within_s: float, every_s: float = 0.002) -> bool:
        """Serves until `done()`, asked every `every_s`, is true; False if that takes over `within_s`."""
        deadline_ns = now_ns() + int(within_s * 1e9)
        outcome = False

        def ask() -> None:
            nonlocal outcome
            outcome = done()
            if outcome or now_ns() >= deadline_ns:
                self.stop()
            else:
                self.call_in(every_s, ask)

        self.call_at(0, ask)
        self._run()
        return outcome

    def _run(self) -> None:
        timers, handlers = self._timers, self._handlers
        self._stop = False
        while True:
            now = now_ns()
            while timers and timers[0][0] <= now:
                _, _, call, args = heapq.heappop(timers)
                call(*args)
                if self._stop:
                    return
            wait_ns = timers[0][0] - now_ns() if timers else _IDLE_NS
            for fd, events in self._wait(wait_ns):
                handler = handlers.get(fd)
                if handler is not None:
                    handler(events)
            if self._stop:
                return

    def _wait(self, wait_ns: int) -> list[tuple[int, int]]:
        if wait_ns <= 0:
            return self._epoll.poll(0, 1024)
        if wait_ns > _FINE_NS or not self._fine:
            # One millisecond early: epoll rounds up, and the rest is slept finely.
            return self._epoll.poll(max(0, min(wait_ns, _IDLE_NS) // 1_000_000 - 1) / 1000, 1024)
        ready, _, _ = select.select((self._epoll.fileno(),), (), (), wait_ns / 1e9)
        return self._epoll.poll(0, 1024) if ready else []
