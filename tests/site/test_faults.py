"""How a fault is said."""

from __future__ import annotations

from alarmhub.site.faults import Fault, Faults


def test_a_fault_is_one_line_with_its_path_first() -> None:
    """Of the file as a whole, without one."""
    assert str(Fault("unit[3].last_resort[0]", 'no unit "x"')) == 'unit[3].last_resort[0]: no unit "x"'
    assert str(Fault("", "no TOML")) == "no TOML"


def test_the_nearest_name_is_suggested_and_a_far_one_is_not() -> None:
    """A slip of the finger is recognised; what nobody meant is not put in anybody's mouth."""
    faults = Faults()
    faults.unknown("a", "role", "gurad", ["guard", "ssk"])
    faults.unknown("b", "role", "narkos", ["guard", "ssk"])
    faults.add("c", "is missing")
    assert [fault.message for fault in faults.found] == [
        'no role "gurad", did you mean "guard"?',
        'no role "narkos"',
        "is missing",
    ]
