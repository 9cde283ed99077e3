"""What is set for a module over Modbus/TCP."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from alarmhub.inbound.modbus_settings import ModbusLink
from protocols.contacts import Point, Table

FRIDGE = Point(name="fridge", address=0)


def link(**more: Any) -> ModbusLink:
    """A module with one point."""
    return ModbusLink(**({"source": "io", "connect": "127.0.0.1:502", "points": (FRIDGE,)} | more))


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"connect": "nowhere"}, "connect: expected host:port, got 'nowhere'"),
        ({"down_s": 0.5}, "read_within_s: expected less than down_s"),
        ({"poll_s": 40.0}, "poll_s: expected less than down_s"),
        ({"points": (FRIDGE, FRIDGE)}, 'points 1 name: "fridge" is there twice'),
        ({"module": "m" * 60}, "points 0 name: with the module's name longer than 64 characters"),
        ({"points": (Point(name="x", address=65_535, bits=2),)}, "points 0 address: the second bit lies"),
    ],
)
def test_settings_that_contradict_themselves_say_so(more: dict[str, Any], says: str) -> None:
    """With the setting's name first."""
    assert link().faults() == []
    assert [fault for fault in link(**more).faults() if fault.startswith(says)]


def test_a_module_is_called_as_its_source_unless_it_has_a_name() -> None:
    """And it is connected to, never listened for."""
    assert (link().name, link(module="io7").name) == ("io", "io7")
    assert (link().address(), link().listens()) == (("127.0.0.1", 502), None)


def test_points_are_read_from_tables_and_unknown_keys_are_refused() -> None:
    """A misspelt setting of a point must not silently mean its default."""
    raw: dict[str, Any] = {
        "source": "io",
        "connect": "h:502",
        "points": [{"name": "gas", "table": "input", "address": 7, "open": [[60, 80]], "closed": [[30, 50]]}],
    }
    (gas,) = msgspec.convert(raw, ModbusLink).points
    assert (gas.table, gas.open, gas.closed) == (Table.INPUT, ((60, 80),), ((30, 50),))
    raw["points"][0]["debounce"] = 50
    with pytest.raises(msgspec.ValidationError, match="debounce"):
        msgspec.convert(raw, ModbusLink)
