"""What one person's phone shows of an alarm."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Alarm, Flag, Phase, Told
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import AlarmType, Role
from alarmhub.core.world import World
from alarmhub.engine.notices import HUB
from alarmhub.gateway import views
from alarmhub.gateway.views import Views
from protocols.phone import AlarmFrame, Why, decode_hub
from tests.support.desk import BED, PEOPLE, call, ward

NOW = 1_790_000_000_000


def frame(alarm: Alarm, staff: str = "anna", world: World | None = None) -> AlarmFrame:
    """The alarm as this person's phone reads it."""
    decoded = decode_hub(Views().alarm(alarm, staff, world or ward(), NOW))
    assert isinstance(decoded, AlarmFrame)
    return decoded


def test_a_ringing_call_is_shown_in_full() -> None:
    """Every field of the contract."""
    shown = frame(
        call("a1", "anna", "bo", at=NOW - 1000, text="dropp", source_text="201-12-2", callback="5012")
    )
    assert shown == AlarmFrame(
        rev=1, id="a1", phase="ringing", flags=(), kind="patient_call", kind_label="Patientkallelse",
        alarm_type="patient_call", type_label="Patientkallelse", priority="low", place=BED,
        place_label="sal 12 plats 2", text="dropp", source_text="201-12-2", count=1, raised_at=NOW - 1000,
        accepted_by=(), next_step_at=NOW + 44_000, callback="5012", drill=False, unit="201",
        unit_label="Avd 201", why=(Why("care_team", "vårdlag"),), can=("accept", "attend", "decline"),
        you="told", rings=True, turn=1, at=NOW, told_names=("Anna Lind", "Bo Ek"),
    )  # fmt: skip


def test_a_ring_that_proves_a_phone_says_so_to_its_person_alone() -> None:
    """So that an app asks whether it is heard wherever it shows it; a drill of the unit asks nobody."""
    ring = call("a1", "anna", at=NOW, kind=Kind.DRILL, source=HUB, key=f"heard:anna:{NOW}")
    assert frame(ring).hearing
    assert not frame(ring, "bo").hearing
    assert not frame(call("a2", "anna", at=NOW, kind=Kind.DRILL)).hearing


def test_the_sound_is_the_types_own() -> None:
    """The site says how a type sounds; a kind without a type of the site sounds as its kind."""
    types = {"hlr": AlarmType(id="hlr", kind=Kind.TEAM, label="Hjärtlarm", sound="team")}
    world = ward()
    world = replace(world, site=replace(world.site, types=types))
    alarm = call("a1", "anna", at=NOW, kind=Kind.TEAM, type="hlr", priority=Priority.HIGH)
    assert frame(alarm, world=world).sound == "team"
    assert frame(call("a1", "anna", at=NOW)).sound == ""


def test_who_else_is_told_is_named_up_to_a_dozen() -> None:
    """Somebody the site does not know is shown by the id; who declined is told no longer."""
    many = [f"nobody-{number}" for number in range(14)]
    shown = frame(call("a1", "anna", *many, at=NOW))
    assert shown.told_names[1:3] == ("nobody-0", "nobody-1")
    assert (len(shown.told_names), shown.told_more) == (12, 3)


def test_the_type_is_called_what_the_site_calls_it() -> None:
    """In the site's language."""
    types = {"hlr": AlarmType(id="hlr", kind=Kind.TEAM, label="Hjärtlarm", label_en="Cardiac arrest")}
    alarm = call("a1", "anna", at=NOW, kind=Kind.TEAM, type="hlr", priority=Priority.HIGH)
    for language, label in (("sv", "Hjärtlarm"), ("en", "Cardiac arrest")):
        world = ward(language=language)
        assert frame(alarm, world=replace(world, site=replace(world.site, types=types))).type_label == label


def test_an_unknown_place_is_shown_as_the_source_named_it() -> None:
    """An alarm never waits for a label."""
    shown = frame(call("a1", "anna", at=NOW, place="rum 99", unit="nowhere"))
    assert (shown.place_label, shown.unit_label) == ("rum 99", "nowhere")


def test_why_names_the_role_the_last_resort_and_the_series() -> None:
    """Codes for programs, words for people."""
    world = ward()
    world = replace(world, site=replace(world.site, roles={"ssk": Role(id="ssk", name="sjuksköterska")}))
    told = (Told("anna", 3, NOW, "role:ssk"),)
    shown = frame(call("a1", at=NOW, told=told, flags=(Flag.LAST_RESORT,), again=4, turn=3), world=world)
    assert [w.code for w in shown.why] == ["role:ssk", "last_resort", "again"]
    # Four came before it.
    assert [w.text for w in shown.why] == ["sjuksköterska", "sista utvägen ringer", "ringer igen, gång 5"]
    assert shown.turn == 3


