"""`drill`: drill a unit's phones from a terminal, and show what became of each phone and way.

It speaks the hub's HTTP interface with the secret that only this machine's users of the data folder can read.
It refuses to decide what is red, and to call a drill good whose end it has not seen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import aiohttp

from alarmhub.press import no_hub

ANSWER_WITHIN_S: Final = 5.0
_AWAY: Final = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
LOOK_EVERY_S: Final = 0.5
OVER_WITHIN_S: Final = 150.0
"""A drill ends within two minutes, whatever happens."""


class DrillFailed(Exception):
    """It was not done, or its end was not seen; the message is one clear line."""


async def drilled(url: str, secret: str, unit: str, *, heard: bool) -> dict[str, Any]:
    """Begin a drill and wait until it is over; what came of it. Raises DrillFailed."""
    path = f"{url}/api/v1/units/{quote(unit, safe='')}/drills"
    within = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    headers = {"Authorization": f"Bearer {secret}"}
    async with aiohttp.ClientSession(headers=headers, timeout=within) as http:
        try:
            begun = await _asked(http, "POST", path, {"heard": heard})
        except _AWAY as exc:
            raise DrillFailed(no_hub(url)) from exc
        until = time.monotonic() + OVER_WITHIN_S
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                listed = await _asked(http, "GET", path)
            except _AWAY:
                continue  # it may restart: then the drill was interrupted, and it says so
            for drill in listed["drills"]:
                if drill["id"] == begun["id"] and drill["ended_at"] is not None:
                    return dict(drill)
    raise DrillFailed("the end of the drill was not seen")


async def _asked(
    http: aiohttp.ClientSession, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    async with http.request(method, path, json=body) as answer:
        said = await answer.json(content_type=None)
        if not isinstance(said, dict):
            raise DrillFailed(f"the hub answers {answer.status}")
        if answer.status >= 400:
            raise DrillFailed(str(said.get("detail", answer.status)))
        return said


def good(drill: dict[str, Any]) -> bool:
    """Every way that can confirm has."""
    return bool(drill["state"] == "ok")


def lines(drill: dict[str, Any]) -> Iterator[str]:
    """A table of phones and ways, and a line that says it all."""
    rows = [("person", "phone", "channel", "result", "after"), *map(_row, drill["lines"])]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    counts = f"{drill['good']} good, {drill['red']} red, {drill['open']} neither"
    yield f"{drill['unit']}: {drill['state']}, {counts}"


def _row(line: dict[str, Any]) -> tuple[str, str, str, str, str]:
    after = "" if line["after_ms"] is None else f"{line['after_ms'] / 1000:.2f} s"
    outcome = "RED" if line["outcome"] == "failed" else line["outcome"]
    result = f"{outcome}: {line['text']}" if line["text"] else outcome
    return line["name"], line["label"] or line["device"] or "-", line["channel"] or "-", result, after
