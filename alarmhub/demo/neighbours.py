"""Scenes with other neighbours: a monitor gateway (HL7), the switchboard's console (SNPP), and a new call
system (ESPA-X) beside the old plant.

Each asks the same three things: the right phones ring, the positive answer came after the commit, and the
sender is told in its own words who takes it. They refuse to look inside the hub for what a phone, the
database or the sender can be asked.
"""

from __future__ import annotations

import asyncio

from alarmhub.demo.stage import CONSOLE, MONITORS, NEW_205, NEW_USER, NEW_WORD, WITHIN_S, Stage
from alarmhub.demo.story import Scene
from load.espax_client import SUCCESS, EspaxClient
from load.hl7_monitor import Alert
from load.snpp_console import Reply, SnppConsole

ASK_AGAIN_S = 0.05
"""A console's patience between two questions; a real one waits longer."""


async def two_systems(scene: Scene, stage: Stage) -> None:
    """205 has a new call system beside the old one; a press at bed 6:2 comes over both."""
    port, team = stage.app.lines.port(NEW_205), ("carina.akesson", "daniel.renstrom")
    async with EspaxClient("127.0.0.1", port, NEW_USER, NEW_WORD) as new:
        call = await stage.calls(stage.medicine, "2050", "205 Sal 6 Plats 2")
        await stage.passes(2)
        answer = await new.start("205-1", TEXTMSG="205 rum 6 plats 2", GROUPID="2050")
        await stage.calm()
        scene.holds("the new system is told that the call runs", answer.code in SUCCESS, str(answer))
        here = [alarm.id for alarm in stage.open_alarms() if alarm.place.endswith("/205/6/2")]
        scene.holds("both are one alarm", here == [call], str(here))
        scene.holds("which rings its care team", all(stage.rings(who, call) for who in team))
        await stage.answers(team[0], "accept", call)
        await scene.expect(
            "the new system hears that somebody accepted",
            lambda: "Accepted" in new.processes["205-1"].results,
            lambda: str(new.processes["205-1"].results),
        )
        await stage.answers(team[0], "attend", call)
        await stage.resets(stage.medicine, "2050", "205 Sal 6 Plats 2")
        scene.holds("the reset over the old one ends it", stage.open_alarm(call) is None)
        await scene.expect("and the new one hears its end", lambda: "205-1" not in new.running)


async def monitor_call(scene: Scene, stage: Stage) -> None:
    """Somebody presses the call button on the monitor of 203, room 6, bed 2; no patient is named."""
    monitor, team = stage.monitor, ("rasmus.frisk", "waleed.karlberg")
    before = await stage.stored_of(MONITORS)
    answer = await monitor.report(Alert("MON-6-2", place="203^6^2", text="Patientkallelse"))
    call = await stage.has_stored(MONITORS, before)
    scene.holds("CA is answered, and the database has the call by then", answer.code == "CA", answer.code)
    scene.holds(
        "the place is the bed, from PV1-3 alone",
        stage.must(call).place.endswith("/203/6/2"),
        stage.must(call).place,
    )
    scene.holds("its care team rings", all(stage.rings(who, call) for who in team))
    scene.holds("and nobody else", not stage.ever_shown("petra.forsberg", call))
    await stage.answers("waleed.karlberg", "accept", call)
    await scene.expect(
        "PCD-05 tells the gateway who accepted",
        lambda: any(
            (told.status, told.recipient) == ("ACCEPTED", "waleed.karlberg") for told in monitor.statuses
        ),
        lambda: str([(told.status, told.recipient) for told in monitor.statuses]),
    )
    await stage.answers("waleed.karlberg", "attend", call)
    ended = await monitor.report(Alert("MON-6-2", place="203^6^2", text="Patientkallelse", phase="end"))
    await stage.calm()
    scene.holds(
        "the reset on the monitor ends it", ended.code == "CA" and stage.open_alarm(call) is None, ended.code
    )


async def console_page(scene: Scene, stage: Stage) -> None:
    """The switchboard pages 2011, as it did with the old transmitter: team blue of 201."""
    team, others = ("anna.berglund", "karin.dahlin"), ("bengt.granberg", "gustav.frisk", "petra.lidman")
    async with SnppConsole("127.0.0.1", stage.app.lines.port(CONSOLE)) as console:
        before = await stage.stored_of(CONSOLE)
        sent = await console.page_two_way(["2011"], "Ring 4711, anhöriga till sal 3")
        page = await stage.has_stored(CONSOLE, before)
        scene.holds(
            "SEND is answered 960, and the database has the page by then", sent.code == 960, str(sent)
        )
        scene.holds("2011 rings team blue", all(stage.rings(who, page) for who in team))
        scene.holds("and nobody of team green", not any(stage.ever_shown(who, page) for who in others))
        delivered = await _told(console, sent, 880)
        scene.holds("MSTA says delivered once a phone rang", delivered.code == 880, str(delivered))
        await stage.answers("karin.dahlin", "accept", page)
        await scene.expect(
            "Karin takes it, Anna falls silent", lambda: stage.shown("anna.berglund", page) is None
        )
        taken = await _told(console, sent, 889)
        scene.holds("MSTA says who accepted", taken.code == 889 and "Karin Dahlin" in taken.text, str(taken))
        await stage.answers("karin.dahlin", "done", page)
        scene.holds("her Klar ends it: a page has no reset", stage.open_alarm(page) is None)


async def _told(console: SnppConsole, sent: Reply, code: int) -> Reply:
    """Ask what became of a page until it is this, or time is up; the last answer."""
    answer = await console.status(sent)
    try:
        async with asyncio.timeout(WITHIN_S):
            while answer.code != code:
                await asyncio.sleep(ASK_AGAIN_S)
                answer = await console.status(sent)
    except TimeoutError:
        pass
    return answer
