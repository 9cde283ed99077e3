"""What an SMS link may be set to, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest

from alarmhub.inbound.smpp_settings import SmppLink
from alarmhub.secret import Secret
from alarmhub.settings import SettingsRefused, parse

GOOD: dict[str, Any] = {
    "source": "operator", "connect": "127.0.0.1:2775", "system_id": "hub", "password": Secret("secret"),
    "sender": "+46700000000",
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"connect": "here"}, "connect: "),
        ({"password": Secret("")}, "password: "),
        ({"password": Secret("x" * 65)}, "password: "),
        ({"password": Secret("lösen")}, "password: "),
        ({"ca_file": "ca.pem"}, "ca_file: "),
    ],
)
def test_settings_that_contradict_themselves(more: dict[str, Any], fault: str) -> None:
    """Each is named, and none of them shows the password."""
    (found,) = SmppLink(**{**GOOD, **more}).faults()
    assert found.startswith(fault) and "lösen" not in found
    link = SmppLink(**GOOD)
    assert (link.faults(), link.listens(), link.address()) == ([], None, ("127.0.0.1", 2775))
    assert "secret" not in repr(link)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("sender", "Alarmhub"),
        ("sender", "12"),
        ("system_id", "a b"),
        ("valid_s", 59),
        ("country_code", "046"),
    ],
)
def test_values_no_centre_could_use_are_refused(key: str, value: object) -> None:
    """A name, for one, cannot be replied to."""
    table = GOOD | {"password": "secret", key: value}
    with pytest.raises(SettingsRefused, match=rf"\[\[smpp\]\] 0 {key}"):
        parse({"smpp": [table]}, {})


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(60, "000000000100000R"), (300, "000000000500000R"), (86_399, "000000235959000R")],
)
def test_how_long_a_message_is_valid_is_written_as_the_standard_says(seconds: int, written: str) -> None:
    """Years to tenths of a second, relative to now; 16 characters."""
    assert SmppLink(**GOOD, valid_s=seconds).validity() == written and len(written) == 16
