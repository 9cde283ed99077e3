"""`press`: which button it is, and what it tells of the one alarm until somebody accepts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from alarmhub.core.kinds import Kind
from alarmhub.demo.ground import demo_site
from alarmhub.demo.stage import HOUSE, MEDICINE, Stage, until
from alarmhub.press import Button, PressFailed, Watch, button, no_hub, reached
from alarmhub.settings import local_secret
from tests.support.theatre import stage

SITE = demo_site()


def test_a_place_is_enough() -> None:
    """Its plant speaks, with what usually is called from there; the site's name may be left out."""
    assert button(SITE, "201/12/2", None, None, None) == Button(
        MEDICINE, "fjallmark/201/12/2", Kind.PATIENT_CALL, "patientkallelse"
    )
    assert button(SITE, "fjallmark/IVA/1/wc", None, None, None).kind is Kind.TOILET_CALL
    assert button(SITE, "IVA/1/1", None, None, None).source == HOUSE


def test_kind_type_and_source_can_be_named() -> None:
    """A type brings its kind."""
    heart = button(SITE, "201/12", None, "hjartlarm-vuxen", HOUSE)

    assert (heart.kind, heart.type, heart.source) == (Kind.TEAM, "hjartlarm-vuxen", HOUSE)
    assert button(SITE, "201/12", "emergency", None, None).type == "akutlarm"


def test_an_unknown_place_is_pressed_all_the_same_and_said() -> None:
    """It goes to the source's fallback unit."""
    pressed = button(SITE, "201/99", None, None, None)

    assert pressed.place == "201/99"
    assert pressed.remark == 'the site has no place "201/99": the alarm goes to Akutvårdsavdelningen'


@pytest.mark.parametrize(
    ("kind", "type_", "source", "says"),
    [(None, "grillning", None, 'no type "grillning"'), (None, None, "plant-9", 'no source "plant-9"')],
)
def test_what_nobody_knows_is_refused(
    kind: str | None, type_: str | None, source: str | None, says: str
) -> None:
    """With what there is."""
    with pytest.raises(PressFailed, match=says):
        button(SITE, "201/12/2", kind, type_, source)


def test_the_same_button_is_the_same_alarm_and_staff_end_it_where_they_may() -> None:
    """A button has no reset; an akutlarm is still ended by one only."""
    call = button(SITE, "201/12/2", None, None, None)
    akut = button(SITE, "201/12", "emergency", None, None)

    assert call.ref == button(SITE, "fjallmark/201/12/2", None, None, None).ref
    assert call.signal()["event"] == "once"
    assert akut.signal()["event"] == "start"
    assert len(Button("s", "p" * 300, Kind.DOOR, None).ref) == 128


def watch(ready: Stage, said: list[str], secret: str | None = None) -> Watch:
    """A watch on the stage's hub, with the local secret of its folder."""
    folder = ready.settings.database.folder()
    return Watch(
        f"http://127.0.0.1:{ready.app.api.port}", secret or local_secret(folder).reveal(), said.append
    )


async def test_it_tells_every_new_reason_until_somebody_accepts(database_dsn: str) -> None:
    """Rings, passes on, is accepted: each once, with the seconds since the press."""
    said: list[str] = []
    async with stage(database_dsn) as ready, asyncio.TaskGroup() as group:
        pressed = button(ready.site, "201/12/2", None, None, None)
        watching = group.create_task(watch(ready, said).press_until_accepted(pressed))
        await until(lambda: any("Det ringde hos Bengt Granberg" in line for line in said), "it rang")
        [alarm] = ready.open_alarms()
        await ready.deadline(alarm.id, "answer_at")
        await until(lambda: any("ingen svarade" in line for line in said), "it passed on")
        await ready.answers("anna.berglund", "accept", alarm.id)
        await asyncio.wait_for(watching, 10)

    assert said[0] == f"alarm {alarm.id}: new"
    assert said[1] == "Patientkallelse · sal 12 plats 2 · low"
    assert said[2].startswith("+   0.0 s  Larm från")
    assert any(line.startswith("+  45.0 s  ") for line in said)
    assert said[-1].startswith("accepted by Anna Berglund after 45.")
    assert len(said) == len(set(said))


async def test_an_alarm_that_ends_unanswered_ends_the_watch(database_dsn: str) -> None:
    """A door that nobody opens expires."""
    said: list[str] = []
    async with stage(database_dsn) as ready, asyncio.TaskGroup() as group:
        pressed = button(ready.site, "201/entre", "door", None, None)
        watching = group.create_task(watch(ready, said).press_until_accepted(pressed))
        await until(lambda: len(ready.open_alarms()) == 1, "it rings")
        await ready.passes(181)
        await asyncio.wait_for(watching, 10)

    assert said[-1] == "ended, nobody accepted on a phone"


async def test_a_secret_of_another_folder_is_said(database_dsn: str) -> None:
    """The usual mistake in a second terminal."""
    async with stage(database_dsn) as ready:
        with pytest.raises(PressFailed, match="ALARMHUB_DATABASE__DATA_DIR"):
            await watch(ready, [], "another").press_until_accepted(button(SITE, "201/12/2", None, None, None))


async def test_a_refusal_names_what_is_wrong(database_dsn: str) -> None:
    """The hub's own words, with the field."""
    async with stage(database_dsn) as ready:
        with pytest.raises(PressFailed, match=r"refused the press with 400.*source"):
            await watch(ready, []).press_until_accepted(Button("nobody", "x", Kind.DOOR, None))


async def test_without_a_hub_one_line_says_how_to_start_one() -> None:
    """Before anything else is looked at."""
    url = "http://127.0.0.1:9"

    with pytest.raises(PressFailed) as refused:
        await reached(url)

    assert str(refused.value) == no_hub(url)


async def test_a_hub_that_goes_away_is_waited_for(database_dsn: str, tmp_path: Path) -> None:
    """Said once; the watch goes on."""
    said: list[str] = []
    async with stage(database_dsn) as ready, asyncio.TaskGroup() as group:
        pressed = button(ready.site, "201/12/2", None, None, None)
        watching = group.create_task(watch(ready, said).press_until_accepted(pressed))
        await until(lambda: len(said) > 2, "it is told")
        await ready.app.api.stop()
        await until(lambda: any("still looking" in line for line in said), "its absence is told")
        assert not watching.done()
        watching.cancel()

    assert sum("still looking" in line for line in said) == 1
