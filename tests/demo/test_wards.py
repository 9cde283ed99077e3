"""Patients of the live demo press in words that their plant knows and the site maps."""

from __future__ import annotations

from typing import Any, cast

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.demo.ground import demo_site
from alarmhub.demo.stage import HOUSE, MEDICINE, SURGERY, HousePlant, Refused
from alarmhub.demo.wards import Pressed, Wards, words
from alarmhub.inbound.mapping import Telegram, map_telegram
from load.espa_plant import EspaPlant
from tests.demo.test_story import CALL

SITE = demo_site()


class Line:
    """An ESPA plant that only writes down."""

    def __init__(self) -> None:
        self.lamps: dict[tuple[str, str], object] = {}
        self.said: list[tuple[str, str, str]] = []

    async def call(self, address: str, text: str, *, priority: str) -> None:
        """A call."""
        self.said.append((address, text, priority))

    async def reset(self, address: str, text: str) -> None:
        """A reset."""
        self.said.append((address, text, "reset"))


class Post:
    """An HTTP plant that only writes down, or is refused."""

    def __init__(self, *, refused: bool = False) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.refused = refused

    async def send(self, event: str, ref: str, **members: Any) -> dict[str, Any]:
        """A signal."""
        if self.refused:
            raise Refused("no")
        self.said.append((event, ref, members))
        return {}


def wards(found: Alarm | None = None, *, refused: bool = False) -> tuple[Wards, Line, Post]:
    """Wards with one line and one HTTP plant."""
    line, post = Line(), Post(refused=refused)
    made = Wards(
        SITE,
        {MEDICINE: cast(EspaPlant, line), SURGERY: cast(EspaPlant, line)},
        {HOUSE: cast(HousePlant, post)},
        lambda id: found,
        lambda: 0,
    )
    return made, line, post


def test_what_a_plant_says_is_mapped_to_the_place_that_called() -> None:
    """Two hundred random presses: every ESPA text finds a place of the site, every HTTP place exists."""
    made, _, _ = wards()
    plants = set()
    for _ in range(200):
        pressed = made.wish()
        plants.add(pressed.plant)
        if pressed.plant == HOUSE:
            assert pressed.place in SITE.places and pressed.type in SITE.types
            continue
        telegram = Telegram(pressed.address, pressed.text, pressed.priority)
        [signal] = map_telegram(telegram, SITE.sources[pressed.plant], SITE)
        assert signal.place in SITE.places, (pressed, signal.mapped_by)

    assert plants == {MEDICINE, SURGERY, HOUSE}


def test_the_same_place_is_said_in_its_plants_own_words() -> None:
    """Medicine names the ward, surgery has the ward in the number."""
    medicine = SITE.places["fjallmark/201/12/2"]
    surgery = SITE.places["fjallmark/301/5/3"]

    assert words(SITE, medicine, "bed") == Pressed(MEDICINE, "2010", "201 Sal 12 Plats 2")
    assert words(SITE, surgery, "bed") == Pressed(SURGERY, "3010", "RUM 5 S3")
    assert words(SITE, SITE.places["fjallmark/IVA/1/1"], "bed") == Pressed(
        HOUSE, place="fjallmark/IVA/1/1", type="patientkallelse"
    )
    assert words(SITE, surgery, "assistance") is None
    assert words(SITE, SITE.places["fjallmark/vaxel/reception"], "bed") is None


async def test_a_press_goes_over_the_line_of_its_plant() -> None:
    """ESPA or HTTP; a refusal is not the patients' problem."""
    made, line, post = wards()
    await made.press(Pressed(MEDICINE, "2010", "201 Sal 12 WC", "3"))
    await made.press(Pressed(HOUSE, place="fjallmark/IVA/1/1", type="patientkallelse"))
    refused, _, _ = wards(refused=True)
    await refused.press(Pressed(HOUSE, place="fjallmark/IVA/1/1", type="patientkallelse"))

    assert line.said == [("2010", "201 Sal 12 WC", "3")]
    assert post.said[0][0] == "start" and post.said[0][2]["place"] == "fjallmark/IVA/1/1"


async def test_a_reset_names_the_call_as_its_plant_does() -> None:
    """By number and text over ESPA, by ref over HTTP; of what has ended nothing is said."""
    made, line, _ = wards(CALL)
    await made.reset(CALL.id)
    by_post, _, post = wards(replace(CALL, source=HOUSE, ref="r9", source_text=""))
    await by_post.reset(CALL.id)
    ended, quiet, _ = wards(None)
    await ended.reset(CALL.id)

    assert line.said == [("2010", "201 Sal 12 Plats 2", "reset")]
    assert post.said == [("end", "r9", {})]
    assert quiet.said == []


def test_lamps_of_an_earlier_run_are_lit_again() -> None:
    """So that a restart of the plant sends them too."""
    made, line, _ = wards()
    made.light(CALL)
    made.light(replace(CALL, source=HOUSE))

    assert list(line.lamps) == [("2010", "201 Sal 12 Plats 2")]
