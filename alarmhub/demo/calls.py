"""Scenes with calls of patients: shared numbers, presence, a lone nurse, shift changes, a closed ward.

Each scene tells one of ward.md's awkward cases with the people and plants of the demo site. They refuse to
look inside the hub where a phone or a plant can be asked instead.
"""

from __future__ import annotations

from functools import partial

from alarmhub.core.alarm import Flag, Phase
from alarmhub.demo.stage import Stage
from alarmhub.demo.story import Scene


def _all_ring(stage: Stage, people: tuple[str, ...], alarm: str) -> bool:
    return all(stage.rings(who, alarm) for who in people)


RESTART_DARK_S = 1.3
"""Longer than the repeat window: what is sent again after it is a repeat, not the same press."""


async def two_beds(scene: Scene, stage: Stage) -> None:
    """Two beds share pager number 2010 and call a second apart."""
    plant = stage.medicine
    first = await stage.calls(plant, "2010", "201 Sal 12 Plats 1")
    await stage.passes(1)
    second = await stage.calls(plant, "2010", "201 Sal 12 Plats 2")
    await scene.expect(
        "two alarms, each with its own bed, ring at the care team",
        lambda: all(
            stage.rings(who, a) for who in ("bengt.granberg", "gustav.frisk") for a in (first, second)
        ),
    )
    shown = stage.shown("bengt.granberg", second)
    scene.holds(
        "the phone shows the plant's own words beside the place",
        shown is not None
        and shown.source_text == "201 Sal 12 Plats 2"
        and shown.place == "fjallmark/201/12/2",
    )
    await stage.heard(plant, "2010", "3")
    scene.holds(
        "the plant is told that a phone rang, and no more", all(s.call_status == "3" for s in plant.statuses)
    )
    await stage.answers("bengt.granberg", "accept", first)
    await scene.expect(
        "taking one silences that one for the other nurse, and only that one",
        lambda: not stage.rings("gustav.frisk", first) and stage.rings("gustav.frisk", second),
    )
    await stage.answers("bengt.granberg", "attend", first)
    await stage.resets(plant, "2010", "201 Sal 12 Plats 1")
    scene.holds(
        "the reset of bed 1 ends bed 1 alone",
        stage.open_alarm(first) is None and stage.open_alarm(second) is not None,
    )
    await stage.answers("bengt.granberg", "attend", second)
    await stage.resets(plant, "2010", "201 Sal 12 Plats 2")


async def locker(scene: Scene, stage: Stage) -> None:
    """Gustav's phone lies in his locker: it rings, and nobody ever touches it."""
    plant, helpers = stage.medicine, ("karin.dahlin", "petra.lidman")
    for room, helper in zip((9, 10), helpers, strict=True):
        words = f"201 Sal {room} Plats 1"
        call = await stage.calls(plant, "2012", words)
        await stage.looks("bengt.granberg", call)  # who has his hands full, but looks
        await stage.deadline(call, "answer_at")
        await scene.expect(
            f"room {room}: after 45 s without an answer the whole ward rings",
            partial(_all_ring, stage, (helper, "anna.berglund"), call),
        )
        await stage.answers(helper, "attend", call)
        await stage.resets(plant, "2012", words)
        await stage.passes(120)
    third = await stage.calls(plant, "2012", "201 Sal 11 Plats 1")
    await scene.expect(
        "the third call rings the locker's phone and the next step together",
        lambda: all(
            stage.rings(who, third)
            for who in ("gustav.frisk", "bengt.granberg", "anna.berglund", "karin.dahlin", "petra.lidman")
        ),
    )
    scene.holds("… in its first turn, without waiting", stage.must(third).turn == 1)
    notice = next((a for a in stage.open_alarms() if a.type == "untouched_phone"), None)
    scene.holds(
        "the shift leader is asked to look after that phone",
        notice is not None and stage.rings("anna.berglund", notice.id),
    )
    await stage.answers("karin.dahlin", "attend", third)
    await stage.resets(plant, "2012", "201 Sal 11 Plats 1")
    if notice is not None:
        await stage.answers("anna.berglund", "accept", notice.id)
        await stage.answers("anna.berglund", "done", notice.id)