@pytest.mark.parametrize(
    ("change", "you", "rings"),
    [
        ({}, "told", True),
        ({"told": (Told("anna", 1, NOW, "unit", answer="holding"),)}, "holding", False),
        ({"noted": ("anna",)}, "noted", True),
        ({"phase": Phase.ACCEPTED, "acceptances": (Acceptance("anna", NOW),)}, "accepted", False),
        (
            {"phase": Phase.ATTENDED, "acceptances": (Acceptance("anna", NOW, arrived_at=NOW),)},
            "arrived",
            False,
        ),
    ],
)
def test_the_phone_knows_what_its_person_has_said(change: dict[str, Any], you: str, rings: bool) -> None:
    """And sounds only while an answer is wanted from this person."""
    shown = frame(call("a1", "anna", at=NOW, **{"told": (Told("anna", 1, NOW, "unit"),), **change}))
    assert (shown.you, shown.rings) == (you, rings)


def test_who_has_accepted_is_shown_by_name() -> None:
    """A person the site no longer knows by id."""
    alarm = call(
        "a1", "anna", at=NOW, phase=Phase.ACCEPTED, remind_at=NOW + 180_000, lapse_at=NOW + 300_000,
        acceptances=(Acceptance("bo", NOW), Acceptance("x9", NOW)),
    )  # fmt: skip
    shown = frame(alarm)
    assert (shown.accepted_by, shown.next_step_at) == (("Bo Ek", "x9"), NOW + 180_000)


@pytest.mark.parametrize(
    ("change", "reason", "text"),
    [
        (
            {"phase": Phase.ACCEPTED, "acceptances": (Acceptance("bo", NOW),), "told": ()},
            "taken",
            "Bo Ek tar den",
        ),
        ({"phase": Phase.ENDED, "ended_by": "source"}, "reset", "Återställd i rummet"),
        ({"phase": Phase.ENDED, "ended_by": "staff"}, "done", "Klar"),
        ({"phase": Phase.ENDED, "ended_by": "expired"}, "expired", "Tiden gick ut"),
        ({"phase": Phase.ENDED, "ended_by": "real_alarm"}, "interrupted", "Avbruten av ett riktigt larm"),
        ({"phase": Phase.ENDED, "ended_by": "comet"}, "ended", "Avslutad"),
        (
            {"told": (Told("anna", 1, NOW, "unit", answer="declined"),)},
            "declined",
            "Du har svarat att du inte kan",
        ),
        (
            {"told": (Told("anna", 1, NOW, "unit", answer="released"),)},
            "released",
            "Du har lämnat tillbaka den",
        ),
        ({"told": ()}, "passed_on", "Har gått vidare till andra"),
    ],
)
def test_gone_says_why(change: dict[str, Any], reason: str, text: str) -> None:
    """One reason each, in the site's language too."""
    alarm = call("a1", at=NOW, rev=5, **change)
    gone = views.gone(alarm, "anna", ward().site, NOW)
    assert (gone.id, gone.rev, gone.reason, gone.text, gone.at) == ("a1", 5, reason, text, NOW)
    assert views.gone(alarm, "anna", ward(language="en").site, NOW).text.isascii()


def test_the_shared_part_follows_the_version_and_the_site() -> None:
    """What is remembered of a version is never shown for another."""
    rendered = Views()
    alarm, world = call("a1", "anna", at=NOW), ward()
    first = rendered.alarm(alarm, "anna", world, NOW)
    assert rendered.alarm(alarm, "anna", world, NOW) == first
    again = json.loads(rendered.alarm(replace(alarm, version=2, count=2), "anna", world, NOW))
    assert again["count"] == 2
    renamed = replace(world.site, version=2, places={})
    assert (
        json.loads(rendered.alarm(replace(alarm, version=2), "anna", replace(world, site=renamed), NOW))[
            "place_label"
        ]
        == BED
    )


def test_the_bare_facts_are_a_whole_frame() -> None:
    """What is shown when a label fails: that it rings, where, and a way to take it."""
    common, own = views.bare(call("a1", "anna", at=NOW), "anna", NOW)
    assert (common.place, common.phase, own.can, own.rings) == (BED, "ringing", ("accept",), True)


def test_a_thousand_people_are_rendered_quickly() -> None:
    """Well under a tenth of a millisecond each, so that a fan-out does not hold up the loop."""
    import time

    people = {f"s{n}": replace(PEOPLE["anna"], id=f"s{n}") for n in range(1000)}
    world, rendered = ward(people), Views()
    alarm = call("a1", *people, at=NOW)
    started = time.perf_counter()
    for staff in list(people)[:200]:
        rendered.alarm(alarm, staff, world, NOW)
    assert (time.perf_counter() - started) / 200 < 0.001
