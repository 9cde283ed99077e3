"""The compiled site is a value: it can be stored, and what is computed from it is not part of it."""

from __future__ import annotations

import msgspec

from alarmhub.core.site import Reports, Site
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
