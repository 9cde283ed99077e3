"""A whole file: what it becomes, and that all its faults are listed at once."""

from __future__ import annotations

import pytest

from alarmhub.core.kinds import Kind
from alarmhub.core.site import Hours, TeamRole
from tests.support.site_file import GOOD, faults_of, good


def test_the_good_file_becomes_places_people_and_policies() -> None:
    """Ranges become places with labels, ids targets, and what a policy leaves out is its kind's."""
    site = good()
    assert site.places["f/201/2/1"].label == "sal 2 plats 1"
    assert site.places["f/201/2/wc"].room == "f/201/2"
    assert (site.places["f/201/blodkyl"].point, site.places["f/202/7"].add_attend_s) == ("equipment", 180)
    assert site.units["201"].last_resort == ("staff:vaxeln",)
    assert [duty.beds for duty in site.duties if duty.staff == "bo"] == [("f/201/1", "f/201/2", "f/201/3")]
    assert len([duty for duty in site.duties if duty.staff == "anna"]) == 4
    assert site.covers[1].place == "f/201/3"
    assert site.types["hjart"].team == (TeamRole("ward", 2), TeamRole("guard", 1, "ssk"))
    natt = site.policies["natt"][1]
    assert natt.steps[1].targets == ("unit", "staff:anna")
    assert (natt.steps[1].reach_s, natt.last_resort_s, natt.return_s) == (10, 45, 180)
    assert site.policy_rules[0].unit == "201" and site.policy_rules[0].kind is Kind.PATIENT_CALL
    assert site.duties[0].hours == Hours((0, 1, 2, 3, 4, 5, 6), 1260, 420, 1, holidays=False)


def test_all_faults_of_a_file_are_listed_at_once() -> None:
    """One reading shows them all, so that one correction can mend them all."""
    text = (
        GOOD.replace('last_resort = ["vaxeln"]', "last_resort = []")
        .replace('deputy = "guard"', 'deputy = "x"')
        .replace('hours = "always"\nbeds', 'hours = "never"\nbeds')
    )
    assert [fault.path for fault in faults_of(text)] == [
        "role[0].deputy",
        "duty[1].hours",
        "unit[0].last_resort",
    ]


@pytest.mark.parametrize("text", ["site = ", "[[unit", "\x00", "site = 1\nsite = 2", "[" * 50_000])
def test_what_is_no_toml_is_one_fault(text: str) -> None:
    """The place TOML names is passed on; nothing raises."""
    (fault,) = faults_of(text)
    assert fault.message.startswith("no TOML")


@pytest.mark.parametrize(
    "text", ["", 'site = "f"', 'site = "f"\nname = "F"', 'unit = 3\nsite = "f"\nname = "F"']
)
def test_an_empty_site_is_refused(text: str) -> None:
    """A name and a unit are the least."""
    assert faults_of(text)
