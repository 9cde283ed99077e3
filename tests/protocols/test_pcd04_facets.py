"""Which OBX is which facet, and what the facets of one alert say together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.hl7 import Message, Segment, read
from protocols.pcd04_facets import (
    MAX_ANNOTATIONS,
    MAX_INACTIVATIONS,
    Facet,
    Observation,
    facet_of,
    observation,
)

EVENT = "OBX|1|CWE|196616^MDC_EVT_ALARM^MDC|1.0.0.0.1|196670^MDC_EVT_LO^MDC^^^^^^SpO2 low||||||F"


def obx(*lines: str) -> list[Segment]:
    """The segments of these lines, as a message brings them."""
    message = read("\r".join(("MSH|^~\\&|GW||HUB||20261123||ORU^R40|1|P|2.6", *lines, "")).encode())
    assert isinstance(message, Message)
    return list(message.all("OBX"))


@pytest.mark.parametrize(
    ("line", "facet"),
    [
        ("OBX|3|ST|68481^MDC_ATTR_EVENT_PHASE^MDC|1.0.0.0.3|start", Facet.PHASE),
        ("OBX|3|ST|MDC_ATTR_EVENT_PHASE^68481^MDC||start", Facet.PHASE),  # name and code exchanged
        ("OBX|3|ST|MDC_ATTR_EVENT_PHASE||start", Facet.PHASE),  # the name alone
        ("OBX|3|ST|68481||start", Facet.PHASE),  # the code alone
        ("OBX|3|ST|684810^X^MDC|1.0.0.0.9|start", Facet.PHASE),  # TF-2 E.3.2's misprint
        ("OBX|6|ST|^^|1.0.0.0.6|PH", Facet.PRIORITY),  # the number alone
        ("OBX|6|ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.0.0.0.3|PH", Facet.PRIORITY),  # the name wins
        ("OBX|9|ST|0^MDCX_ATTR_ALERT_ANNOTATION^MDC|1.0.0.0.1|see bed", Facet.ANNOTATION),
        ("OBX|9|ST|1^SOMETHING^99X|1.0.0.0.8|?", None),  # no facet has this number
        ("OBX|9|ST|1^SOMETHING^99X|1.0.0.0.٣|?", None),  # a digit, but none of ASCII
    ],
)
def test_a_facet_is_known_by_name_then_code_then_number(line: str, facet: Facet | None) -> None:
    """In this order, whichever of them the device gets right."""
    [segment] = obx(line)
    assert facet_of(segment) is facet


def test_two_observations_without_names_are_event_and_source() -> None:
    """The order is all there is to go by, and an alarm is not lost for want of names."""
    seen = observation(
        obx("OBX|1|ST|9001^Kallelse^99X||Patient call", "OBX|2|NM|150456^SPO2^99X||82|%|90-100")
    )
    assert (seen.event, seen.text) == (("9001", "Kallelse", "99X"), "Patient call")
    assert (seen.source[0], seen.value, seen.limits) == ("150456", "82", "90-100")


def test_a_facet_of_its_own_wins_over_the_old_form() -> None:
    """OBX-8 says low, PM and SP; the priority's own OBX says PH, and the type has none."""
    old = EVENT.replace("||||||F", "|||SP~L~PM|||F")
    own = "OBX|6|ST|68484^MDC_ATTR_ALARM_PRIORITY^MDC|1.0.0.0.6|PH"
    seen = observation(obx(old, own))
    assert (seen.priority, seen.type, seen.abnormality) == ("PH", "SP", "L")
    assert observation(obx(old)).priority == "PM"


def test_a_word_may_stand_behind_its_number() -> None:
    """OBX-5 as a code with a name; and the phase tells which OBX it was, for ERR-2."""
    seen = observation(obx(EVENT, "OBX|2|CWE|68481^MDC_ATTR_EVENT_PHASE^MDC||3^START^99X"))
    assert (seen.phase, seen.phase_number) == ("start", 2)


def test_a_second_event_adds_words_and_changes_none() -> None:
    """CP143 numbers annotations under facet 1: the alarm stays what it was."""
    seen = observation(obx(EVENT, "OBX|2|ST|1^NOTE^99X|1.0.0.0.1|door side"))
    assert (seen.event[1], seen.text, seen.annotations) == ("MDC_EVT_LO", "SpO2 low", ["door side"])


@pytest.mark.parametrize(
    ("value", "unit", "seconds"),
    [
        ("30", "264320^MDC_DIM_SEC^MDC", 30.0),
        ("2500", "264338^MDC_DIM_MILLI_SEC^MDC", 2.5),
        ("soon", "264320^MDC_DIM_SEC^MDC", None),
        ("-5", "264320^MDC_DIM_SEC^MDC", None),
    ],
)
def test_the_time_to_confirm_is_a_number_of_seconds_or_nothing(
    value: str, unit: str, seconds: float | None
) -> None:
    """A watchdog's interval that cannot be read is not learned."""
    seen = observation(obx(f"OBX|9|NM|67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC||{value}|{unit}"))
    assert seen.confirm_within_s == seconds


def test_what_repeats_without_end_is_bounded() -> None:
    """Annotations and inactivations of a device gone mad."""
    notes = [f"OBX|{n}|ST|0^MDCX_ATTR_ALERT_ANNOTATION^MDC||note {n}" for n in range(50)]
    paused = "~".join(f"word-{n}" for n in range(50))
    seen = observation(obx(EVENT, *notes, f"OBX|99|ST|68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC||{paused}"))
    assert len(seen.annotations) == MAX_ANNOTATIONS and seen.annotations[0] == "note 0"
    assert len(seen.inactivation) == MAX_INACTIVATIONS


def test_a_device_line_alone_is_no_alert() -> None:
    """It names the device; nothing was found that could ring."""
    [line] = obx("OBX|1||69837^MDC_DEV_METER_PHYSIO_MDS^MDC|1.0.0.0.0|||||||X|||||||MON-77")
    assert observation([line]) == Observation(device="MON-77")


@given(st.lists(st.text(alphabet="0123456789.^~&|AMDC_ÅÄ ", max_size=60), max_size=6))
def test_no_fields_are_too_odd_to_read(rows: list[str]) -> None:
    """Whatever stands in an OBX, there is an observation, and its words are bounded."""
    seen = observation(obx(*(f"OBX|{row}" for row in rows)))
    assert len(seen.annotations) <= MAX_ANNOTATIONS
    assert all(len(word) <= 128 for word in (*seen.event, *seen.source))
