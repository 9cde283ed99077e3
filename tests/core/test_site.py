"""The compiled site is a value: it can be stored, and what is computed from it is not part of it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from alarmhub.core.site import Number, Reports, Site, number_of
from tests.support.ward import Ward


def test_a_site_survives_being_stored() -> None:
    """Every unit, place, person, duty, type, policy and source of it."""
    site = Ward().site
    assert msgspec.json.decode(msgspec.json.encode(site), type=Site) == site


def test_a_site_stored_by_an_older_hub_loads() -> None:
    """A source took reports, or took none."""
    stored = msgspec.json.decode(msgspec.json.encode(Ward().site))
    stored["sources"]["plant"]["reports"] = True
    stored["sources"]["button"]["reports"] = False
    sources = msgspec.convert(stored, Site).sources
    assert (sources["plant"].hears, sources["button"].hears) == (Reports.ALARM, Reports.NONE)


def test_a_pager_number_is_found_among_ranges() -> None:
    """By its digits and their count; between ranges there is nothing."""
    numbers = (Number("7", "7"), Number("10", "19"), Number("2010", "2019"), Number("2030", "2030"))
    site = replace(Ward().site, numbers=numbers)
    found = [number_of(site, address) for address in ("7", "10", "15", "19", "2010", "2030")]
    assert found == [numbers[0], *numbers[1:2] * 3, numbers[2], numbers[3]]
    strange = ("", "0", "8", "20", "015", "2020", "2031", "99999", "1a", "٧")
    assert not any(number_of(site, address) for address in strange)
    assert number_of(Ward().site, "7") is None
    assert [str(number) for number in numbers[:2]] == ["7", "10-19"]
