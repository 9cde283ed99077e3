"""The compiled site is a value: it can be stored, and what is computed from it is not part of it."""

from __future__ import annotations

import msgspec

from alarmhub.core.site import Site
from tests.support.ward import Ward


def test_a_site_survives_being_stored() -> None:
    """Every unit, place, person, duty, type, policy and source of it."""
    site = Ward().site
    assert msgspec.json.decode(msgspec.json.encode(site), type=Site) == site
