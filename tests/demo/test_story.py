"""How the scenario is told and judged."""

from __future__ import annotations

import io
from typing import cast

import msgspec
from rich.console import Console

from alarmhub.core.alarm import Alarm, Phase
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.reasons import Reason
from alarmhub.demo.ground import demo_site
from alarmhub.demo.stage import Refused, Stage
from alarmhub.demo.story import Expectation, Part, Scene, Teller, instant, play, told
from alarmhub.ports import TimelineEntry

RAISED_AT = instant("2026-11-24 10:00", "Europe/Stockholm")
CALL = Alarm(
    id="a1", source="plant-201", key="k", ref="2010", kind=Kind.PATIENT_CALL, type="patientkallelse",
    priority=Priority.LOW, place="fjallmark/201/12/2", unit="201", raised_at=RAISED_AT, at=RAISED_AT,
    policy="p", policy_version=1, source_text="201 Sal 12 Plats 2", phase=Phase.ENDED,
)  # fmt: skip


def entry(seconds: float, *reasons: Reason) -> TimelineEntry:
    """A stored decision."""
    at = RAISED_AT + round(seconds * 1000)
    return TimelineEntry("e", 1, at, at, "t", "ringing", {}, msgspec.to_builtins(reasons), "r")


def teller() -> tuple[Teller, io.StringIO]:
    """One that writes into a string."""
    out = io.StringIO()
    return Teller(demo_site(), Console(file=out, width=100, no_color=True)), out


class EmptyStage:
    """A stage on which time passes and nothing is open."""

    def __init__(self) -> None:
        self.site = demo_site()
        self.at: list[int] = []

    async def clock_to(self, at: int) -> None:
        """Remembered."""
        self.at.append(at)

    async def calm(self) -> None:
        """It is."""

    def open_alarms(self) -> list[Alarm]:
        """None."""
        return []


def test_a_local_time_is_an_instant() -> None:
    """Ten in the morning in winter is nine o'clock UTC."""
    assert instant("2026-11-24 10:00", "Europe/Stockholm") == 1_795_510_800_000


async def test_what_comes_true_in_time_held_and_what_does_not_has_a_detail() -> None:
    """Both are written down."""
    scene = Scene("S", within_s=0.02)

    await scene.expect("good", lambda: True)
    await scene.expect("bad", lambda: False, lambda: "because")
    await scene.expect("silent", lambda: False)
    scene.holds("now", [1])

    assert [(one.text, one.held) for one in scene.expectations] == [
        ("good", True), ("bad", False), ("silent", False), ("now", True),
    ]  # fmt: skip
    assert scene.expectations[1].detail == "because"
    assert "not within" in scene.expectations[2].detail


async def test_a_scene_that_breaks_off_is_a_failed_expectation() -> None:
    """The other scenes are played all the same."""

    async def breaks(scene: Scene, stage: Stage) -> None:
        scene.holds("begun", True)
        raise Refused("the hub answered no")

    stage = EmptyStage()
    scene = await play(Part("Broken", "2026-11-24 10:00", breaks), cast(Stage, stage))

    assert stage.at == [RAISED_AT]
    assert [one.held for one in scene.expectations] == [True, False]
    assert scene.expectations[1].detail == "Refused: the hub answered no"


def test_phones_that_rang_one_after_the_other_are_one_sentence() -> None:
    """Between other reasons they stay apart."""
    entries = [
        entry(0, Reason("rang", {"staff": "bengt.granberg"})),
        entry(0.1, Reason("rang", {"staff": "gustav.frisk"})),
        entry(2, Reason("accepted", {"staff": "bengt.granberg"})),
        entry(3, Reason("rang", {"staff": "karin.dahlin"})),
    ]

    assert [(seconds, reason.code, reason.facts["staff"]) for seconds, reason in told(CALL, entries)] == [
        (0.0, "rang", ["bengt.granberg", "gustav.frisk"]),
        (2.0, "accepted", "bengt.granberg"),
        (3.0, "rang", ["karin.dahlin"]),
    ]


def test_a_time_line_is_plain_swedish_with_seconds_since_the_press() -> None:
    """Place, the plant's own words, and each reason."""
    said, out = teller()

    said.alarm(CALL, [entry(1.3, Reason("accepted", {"staff": "bengt.granberg", "role": ""}))])

    text = out.getvalue()
    assert 'Patientkallelse · sal 12 plats 2, Medicin 201 "201 Sal 12 Plats 2" · 10:00:00' in text
    assert "+    1.3 s  Bengt Granberg tar det." in text
    assert "→ avslutat" in text


def test_brackets_in_a_plants_words_are_shown_as_they_are() -> None:
    """Nothing a plant sends styles our output."""
    said, out = teller()

    said.alarm(msgspec.structs.replace(CALL, source_text="[red]SAL[/] [bold"), [])

    assert "[red]SAL[/] [bold" in out.getvalue()


def test_the_summary_names_what_did_not_hold() -> None:
    """Held or not, with the detail, under the scene's title once."""
    said, out = teller()

    said.summary([Expectation("One", "rings", True), Expectation("One", "ends", False, "it rings still")])

    text = out.getvalue()
    assert text.count("One") == 1
    assert "yes" in text and "NO" in text and "it rings still" in text
