"""The patients of the live demo: calls at random places, in the words of the plant that serves the place.

Three plants: two on ESPA lines, one over HTTP. They light lamps, put them out, and send them again after a
restart. The module refuses to know what the hub makes of a call.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from alarmhub.core.alarm import Alarm
from alarmhub.core.site import Place, Site
from alarmhub.demo.stage import HOUSE, MEDICINE, SURGERY, HousePlant, Refused
from load.espa_plant import Call, EspaPlant

MEAN_GAP_S: Final = 5.0
FIRST_AFTER_S: Final = 1.0
OPEN_MOST: Final = 14
"""With so many open the patients wait: the table should stay readable."""
WISHES: Final = (("bed", 60), ("wc", 18), ("assistance", 6), ("akut", 3), ("door", 5), ("heart", 1))


class Pressed(Struct, frozen=True):
    """One press: which plant says it, and in which words (or, over HTTP, of which type at which place)."""

    plant: str
    address: str = ""
    text: str = ""
    priority: str = "3"
    place: str = ""
    type: str = ""


def words(site: Site, place: Place, wish: str) -> Pressed | None:
    """How the plant that serves this place would say it; None when it cannot."""
    unit = place.unit
    if unit in site.sources[HOUSE].units:
        types = {"bed": "patientkallelse", "wc": "wc-kallelse", "akut": "akutlarm", "assistance": "assistans"}
        type_ = types.get(wish)
        return None if type_ is None else Pressed(HOUSE, place=place.path, type=type_)
    room, _, point = place.path.split("/", 2)[2].partition("/")
    if unit in site.sources[SURGERY].units:
        says = {"bed": f"RUM {room} S{point}", "wc": f"RUM {room} WC", "akut": f"RUM {room} AKUT"}.get(wish)
        return None if says is None else Pressed(SURGERY, f"{unit}0", says, _priority(wish))
    if unit not in site.sources[MEDICINE].units:
        return None
    says = {
        "bed": f"{unit} Sal {room} Plats {point}",
        "wc": f"{unit} Sal {room} WC",
        "assistance": f"{unit} Sal {room} ASSISTANS",
        "akut": f"{unit} Sal {room} AKUTLARM",
        "heart": f"HJÄRTLARM VUXEN {unit} Sal {room}",
        "door": f"{unit} Entré",
    }.get(wish)
    if says is None:
        return None
    number = "9001" if wish == "heart" else f"2{unit[1:]}0" if unit.startswith("2") else f"{unit}0"
    number = "2000" if unit == "AVA" and wish != "heart" else number
    return Pressed(MEDICINE, number, says, _priority(wish))


def _priority(wish: str) -> str:
    return "1" if wish in ("akut", "heart") else "3"


class Wards:
    """Patients who press, and the plants that pass it on."""

    def __init__(
        self, site: Site, lines: dict[str, EspaPlant], posts: dict[str, HousePlant],
        find: Callable[[str], Alarm | None], count_open: Callable[[], int], *, spared: str = "",
        seed: int = 1,
    ) -> None:  # fmt: skip
        """`lines`: ESPA plants by source; `posts`: every source's way over HTTP; `find`: an open alarm;
        `spared`: the bed that nobody presses but who watches the demo."""
        self._site, self._lines, self._posts = site, lines, posts
        self._find, self._count_open = find, count_open
        self._random = random.Random(f"wards {seed}")
        self._number = 0
        beds = [p for p in site.places.values() if p.point == "bed" and p.path != spared]
        self._places = {
            "bed": beds,
            "wc": [p for p in site.places.values() if p.path.endswith("/wc")],
            "door": [p for p in site.places.values() if p.path.endswith("/entre")],
        }

    async def press_for_ever(self) -> None:
        """Calls at random places, at random times."""
        wait_s = FIRST_AFTER_S
        while True:
            await asyncio.sleep(wait_s)
            wait_s = self._random.expovariate(1 / MEAN_GAP_S)
            if self._count_open() < OPEN_MOST:
                await self.press(self.wish())

    def wish(self) -> Pressed:
        """What somebody presses next."""
        while True:
            [wish] = self._random.choices([w for w, _ in WISHES], [n for _, n in WISHES])
            place = self._random.choice(self._places.get(wish, self._places["bed"]))
            pressed = words(self._site, place, wish)
            if pressed is not None:
                return pressed

    async def press(self, pressed: Pressed) -> None:
        """One press; a refusal is the hub's answer and ends nothing here."""
        line = self._lines.get(pressed.plant)
        if line is not None:
            await line.call(pressed.address, pressed.text, priority=pressed.priority)
            return
        self._number += 1
        try:
            await self._posts[pressed.plant].send(
                "start", f"{pressed.place} {pressed.type}", place=pressed.place, type=pressed.type
            )
        except Refused:
            return

    async def reset(self, alarm: str) -> None:
        """Somebody presses the reset in the room."""
        found = self._find(alarm)
        if found is None:
            return
        line = self._lines.get(found.source)
        if line is not None and found.source_text:
            await line.reset(found.ref, found.source_text)
        elif found.source in self._posts:
            try:
                await self._posts[found.source].send("end", found.ref)
            except Refused:
                return

    def light(self, alarm: Alarm) -> None:
        """The lamp of an alarm that is open from an earlier run."""
        line = self._lines.get(alarm.source)
        if line is not None and alarm.source_text:
            line.lamps[(alarm.ref, alarm.source_text)] = Call(alarm.ref, alarm.source_text)
