"""`press`: press one button from a terminal, and watch what happens to that one alarm until somebody accepts.

It speaks the hub's HTTP interface like any other program, with the secret that only this machine's users of
the data folder can read. It refuses to decide anything about the alarm, and to give up while the hub is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import aiohttp
from msgspec import Struct

from alarmhub.core.kinds import RULES, Kind
from alarmhub.core.site import Place, Site, SourceRules

LOOK_EVERY_S: Final = 0.25
ANSWER_WITHIN_S: Final = 5.0
REF_CHARS: Final = 128

Say = Callable[[str], None]


class PressFailed(Exception):
    """It could not be sent; the message is one clear line."""


class Button(Struct, frozen=True):
    """What is pressed: the signal's members, and a remark for whoever presses ("" for none)."""

    source: str
    place: str
    kind: Kind
    type: str | None
    remark: str = ""

    @property
    def ref(self) -> str:
        """The same button is the same alarm while that is open."""
        return f"press {self.place} {self.type or self.kind}"[:REF_CHARS]

    def signal(self) -> dict[str, Any]:
        """The body of POST /api/v1/signals. A button has no reset: staff end it, where the kind lets them."""
        event = "once" if RULES[self.kind].staff_may_end else "start"
        members = {"source": self.source, "event": event, "ref": self.ref, "place": self.place}
        return members | ({"type": self.type} if self.type is not None else {"kind": str(self.kind)})


def button(site: Site, place: str, kind: str | None, type: str | None, source: str | None) -> Button:
    """Complete what was named from the site. `place` may leave the site's name out; an unknown one still
    rings, and the remark says so. Raises PressFailed for a type, source or unit nobody knows."""
    known = site.places.get(place) or site.places.get(f"{site.site}/{place}")
    if type is not None and type not in site.types:
        raise PressFailed(f'the site has no type "{type}"; it has {", ".join(site.types)}')
    if source is not None and source not in site.sources:
        raise PressFailed(f'the site has no source "{source}"; it has {", ".join(site.sources)}')
    chosen = site.sources[source] if source is not None else _source_for(site, known)
    if chosen is None:
        raise PressFailed("the site has no source; a press must come from one")
    remark = ""
    if known is None:
        unit = site.units.get(chosen.fallback_unit)
        name = unit.name if unit is not None else chosen.fallback_unit
        remark = f'the site has no place "{place}": the alarm goes to {name}'
    if type is not None:
        real = site.types[type].kind
    else:
        real = Kind(kind) if kind is not None else _usual_kind(known)
        # The site's own name brings label, sound and, for a team, its roles.
        type = next((t.id for t in site.types.values() if t.kind is real), None)
    return Button(chosen.id, known.path if known is not None else place, real, type, remark)


def _usual_kind(place: Place | None) -> Kind:
    return Kind.TOILET_CALL if place is not None and place.point == "wc" else Kind.PATIENT_CALL


def _source_for(site: Site, place: Place | None) -> SourceRules | None:
    """The plant that serves the place's unit, one that posts before one on a line; else any."""
    unit = place.unit if place is not None else None
    ranked = sorted(site.sources.values(), key=lambda s: (unit not in s.units, s.protocol != "http"))
    return ranked[0] if ranked else None


class Watch:
    """One press and what becomes of it, over HTTP."""

    def __init__(self, url: str, secret: str, say: Say) -> None:
        self._url, self._say = url, say
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._told = 0
        self._away = False

    async def press_until_accepted(self, button: Button) -> None:
        """Send it and watch until somebody accepts it or it ends. Raises PressFailed when it was not sent."""
        within = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
        async with aiohttp.ClientSession(headers=self._headers, timeout=within) as http:
            taken = await self._press(http, button)
            if button.remark:
                self._say(button.remark)
            self._say(f"alarm {taken['alarm']}: {'new' if taken.get('new') else 'was open already'}")
            while True:
                if await self._look(http, str(taken["alarm"])):
                    return
                await asyncio.sleep(LOOK_EVERY_S)

    async def _press(self, http: aiohttp.ClientSession, button: Button) -> dict[str, Any]:
        try:
            async with http.post(f"{self._url}/api/v1/signals", json=button.signal()) as answer:
                body = await _body(answer)
                if answer.status in (200, 201):
                    return body
                raise PressFailed(_refused(answer.status, body))
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise PressFailed(no_hub(self._url)) from exc

    async def _look(self, http: aiohttp.ClientSession, alarm: str) -> bool:
        """Tell what is new; True when there is nothing more to wait for."""
        try:
            async with http.get(f"{self._url}/api/v1/alarms/{alarm}") as answer:
                body = await _body(answer)
                if answer.status != 200:
                    return self._nothing_seen(f"the hub answers {answer.status}")
        except (aiohttp.ClientError, TimeoutError, OSError):
            return self._nothing_seen("the hub does not answer")
        self._away = False
        return self._tell(body["alarm"], body["timeline"])

    def _nothing_seen(self, why: str) -> bool:
        if not self._away:
            self._away = True
            self._say(f"{why}; still looking (Ctrl-C leaves the alarm as it is)")
        return False

    def _tell(self, alarm: dict[str, Any], timeline: list[dict[str, Any]]) -> bool:
        raised = datetime.fromisoformat(alarm["raised_at"])
        if self._told == 0:
            self._say(f"{alarm['type_label']} · {alarm['place_label']} · {alarm['priority']}")
        for entry in timeline[self._told :]:
            seconds = (datetime.fromisoformat(entry["at"]) - raised).total_seconds()
            for reason in entry["reasons"]:
                self._say(f"+{seconds:6.1f} s  {reason['text']}")
        self._told = len(timeline)
        if alarm["accepted_by"]:
            self._say("accepted by " + ", ".join(_acceptor(one, raised) for one in alarm["accepted_by"]))
            return True
        if alarm["phase"] in ("attended", "ended"):
            self._say(f"{alarm['phase']}, nobody accepted on a phone")
            return True
        return False


def _acceptor(taken: dict[str, Any], raised: datetime) -> str:
    seconds = (datetime.fromisoformat(taken["at"]) - raised).total_seconds()
    return f"{taken['name']} after {seconds:.1f} s"


async def reached(url: str) -> None:
    """Return if some hub answers at `url`; raises PressFailed otherwise."""
    within = aiohttp.ClientTimeout(total=ANSWER_WITHIN_S)
    try:
        async with aiohttp.ClientSession(timeout=within) as http, http.get(f"{url}/healthz"):
            return
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        raise PressFailed(no_hub(url)) from exc


def no_hub(url: str) -> str:
    """One line for a hub that is not there."""
    return f"no hub answers at {url}; start one with: alarmhub serve (or alarmhub demo)"


def _refused(status: int, body: dict[str, Any]) -> str:
    if status == 401:
        return "the hub does not know this data folder's secret; set ALARMHUB_DATABASE__DATA_DIR to the hub's"
    field = f" ({body['field']})" if body.get("field") else ""
    return f"the hub refused the press with {status}: {body.get('detail', 'no reason given')}{field}"


async def _body(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        body = await answer.json(content_type=None)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}
