"""What an SNPP door may be set to, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.inbound.snpp_settings import SnppLink
from alarmhub.secret import Secret


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"listen": "here"}, "listen: "),
        ({"allow": ("10.0.0.1/8",)}, "allow[0]: "),
        ({"user": "lab"}, "password: "),
        ({"user": "lab", "password": Secret("a b")}, "password: "),
    ],
)
def test_settings_that_contradict_themselves(more: dict[str, Any], fault: str) -> None:
    """Each is named."""
    link = SnppLink(**{"source": "lab", "listen": "127.0.0.1:444", **more})
    assert [found[: len(fault)] for found in link.faults()] == [fault]
    assert SnppLink(source="lab", listen="[::1]:444").listens() == ("::1", 444)
