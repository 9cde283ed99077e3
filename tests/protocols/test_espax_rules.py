"""The rules of ESPA-X as data, held against a schema that was written apart from them."""

from __future__ import annotations

import pytest

from protocols.espax_rules import (
    ELEMENTS,
    FIELDS,
    INVOKE_ID,
    REASONS,
    SESSION_ID,
    Boolean,
    Choice,
    Instant,
    Number,
    Text,
    Words,
    faults,
    fits,
)
from tests.support.espax_oracle import judged


def longest(name: str) -> str:
    """The longest value a field may have."""
    match FIELDS[name]:
        case Text(most, _, allowed):
            return ("0" if allowed else "Å") * most
        case Number(largest):
            return str(largest)
        case Choice(words):
            return {"RSP-CODE": "200", "RSP-REASON": "OK"}.get(name, max(words, key=len))
        case Words(words):
            return " ".join(words)
        case Boolean():
            return "false"
        case Instant():
            return "2026-09-14T09:00:00"


def document(element: str, attributes: dict[str, str], fields: dict[str, str]) -> bytes:
    """A document written here, by string."""
    named = "".join(f' {name}="{value}"' for name, value in attributes.items())
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return (
        '<ESPA-X version="1.00" timestamp="2026-09-14T09:00:00" xmlns="http://ns.espa-x.org/espa-x">'
        f"<{element}{named}>{inner}</{element}></ESPA-X>"
    ).encode()


def attributes_of(element: str) -> dict[str, str]:
    """All attributes it may have."""
    values = {INVOKE_ID: str(2**64 - 1), SESSION_ID: "s" * 32}
    return {name.removesuffix("!"): values[name.removesuffix("!")] for name in ELEMENTS[element].attributes}


@pytest.mark.parametrize("element", ELEMENTS)
def test_the_fullest_message_the_rules_allow_is_allowed_by_the_schema(element: str) -> None:
    """Every attribute, every field, each at its longest."""
    fields = {name: longest(name) for name in ELEMENTS[element].field_names()}

    assert faults(element, attributes_of(element), fields) == []
    assert judged(document(element, attributes_of(element), fields)).fields == fields


@pytest.mark.parametrize("element", ELEMENTS)
def test_what_is_missing_or_too_long_is_a_fault_by_both(element: str) -> None:
    """Each required field and each length of the table is one of the schema's too."""
    full = {name: longest(name) for name in ELEMENTS[element].field_names()}
    attributes = attributes_of(element)
    broken = [{k: v for k, v in full.items() if k != name} for name in ELEMENTS[element].required_fields()]
    broken += [full | {name: value + "0" * (name not in ("RSP-CODE",)) + "7"} for name, value in full.items()]
    for fields in broken:
        assert faults(element, attributes, fields)
        with pytest.raises(AssertionError):
            judged(document(element, attributes, fields))


@pytest.mark.parametrize(("name", "type_"), FIELDS.items())
def test_an_empty_value_fits_nothing(name: str, type_: Text) -> None:
    """An empty element says nothing, so the hub sends none."""
    assert not fits("", type_), name


def test_a_code_goes_with_its_own_reason() -> None:
    """200 is not Gone."""
    fields = {"LI-SERVER": "x", "RSP-CODE": "200", "RSP-REASON": "Gone"}

    assert faults("IND.ERROR", {}, fields) == ["RSP-REASON: not that of RSP-CODE"]
    assert faults("IND.ERROR", {}, fields | {"RSP-REASON": REASONS[200]}) == []


def test_what_is_no_message_is_said() -> None:
    """By its name."""
    assert faults("REQ.P-CALL", {}, {}) == ["REQ.P-CALL: no message of ESPA-X"]
    assert faults("IND.P-SYNC", {"sessionID": "1", "invokeID": "1"}, {"S-LOAD": "No"}) == [
        "invokeID: not in IND.P-SYNC",
        "S-LOAD: not in IND.P-SYNC",
    ]
