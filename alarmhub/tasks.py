"""Background tasks that cannot vanish: each has a name and an owner, and its death is noticed.

The event loop keeps only weak references to tasks, and a task that dies takes its exception with it until
somebody asks. `spawn` therefore gives every task to a `Crew`, which keeps it, says one clear line when it
ends that should not, and lets the hub stop (`Crew.fatal`). It refuses to restart anything: a hub that lost a
loop does not limp on, its supervisor starts it afresh and its state comes from the database.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final, Generic, NamedTuple, TypeVar

from alarmhub import logs
from alarmhub.logs import Line

CLOSE_WITHIN_S: Final = 5.0
CANCEL_AGAIN_AFTER_S: Final = 2.0
LAG_PERIOD_S: Final = 0.1
LAG_SAID_MS: Final = 250

_T = TypeVar("_T")

_log = logs.get("tasks")


class TaskDied(NamedTuple):
    """Which task ended that must not, and how: `cause` is one line, `exc` the exception if there was one."""

    name: str
    cause: str
    exc: BaseException | None


class Crew:
    """The owner of background tasks. Make it inside a running event loop; close it when done.

    `fatal` is a future that gets a `TaskDied` the first time a task dies; whoever runs the hub awaits it.
    `expected`: exceptions that are no defect (the lease went to another process); of them the owner speaks.
    """

    def __init__(self, name: str, *, expected: tuple[type[BaseException], ...] = ()) -> None:
        self.name = name
        self._expected = expected
        self.fatal: asyncio.Future[TaskDied] = asyncio.get_running_loop().create_future()
        self._tasks: dict[asyncio.Task[Any], bool] = {}
        self._closing = False

    def __len__(self) -> int:
        """How many tasks run."""
        return len(self._tasks)

    def add(self, coro: Coroutine[Any, Any, _T], name: str, *, ends: bool) -> asyncio.Task[_T]:
        """Start a task of this crew; see `spawn`."""
        if self._closing:
            coro.close()
            raise RuntimeError(f"crew {self.name} is closing and starts no task {name}")
        task = asyncio.get_running_loop().create_task(coro, name=name)
        self._tasks[task] = ends
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        may_end = self._tasks.pop(task)
        exc = None if task.cancelled() else task.exception()
        if exc is None and (may_end or self._closing):
            return
        if exc is not None:
            cause = f"{type(exc).__name__}: {exc}"
        else:
            cause = "it was cancelled" if task.cancelled() else "it returned"
        if not isinstance(exc, self._expected):
            _log.error(Line.TASK_DIED, exc=exc, crew=self.name, task=task.get_name(), cause=cause)
        if not self.fatal.done():
            self.fatal.set_result(TaskDied(task.get_name(), cause, exc))

    async def close(self, deadline_s: float = CLOSE_WITHIN_S) -> bool:
        """Cancel all tasks, the youngest first, and wait for them to end, at most `deadline_s`. Those that do
        not are named in the log and left behind; False then. What must be drained is drained before."""
        self._closing = True
        tasks = [task for task in reversed(self._tasks) if task is not asyncio.current_task()]
        stuck = await end(*tasks, within_s=deadline_s)
        for task in stuck:
            _log.error(Line.TASK_STUCK, crew=self.name, task=task.get_name(), deadline_s=deadline_s)
        return not stuck


def spawn(coro: Coroutine[Any, Any, _T], name: str, owner: Crew, *, ends: bool = False) -> asyncio.Task[_T]:
    """Start a background task under `name`, owned by `owner`.

    A task is taken to be a loop that lives as long as the hub: however it ends before its crew closes, that
    is its death and stops the hub. `ends=True` is for work that has an end: returning and being cancelled
    are then in order, and only an exception is a death. Raises RuntimeError when the crew is already closing.
    """
    return owner.add(coro, name, ends=ends)


async def end(*tasks: asyncio.Task[Any] | None, within_s: float = CLOSE_WITHIN_S) -> set[asyncio.Task[Any]]:
    """Cancel tasks, in this order, and wait until they have ended, at most `within_s`; gives those left.

    They are cancelled again after a while: a cancelling can be lost on the way. Up to Python 3.11
    asyncio.wait_for drops one that meets its result (CPython issue 86296), and libraries wait with it. So
    whoever stops a task and waits for its end does it with this; what is left its crew names when it closes.
    What a task does at its end must not take it longer than that while: the second time cuts it short.
    """
    ordered = [task for task in tasks if task is not None and not task.done()]
    running = set(ordered)
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + within_s
    while running:
        for task in ordered:
            task.cancel()  # one that is done does not mind
        left_s = max(0.0, give_up_at - loop.time())
        _, running = await asyncio.wait(running, timeout=min(left_s, CANCEL_AGAIN_AFTER_S))
        if loop.time() >= give_up_at:
            break
    return running


class Begun(Generic[_T]):
    """A coroutine run, here and now, up to its first wait; await this, once, for the rest of it.

    A task would begin it a turn of the loop later, behind whatever is ready by then: for a press that is the
    time in which its statement could have been with the database already. What the coroutine does before its
    first wait must not ask for the current task (`asyncio.timeout` does), which is the caller's. An exception
    is raised by the await, not here.
    """

    def __init__(self, coro: Coroutine[Any, Any, _T]) -> None:
        self._coro = coro
        self._waits_for: Any = None
        self._ended: asyncio.Future[_T] | None = None
        try:
            self._waits_for = coro.send(None)
        except StopIteration as end:
            self._end().set_result(end.value)
        except Exception as exc:  # noqa: BLE001  it is whose await this is
            self._end().set_exception(exc)

    def _end(self) -> asyncio.Future[_T]:
        self._ended = asyncio.get_running_loop().create_future()
        return self._ended

    def __await__(self) -> Generator[Any, Any, _T]:
        """What the coroutine returns or raises. Cancelling goes through to it."""
        if self._ended is not None:
            return (yield from self._ended)
        coro, waits_for = self._coro, self._waits_for
        while True:
            try:
                try:
                    sent = yield waits_for
                except BaseException as exc:  # noqa: BLE001  cancelled, or the future refused to be waited for
                    waits_for = coro.throw(exc)
                else:
                    waits_for = coro.send(sent)
            except StopIteration as end:
                result: _T = end.value
                return result


async def watch_loop(observe_s: Callable[[float], None], *, period_s: float = LAG_PERIOD_S) -> None:
    """Measure for ever how late the event loop wakes a sleeper, in seconds, and say so when it is much."""
    while True:
        asleep_at = time.monotonic()
        await asyncio.sleep(period_s)
        lag_s = max(0.0, time.monotonic() - asleep_at - period_s)
        observe_s(lag_s)
        if lag_s * 1000 >= LAG_SAID_MS:
            _log.warning(Line.LOOP_LAGGED, lag_ms=round(lag_s * 1000))