async def presence(scene: Scene, stage: Stage) -> None:
    """A nurse walks in and presses presence; no phone is touched."""
    plant, team = stage.medicine, ("karin.sjodin", "maria.lidman")
    call = await stage.calls(plant, "2020", "202 Sal 9 Plats 1")
    scene.holds("the care team rings", all(stage.rings(who, call) for who in team))
    await stage.passes(12)
    await stage.says(plant, "2020", "202 Sal 9 NÄRVARO")
    alarm = stage.must(call)
    scene.holds(
        "presence in the room attends the call",
        alarm.phase is Phase.ATTENDED and Flag.PRESENCE in alarm.flags,
    )
    await scene.expect("and stops both phones", lambda: not any(stage.rings(who, call) for who in team))
    scene.holds(
        "nobody has answered on a phone", not alarm.acceptances and not any(t.seen_at for t in alarm.told)
    )
    await stage.passes(120)
    await stage.resets(plant, "2020", "202 Sal 9 Plats 1")
    await stage.says(plant, "2020", "202 Sal 9 NÄRVARO SLUT")
    scene.holds("the reset in the room ends it", stage.open_alarm(call) is None)


async def wc_next_door(scene: Scene, stage: Stage) -> None:
    """A call from a WC while somebody is present in the room, and in the room next door."""
    plant, team = stage.medicine, ("rasmus.frisk", "waleed.karlberg")
    call = await stage.calls(plant, "2030", "203 Sal 6 WC", priority="2")
    await stage.says(plant, "2030", "203 Sal 7 NÄRVARO")
    await stage.says(plant, "2030", "203 Sal 6 NÄRVARO")
    scene.holds(
        "presence next door, or by the bed, attends no WC call", stage.must(call).phase is Phase.RINGING
    )
    scene.holds("the care team goes on ringing", all(stage.rings(who, call) for who in team))
    await stage.deadline(call, "answer_at")
    await scene.expect(
        "after 30 s the rest of the ward rings too", lambda: stage.rings("petra.forsberg", call)
    )
    await stage.answers("petra.forsberg", "accept", call)
    await scene.expect(
        "one takes it, the others fall silent", lambda: not any(stage.rings(who, call) for who in team)
    )
    await stage.answers("petra.forsberg", "attend", call)
    await stage.resets(plant, "2030", "203 Sal 6 WC")
    scene.holds("the reset in the WC ends it", stage.open_alarm(call) is None)
    for room in (6, 7):
        await stage.says(plant, "2030", f"203 Sal {room} NÄRVARO SLUT")


async def reset_fits_two(scene: Scene, stage: Stage) -> None:
    """Two beds of a room call; the reset names the room only."""
    plant = stage.medicine
    beds = ("202 Sal 10 Plats 1", "202 Sal 10 Plats 2")
    calls = [await stage.calls(plant, "2022", words) for words in beds]
    await stage.answers("karin.sjodin", "accept", calls[0])
    await stage.resets(plant, "2022", "202 Sal 10")
    open_still = [stage.open_alarm(call) for call in calls]
    scene.holds("a reset that fits two closes none", all(open_still))
    scene.holds("and both say so", all(a is not None and Flag.RESET_UNCLEAR in a.flags for a in open_still))
    await scene.expect("the other bed rings on", lambda: stage.rings("maria.lidman", calls[1]))
    await stage.answers("maria.lidman", "accept", calls[1])
    for who, call, words in zip(("karin.sjodin", "maria.lidman"), calls, beds, strict=True):
        await stage.answers(who, "attend", call)
        await stage.resets(plant, "2022", words)
        scene.holds(f"the reset that names the bed closes it: {words[8:]}", stage.open_alarm(call) is None)


async def plant_restarts(scene: Scene, stage: Stage) -> None:
    """The plant loses its power, comes back, and sends all its lamps again."""
    plant = stage.medicine
    taken = await stage.calls(plant, "2040", "204 Sal 3 Plats 1")
    ringing = await stage.calls(plant, "2041", "204 Sal 8 Plats 1")
    await stage.answers("ulf.stenmark", "accept", taken)
    before = {call: (stage.must(call).turn, stage.must(call).count) for call in (taken, ringing)}
    opened = len(stage.open_alarms())
    await stage.passes(6)
    await plant.restart(RESTART_DARK_S)
    await scene.expect(
        "both lamps came again and were counted",
        lambda: all(stage.must(call).count == before[call][1] + 1 for call in (taken, ringing)),
    )
    scene.holds("they are the same alarms, and no others", len(stage.open_alarms()) == opened)
    scene.holds(
        "what was taken stays taken and rings nobody",
        stage.must(taken).phase is Phase.ACCEPTED and not stage.rings("asa.fjallstrom", taken),
    )
    scene.holds("what rang goes on in the same turn", stage.must(ringing).turn == before[ringing][0])
    await stage.answers("ulf.stenmark", "attend", taken)
    await stage.resets(plant, "2040", "204 Sal 3 Plats 1")
    await stage.answers("ylva.tegner", "attend", ringing)
    await stage.resets(plant, "2041", "204 Sal 8 Plats 1")


