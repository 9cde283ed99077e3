"""Scenes with urgent alarms: caught elsewhere, a team with a gap, an assault, a drill that a real alarm ends.

Each scene tells one of ward.md's awkward cases with the people and plants of the demo site.
"""

from __future__ import annotations

from alarmhub.core.alarm import Flag, Phase
from alarmhub.demo.stage import Stage
from alarmhub.demo.story import Scene


async def caught_elsewhere(scene: Scene, stage: Stage) -> None:
    """Karin takes a call, then an akutlarm two doors away keeps her."""
    plant = stage.medicine
    call = await stage.calls(plant, "2011", "201 Sal 7 Plats 1")
    await stage.answers("karin.dahlin", "accept", call)
    await scene.expect("she takes it, Anna falls silent", lambda: not stage.rings("anna.berglund", call))
    await stage.passes(20)
    akut = await stage.calls(plant, "2010", "201 Sal 3 AKUTLARM", priority="1")
    ward = ("anna.berglund", "bengt.granberg", "karin.dahlin", "petra.lidman")
    scene.holds("the akutlarm rings the whole ward", all(stage.rings(who, akut) for who in ward))
    await stage.answers("karin.dahlin", "attend", akut)
    scene.holds("one arrival releases nobody", stage.rings("petra.lidman", akut))
    await stage.answers("bengt.granberg", "attend", akut)
    scene.holds("two are there", stage.must(akut).phase is Phase.ATTENDED)
    await stage.resets(plant, "2010", "201 Sal 3 AKUTLARM")
    await stage.deadline(call, "remind_at")
    scene.holds("after 3 min Karin is reminded of her call", stage.must(call).reminded)
    await stage.deadline(call, "lapse_at")
    await scene.expect(
        "after 5 min without arrival the next step rings, and Karin too",
        lambda: all(stage.rings(who, call) for who in ("petra.lidman", "anna.berglund", "karin.dahlin")),
    )
    scene.holds("and it says that nobody came in time", Flag.NOT_ATTENDED in stage.must(call).flags)
    await stage.answers("petra.lidman", "accept", call)
    await stage.answers("anna.berglund", "take_over", call)
    await scene.expect("Anna is nearer and takes over", lambda: stage.shown("petra.lidman", call) is None)
    await stage.answers("anna.berglund", "attend", call)
    await stage.resets(plant, "2011", "201 Sal 7 Plats 1")


async def team_with_a_gap(scene: Scene, stage: Stage) -> None:
    """Hjärtlarm; the HIA nurse does not answer."""
    plant = stage.medicine
    alarm = await stage.calls(plant, "9001", "HJÄRTLARM VUXEN 201 Sal 5", priority="1")
    team = ("jakob.naslund", "dag.berglund", "sara.persson", "jonas.rosen", "sara.hagg", "noor.ekman")
    scene.holds("all roles and the ward ring at once", all(stage.rings(who, alarm) for who in team))
    for who in ("jakob.naslund", "dag.berglund", "jonas.rosen", "noor.ekman"):
        await stage.answers(who, "accept", alarm)
    filled = {a.role for a in stage.must(alarm).acceptances}
    scene.holds(
        "anaesthesia, physician and ward are filled",
        filled == {"anaesthesia", "physician", "ward"},
        str(filled),
    )
    scene.holds("one role is missing: partly accepted", stage.must(alarm).phase is Phase.PARTLY_ACCEPTED)
    scene.holds("nobody is released", all(stage.rings(who, alarm) for who in ("sara.persson", "sara.hagg")))
    await stage.deadline(alarm, "answer_at")
    await scene.expect(
        "after 15 s the deputy of the missing role rings", lambda: stage.rings("kerstin.ohman", alarm)
    )
    scene.holds("and no deputy of a filled one", not stage.ever_shown("klas.hagg", alarm))
    await stage.answers("kerstin.ohman", "accept", alarm)
    scene.holds(
        "the deputy fills the role: accepted",
        stage.must(alarm).phase is Phase.ACCEPTED,
        str(stage.must(alarm).acceptances),
    )
    for who in ("jakob.naslund", "dag.berglund", "jonas.rosen", "noor.ekman", "kerstin.ohman"):
        await stage.answers(who, "attend", alarm)
    scene.holds("all five are there", stage.must(alarm).phase is Phase.ATTENDED)
    await stage.passes(900)
    await stage.answers("dag.berglund", "done", alarm)
    scene.holds("the team leader ends it", stage.open_alarm(alarm) is None)
    plant.lamps.pop(("9001", "HJÄRTLARM VUXEN 201 Sal 5"), None)


async def assault(scene: Scene, stage: Stage) -> None:
    """Hassan presses the button he carries; his phone must not betray him."""
    plant, victim = stage.medicine, "hassan.ohman"
    alarm = await stage.calls(plant, "9008", "ÖVERFALL 501 Larm 9", priority="1")
    helpers = ("sven.marklund", "alva.rosen", "berit.backlund", "vilhelm.akesson")
    scene.holds("unit, neighbours and guard ring", all(stage.rings(who, alarm) for who in helpers))
    await stage.answers("sven.marklund", "accept", alarm)
    await stage.answers("vilhelm.akesson", "accept", alarm)
    scene.holds(
        "nobody is released", all(stage.rings(who, alarm) for who in ("alva.rosen", "berit.backlund"))
    )
    await stage.passes(25)
    await stage.answers("sven.marklund", "attend", alarm)
    await stage.resets(plant, "9008", "ÖVERFALL 501 Larm 9")
    scene.holds("a reset alone does not end it", stage.open_alarm(alarm) is not None)
    await stage.answers("sven.marklund", "safe", alarm)
    scene.holds("a reset and a responder's word do", stage.open_alarm(alarm) is None)
    scene.holds("the victim's phone was never told anything", not stage.ever_shown(victim, alarm))


async def drill(scene: Scene, stage: Stage) -> None:
    """PROV on AVA, spoken and shown; then a real akutlarm."""
    team = ("fredrik.hedlund", "gunilla.naslund")
    prov = await stage.posts("start", "prov-ava-5", place="fjallmark/AVA/5", type="prov", heard=True)
    await scene.expect("the drill is heard", lambda: all(stage.rings(who, prov) for who in team))
    scene.holds(
        "and shown as one", all((s := stage.shown(who, prov)) is not None and s.drill for who in team)
    )
    await stage.passes(8)
    akut = await stage.calls(stage.medicine, "2000", "AVA Sal 2 AKUTLARM", priority="1")
    scene.holds("the real alarm ends the drill", stage.open_alarm(prov) is None)
    await scene.expect(
        "the drill is gone from the phones", lambda: all(stage.shown(w, prov) is None for w in team)
    )
    scene.holds("the real alarm rings", all(stage.rings(who, akut) for who in team))
    for who in team:
        await stage.answers(who, "attend", akut)
    await stage.resets(stage.medicine, "2000", "AVA Sal 2 AKUTLARM")
