"""`trial`: tests, maintenance windows and walk tests from a terminal.

It speaks the hub's HTTP interface with the secret that only this machine's users of the data folder can read,
and shows what the hub answers in lines. It refuses to decide anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import aiohttp

from alarmhub.press import no_hub

ANSWER_WITHIN_S: Final = 5.0
PATH: Final = "/api/v1/trials"


class TrialFailed(Exception):
    """It was not done; the message is one clear line."""


async def asked(url: str, secret: str, path: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One operation, at `path` below /api/v1/trials; without a body the list of all. Raises TrialFailed."""
    within = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    headers = {"Authorization": f"Bearer {secret}"}
    method = "GET" if body is None else "POST"
    try:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=within) as http,
            http.request(method, f"{url}{PATH}{path}", json=body) as answer,
        ):
            said = await answer.json(content_type=None)
            if not isinstance(said, dict):
                raise TrialFailed(f"the hub answers {answer.status}")
            if answer.status >= 400:
                raise TrialFailed(str(said.get("detail", answer.status)))
            return said
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
        raise TrialFailed(no_hub(url)) from exc


def lines(trials: dict[str, Any]) -> Iterator[str]:
    """What the list says, a line each."""
    for test in trials["tests"]:
        heard = "heard" if test["heard"] else "silent"
        what = test["source"] or test["place"]
        yield f"test {test['id']}: {what}, {heard}, by {test['by']} until {_clock(test['until'])}"
    for window in trials["maintenance"]:
        note = f" ({window['note']})" if window["note"] else ""
        yield (
            f"maintenance of {window['source']}: {_clock(window['since'])} to {_clock(window['until'])}, "
            f"by {window['by']}{note}"
        )
    for walk in trials["walks"]:
        yield from walk_lines(walk)


def walk_lines(walk: dict[str, Any]) -> Iterator[str]:
    """A walk: what was pressed, and what is left."""
    yield f"walk of {walk['source']}: by {walk['by']} until {_clock(walk['until'])}"
    for point in walk["pressed"]:
        mark = "x" if point["ticked"] else " "
        yield f"  [{mark}] {point['place']}: {point['kind']}, {point['text']!r}"
    yield f"  {len(walk['unticked'])} points not verified"


def _clock(moment: str) -> str:
    return moment[:16].replace("T", " ") + " UTC"
