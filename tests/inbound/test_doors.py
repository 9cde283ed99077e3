"""Which adapter speaks for which link."""

from __future__ import annotations

from alarmhub.inbound.doors import OPENERS
from alarmhub.settings import LINKS, Settings


def test_every_link_of_the_settings_has_its_adapter() -> None:
    """And none is there that cannot be set."""
    assert set(OPENERS) == set(LINKS) == set(Settings().by_protocol())
