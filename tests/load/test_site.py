"""The site of a load run: every bed has two phones of its own, and the file is sound."""

import tomllib

import pytest

from alarmhub import site as site_files
from load import site


@pytest.mark.parametrize("phones", [2, 7, 100])
def test_the_hub_takes_the_site_as_it_is(phones: int) -> None:
    """Checked by the hub's own reader: no fault."""
    checked = site_files.check(site.site_file(site.Layout(phones)))
    assert not isinstance(checked, list), checked


def test_each_bed_has_a_care_team_of_its_own() -> None:
    """Two phones per bed, none in two teams, all beds in a unit."""
    layout = site.Layout(100)
    teams = [set(layout.team(bed)) for bed in range(layout.beds)]
    assert all(len(team) == 2 for team in teams)
    assert len(set.union(*teams)) == 100
    file = tomllib.loads(site.site_file(layout))
    units = {unit["id"] for unit in file["unit"]}
    assert {layout.unit_of(bed) for bed in range(layout.beds)} <= units
    assert {place["path"] for place in file["place"]} >= set(layout.places)
    assert len({one["id"] for one in file["staff"]}) == 100 + len(site.DESKS)
