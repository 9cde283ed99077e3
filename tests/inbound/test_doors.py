"""Which adapter speaks for which link."""

from __future__ import annotations

import subprocess
import sys

import pytest

from alarmhub.inbound.doors import ADAPTERS, opener
from alarmhub.settings import LINKS, Settings


def test_every_link_of_the_settings_has_its_adapter() -> None:
    """And none is there that cannot be set."""
    assert set(ADAPTERS) == set(LINKS) == set(Settings().by_protocol())


@pytest.mark.parametrize("protocol", ADAPTERS)
def test_each_adapter_can_be_had(protocol: str) -> None:
    """By its name in the settings; it opens and closes, whatever it speaks."""
    adapter = opener(protocol)
    assert callable(adapter.start) and callable(adapter.close)  # type: ignore[attr-defined]


def test_what_no_link_needs_is_not_loaded() -> None:
    """A hub that listens to one plant starts without the others' libraries."""
    says = "import sys, alarmhub.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "alarmhub.inbound.lines" in loaded
    assert loaded.isdisjoint({"alarmhub.inbound.espa", "aiosmtpd", "paho", "pymodbus"})
