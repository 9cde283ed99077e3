"""What every command does alike: read its settings, run its work, and end with one clear line when it fails.

It refuses to know any command, and to turn a defect into a line: what nobody foresaw keeps its traceback.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click
import uvloop

from alarmhub import logs
from alarmhub.app import StartFailed
from alarmhub.ports import StoreUnavailable
from alarmhub.settings import Settings, SettingsRefused, read
from alarmhub.store.embedded import ServerFault

LEFT: Final = 130
"""Exit code of a command that was left with Ctrl-C, as shells have it."""

_T = TypeVar("_T")


def fail(message: str) -> NoReturn:
    """One clear line on standard error, exit 1."""
    click.echo(f"alarmhub: {message}", err=True)
    sys.exit(1)


def settings_of(config: Path | None) -> Settings:
    """The settings, or one line per fault and exit 1."""
    try:
        settings = read(config)
    except SettingsRefused as exc:
        for fault in exc.faults[:-1]:
            click.echo(f"alarmhub: {fault}", err=True)
        fail(exc.faults[-1])
    logs.configure(level=settings.log.level, format=settings.log.format)
    return settings


def run(work: Coroutine[Any, Any, _T], *, loop: str = "asyncio") -> _T:
    """Run a command's work on the named event loop; foreseeable failures become one line."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
            return runner.run(_leavable(work))
    except (StartFailed, StoreUnavailable, ServerFault, OSError) as exc:
        fail(str(exc) or type(exc).__name__)
    except KeyboardInterrupt:
        sys.exit(LEFT)


class Commands(click.Group):
    """Commands that end alike when they are left with Ctrl-C, at work or before it: click would say 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """See `click.Group.invoke`."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(LEFT)


async def _leavable(work: Coroutine[Any, Any, _T]) -> _T:
    """Ctrl-C cancels the work; what a library makes of that (a connection that was broken off, a time-out) is
    no failure of ours to tell."""
    try:
        return await work
    except Exception:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None
        raise
