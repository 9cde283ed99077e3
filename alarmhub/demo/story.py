"""How a scenario is told: scenes with expectations, each alarm's time line in plain words, a summary.

Headings are English, reasons in the site's language. It refuses to excuse: an expectation that did not hold,
a scene that broke off, an alarm that is lost, early or shown twice makes the story a failure.
"""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from alarmhub.core.alarm import Alarm
from alarmhub.core.reasons import Reason
from alarmhub.core.site import Site
from alarmhub.core.wording import phase_label, plain, type_label
from alarmhub.demo.stage import WITHIN_S, NotInTime, Stage, until
from alarmhub.ports import TimelineEntry

NARROWEST = 118
"""Columns when not on a terminal."""
NARROWEST_TEXT = 40


class Expectation(msgspec.Struct):
    """What was expected, and what came of it."""

    scene: str
    text: str
    held: bool
    detail: str = ""


class Scene:
    """One scene while it is played, and what was expected of it."""

    def __init__(self, title: str, *, within_s: float = WITHIN_S) -> None:
        self.title, self._within_s = title, within_s
        self.expectations: list[Expectation] = []

    async def expect(self, text: str, seen: Callable[[], object], detail: Callable[[], str] = str) -> None:
        """`seen()` becomes true in time."""
        try:
            await until(seen, text, self._within_s)
        except NotInTime as missed:
            self.note(text, False, detail() or str(missed))
        else:
            self.note(text, True)

    def holds(self, text: str, held: object, detail: str = "") -> None:
        """True now: for what must not have happened, once everything has come to rest."""
        self.note(text, bool(held), detail)

    def note(self, text: str, held: bool, detail: str = "") -> None:
        """Write an expectation down."""
        self.expectations.append(Expectation(self.title, text, held, "" if held else detail))


Play = Callable[[Scene, Stage], Awaitable[None]]


class Part(msgspec.Struct, frozen=True):
    """One scene of the script. `begins`: local time, "2026-11-24 10:00"."""

    title: str
    begins: str
    play: Play


def instant(text: str, zone: str) -> int:
    """Epoch ms of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


async def play(part: Part, stage: Stage) -> Scene:
    """Play one scene. What breaks it off is a failed expectation, never an exception."""
    scene = Scene(part.title)
    try:
        await stage.clock_to(instant(part.begins, stage.site.zone))
        await part.play(scene, stage)
        await stage.calm()
    except (AssertionError, OSError, TimeoutError) as broke:
        scene.note("the scene is played to its end", False, f"{type(broke).__name__}: {broke}")
    still = [f"{a.kind} {a.place} {a.phase}" for a in stage.open_alarms()]
    if still:
        scene.note("every alarm of the scene has ended", False, ", ".join(still))
    return scene


def told(alarm: Alarm, entries: Iterable[TimelineEntry]) -> Iterator[tuple[float, Reason]]:
    """The reasons of a time line with the seconds since the alarm began; phones that rang one after the
    other are told in one sentence."""
    rang: list[str] = []
    rang_s = 0.0
    for entry in entries:
        seconds = (entry.at - alarm.raised_at) / 1000
        for reason in msgspec.convert(entry.reasons or [], list[Reason]):
            if reason.code == "rang":
                rang_s = rang_s if rang else seconds
                rang.append(str(reason.facts.get("staff")))
                continue
            if rang:
                yield rang_s, Reason("rang", {"staff": rang})
                rang = []
            yield seconds, reason
    if rang:
        yield rang_s, Reason("rang", {"staff": rang})


class Teller:
    """Prints the story. `console`: where; wide enough for sentences when it is no terminal."""

    def __init__(self, site: Site, console: Console | None = None) -> None:
        self._site = site
        self._zone = ZoneInfo(site.zone)
        self.console = console or Console(soft_wrap=False)
        if console is None and not self.console.is_terminal:
            self.console = Console(width=NARROWEST, no_color=True, highlight=False)

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line, as it is."""
        self.console.print(escape(text), style=style, highlight=False)

    def heading(self, number: int, part: Part) -> None:
        """The scene's title and when it plays."""
        begins = datetime.fromisoformat(part.begins)
        self.line()
        self.line(f"{number:>2}  {part.title}  ({begins:%a %d %b %H:%M})", "bold")

    def alarm(self, alarm: Alarm, entries: list[TimelineEntry]) -> None:
        """An alarm's time line, every reason in plain words."""
        place = self._site.places.get(alarm.place)
        unit = self._site.units.get(alarm.unit)
        label = type_label(alarm.type, self._site.language, self._site)
        where = ", ".join(
            part for part in (place.label if place else alarm.place, unit.name if unit else "") if part
        )
        raised = datetime.fromtimestamp(alarm.raised_at / 1000, self._zone)
        words = f' "{alarm.source_text}"' if alarm.source_text else ""
        self.line(f"    {label} · {where}{words} · {raised:%H:%M:%S}", "cyan")
        for seconds, reason in told(alarm, entries):
            self._wrapped(f"    +{seconds:7.1f} s  ", plain(reason, self._site.language, self._site))
        self.line(f"    {'':10}  → {phase_label(alarm.phase, self._site.language)}", "dim")

    def _wrapped(self, head: str, text: str) -> None:
        room = max(NARROWEST_TEXT, self.console.width - len(head) - 1)
        for number, line in enumerate(textwrap.wrap(text, room) or [""]):
            before = f"[dim]{head}[/]" if number == 0 else " " * len(head)
            self.console.print(f"{before}{escape(line)}", highlight=False)

    def summary(self, expectations: list[Expectation]) -> None:
        """All expectations, and whether they held."""
        table = Table(title="Expectations", title_justify="left", show_lines=False)
        table.add_column("Scene", no_wrap=False, max_width=30)
        table.add_column("Expected", ratio=1)
        table.add_column("Held", justify="center")
        last = ""
        for one in expectations:
            text = one.text if one.held else f"{one.text}\n  {one.detail}"
            style = None if one.held else "bold red"
            scene = "" if one.scene == last else one.scene
            if scene and last:
                table.add_section()
            table.add_row(escape(scene), escape(text), "yes" if one.held else "NO", style=style)
            last = one.scene
        self.line()
        self.console.print(table)
