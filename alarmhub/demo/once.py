"""`demo --once`: the scenario from beginning to end, in a minute and a half at most.

It plays the script against a whole hub on a database of its own, prints what happened and why, and judges.
Lost, early and doubled alarms are looked for in the stored log and in what phones received, not in what the
scenes say of themselves.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from alarmhub import logs
from alarmhub.core.alarm import Alarm
from alarmhub.core.reasons import Reason
from alarmhub.demo import calls, neighbours, urgent
from alarmhub.demo.ground import alone_in, data_folder, demo_site, fresh_database
from alarmhub.demo.stage import DATABASE, Stage, stage_settings
from alarmhub.demo.story import Expectation, Part, Scene, Teller, instant, play
from alarmhub.settings import Settings
from alarmhub.store.embedded import EmbeddedServer

WITHIN_S = 90.0
LOG_FILE = "demo-once.log"
OVERALL = "Over all scenes"

TUESDAY, SATURDAY = "2026-11-24", "2026-11-28"
SCRIPT = (
    Part("Two beds on one pager number", f"{TUESDAY} 10:00", calls.two_beds),
    Part("The phone in the locker", f"{TUESDAY} 10:40", calls.locker),
    Part("Presence, and no phone touched", f"{TUESDAY} 11:40", calls.presence),
    Part("One press over two call systems", f"{TUESDAY} 12:00", neighbours.two_systems),
    Part("A WC call with presence next door", f"{TUESDAY} 12:20", calls.wc_next_door),
    Part("A nurse call from a monitor, over HL7", f"{TUESDAY} 12:45", neighbours.monitor_call),
    Part("Accepted, then caught elsewhere", f"{TUESDAY} 13:00", urgent.caught_elsewhere),
    Part("A page from the switchboard, over SNPP", f"{TUESDAY} 13:35", neighbours.console_page),
    Part("An assault, the victim's phone silent", f"{TUESDAY} 13:50", urgent.assault),
    Part("A reset that fits two", f"{TUESDAY} 14:20", calls.reset_fits_two),
    Part("The plant restarts and sends again", f"{TUESDAY} 14:50", calls.plant_restarts),
    Part("A shift change with open alarms", f"{TUESDAY} 15:29:50", calls.shift_change),
    Part("PROV, interrupted by a real akutlarm", f"{TUESDAY} 17:00", urgent.drill),
    Part("A team with one role unfilled", f"{TUESDAY} 19:40", urgent.team_with_a_gap),
    Part("Declined while alone", f"{TUESDAY} 23:00", calls.declined_alone),
    Part("303 on a Saturday", f"{SATURDAY} 11:00", calls.closed_ward),
)


async def run_once(settings: Settings, script: tuple[Part, ...] = SCRIPT) -> bool:
    """Play the script, print it, and say whether everything was as it should be. Raises StartFailed,
    ServerFault, OSError when it cannot begin."""
    folder = data_folder(settings)
    with alone_in(folder, "once"), (folder / LOG_FILE).open("w", encoding="utf-8") as log:
        logs.configure(level="info", format="json", stream=log)
        return await _played(settings, folder, script)


async def _played(settings: Settings, folder: Path, script: tuple[Part, ...]) -> bool:
    began_at = time.monotonic()
    site = demo_site()
    teller = Teller(site)
    teller.line(f"{site.name}: the scenario. Log: {folder / LOG_FILE}")
    server = EmbeddedServer(folder)
    await server.start()
    try:
        dsn = await fresh_database(server, DATABASE)
        begins = instant(script[0].begins, site.zone)
        async with Stage(stage_settings(settings, str(folder), dsn), site, begins) as stage:
            teller.line(
                f"The hub serves; {len(stage.phones)} phones signed in; two ESPA lines, one HTTP plant, "
                "a monitor gateway (HL7), the switchboard's console (SNPP), a new call system (ESPA-X)."
            )
            expectations = [one for part in script for one in await _scene(part, stage, teller, script)]
            expectations += await _overall(stage)
    finally:
        await server.stop()
    took_s = time.monotonic() - began_at
    expectations.append(
        Expectation(
            OVERALL, f"the scenario takes less than {WITHIN_S:.0f} s", took_s < WITHIN_S, f"{took_s:.1f} s"
        )
    )
    teller.summary(expectations)
    held = sum(one.held for one in expectations)
    teller.line(f"{held} of {len(expectations)} expectations held, in {took_s:.1f} s.")
    return held == len(expectations)


async def _scene(part: Part, stage: Stage, teller: Teller, script: tuple[Part, ...]) -> list[Expectation]:
    teller.heading(script.index(part) + 1, part)
    known = {alarm.id for alarm in await _stored(stage)}
    scene: Scene = await play(part, stage)
    for alarm in sorted(await _stored(stage), key=lambda alarm: (alarm.raised_at, alarm.id)):
        if alarm.id not in known:
            found = await stage.app.store.alarm(alarm.id)
            assert found is not None
            teller.alarm(found[0], list(found[1]))
    for one in scene.expectations:
        if not one.held:
            teller.line(f"    NOT HELD: {one.text}: {one.detail}", "bold red")
    return scene.expectations


async def _stored(stage: Stage) -> list[Alarm]:
    """Every alarm the database holds."""
    found: list[Alarm] = []
    after = None
    while page := await stage.app.store.alarms(phase=None, units=None, source=None, limit=200, after=after):
        found += page
        after = page[-1].id
    return found


async def _overall(stage: Stage) -> list[Expectation]:
    """None lost, none early, none doubled: from the stored log, and from every frame every phone received."""
    stored = {alarm.id for alarm in await _stored(stage)}
    lost = [id for id in stage.pressed if id not in stored]
    early = stage.early + [line for id in sorted(stored) for line in await _early(stage, id)]
    doubled = _doubled(stage)
    reports = [
        Expectation(
            OVERALL, f"none of {len(stage.pressed)} acknowledged presses is lost", not lost, str(lost)
        ),
        Expectation(OVERALL, "every alarm has ended", not stage.open_alarms(), str(len(stage.open_alarms()))),
        Expectation(OVERALL, "nothing was passed on before its time", not early, "; ".join(early)),
        Expectation(OVERALL, "no phone was shown the same twice", not doubled, "; ".join(doubled)),
        Expectation(OVERALL, "the hub was never in doubt", not stage.app.crew.fatal.done()),
    ]
    return reports


async def _early(stage: Stage, id: str) -> list[str]:
    """Steps of an alarm that passed for want of an answer before the time their turn had announced."""
    found = await stage.app.store.alarm(id)
    assert found is not None
    announced: int | None = None
    early = []
    for entry in found[1]:
        for reason in msgspec.convert(entry.reasons or [], list[Reason]):
            if reason.code == "turn_started":
                at = reason.facts.get("next_step_at")
                announced = at if isinstance(at, int) else None
            waited = reason.code == "step_passed" and reason.facts.get("because") == "no_answer"
            if waited and announced is not None and entry.at < announced:
                early.append(f"{id} passed {announced - entry.at} ms early")
    return early


def _doubled(stage: Stage) -> list[str]:
    doubled = []
    for staff, phone in stage.phones.items():
        seen: set[tuple[object, object]] = set()
        for frame in phone.frames:
            if frame.get("type") == "alarm":
                key = (frame.get("id"), frame.get("rev"))
                if key in seen:
                    doubled.append(f"{staff}: {key[0]} rev {key[1]}")
                seen.add(key)
    return doubled