async def shift_change(scene: Scene, stage: Stage) -> None:
    """At half past three the day goes home; one call is taken by somebody of the day, one rings."""
    plant = stage.medicine
    taken = await stage.calls(plant, "2011", "201 Sal 5 Plats 1")
    ringing = await stage.calls(plant, "2021", "202 Sal 5 Plats 1")
    await stage.answers("karin.dahlin", "accept", taken)
    scene.holds(
        "while they overlap, day and evening ring",
        all(stage.rings(who, ringing) for who in ("lars.almgren", "nils.vallin", "olga.norrman")),
    )
    await stage.passes(10)
    await scene.expect(
        "Karin has gone home without arriving: her call rings the evening's people",
        lambda: all(stage.rings(who, taken) for who in ("jonas.rosen", "sara.hagg")),
    )
    scene.holds(
        "and nobody of the day, herself included",
        not any(stage.rings(who, taken) for who in ("karin.dahlin", "anna.berglund")),
    )
    await scene.expect(
        "the ringing call lets go of the day", lambda: stage.shown("lars.almgren", ringing) is None
    )
    scene.holds(
        "and keeps the evening", all(stage.rings(who, ringing) for who in ("nils.vallin", "olga.norrman"))
    )
    await stage.answers("sara.hagg", "attend", taken)
    await stage.answers("olga.norrman", "attend", ringing)
    await stage.resets(plant, "2011", "201 Sal 5 Plats 1")
    await stage.resets(plant, "2021", "202 Sal 5 Plats 1")


async def declined_alone(scene: Scene, stage: Stage) -> None:
    """Nils is alone on 205 at night and has a patient on the toilet."""
    plant = stage.medicine
    call = await stage.calls(plant, "2050", "205 Sal 5 Plats 1")
    shown = stage.shown("nils.wiklund", call)
    scene.holds(
        "his phone offers Kommer strax instead of Kan inte",
        shown is not None and "hold" in shown.can and "decline" not in shown.can,
    )
    await stage.passes(4)
    await stage.answers("nils.wiklund", "decline", call)
    await scene.expect(
        "a decline counts as Kommer strax: cover from 204 rings at once",
        lambda: all(stage.rings(who, call) for who in ("amina.nyberg", "bjorn.agren")),
    )
    scene.holds("he still has the call on his phone", stage.shown("nils.wiklund", call) is not None)
    await stage.answers("bjorn.agren", "accept", call)
    await stage.passes(60)
    await stage.answers("bjorn.agren", "attend", call)
    await stage.resets(plant, "2050", "205 Sal 5 Plats 1")


async def closed_ward(scene: Scene, stage: Stage) -> None:
    """303 is closed at the weekend, and a bed there is used all the same. Its plant never sends resets."""
    team = ("greta.berglund", "henrik.granberg", "ida.bjorkman")
    call = await stage.calls(stage.surgery, "3030", "RUM 2 S1", lamp=False)
    await scene.expect("301 answers for 303", lambda: all(stage.rings(who, call) for who in team))
    scene.holds("at once, as for its own beds", stage.must(call).step == 0 and stage.must(call).turn == 1)
    scene.holds(
        "and nobody of 303 is woken",
        not any(stage.ever_shown(who, call) for who in ("ulrika.vallin", "viktor.norrman")),
    )
    await stage.answers("greta.berglund", "accept", call)
    await stage.passes(150)
    shown = stage.shown("greta.berglund", call)
    scene.holds("Klar is not offered before she is there", shown is not None and "done" not in shown.can)
    await stage.answers("greta.berglund", "attend", call)
    await stage.answers("greta.berglund", "done", call)
    scene.holds("her Klar ends it, as this plant has no reset", stage.open_alarm(call) is None)
