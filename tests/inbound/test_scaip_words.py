"""From a request to the words the site's rules see: every sample as a person would expect it."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from alarmhub.core.events import SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.scaip_settings import ScaipLink
from alarmhub.inbound.scaip_words import key_of, words_of
from protocols.scaip import Mrq, read

SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "scaip"
LINK = ScaipLink(source="s", udp="127.0.0.1:0")
PENDANT = Mrq(ref="R1", cid="4670", dty="0003", stc="0010", lco="012", did="P-7", crd="gsm:+46701234567")


def words(request: Mrq = PENDANT, language: str = "sv", **settings: object) -> Words:
    """What the rules see."""
    return words_of(request, replace(LINK, **settings), language)


@pytest.mark.parametrize(
    ("name", "event", "priority", "text"),
    [
        ("01_mrq_minimal_alarm.xml", None, None, "alarm [dty0001]"),
        (
            "02_mrq_pendant_full.xml", None, Priority.HIGH,
            "manual alarm, Pendant, Bedroom [dty0003 stc0010 lco012 dco002]",
        ),
        ("04_mrq_reset_abort.xml", SignalEvent.END, None, "alarm, pendant [dty0003]"),
        (
            "05_mrq_information_update.xml", SignalEvent.UPDATE, None,
            "manual reset, pendant [dty0003 stc0093]",
        ),
    ],
)  # fmt: skip
def test_every_sample_that_is_a_signal(
    name: str, event: SignalEvent | None, priority: Priority | None, text: str
) -> None:
    """Event, priority and text; None is a start, and the kind's own priority. (03 is a heartbeat.)"""
    request = read((SAMPLES / name).read_bytes())
    assert isinstance(request, Mrq)
    said = words(request, "en")
    assert (said.event, said.priority, said.text) == (event, priority, text)
    assert (said.address, said.key) == (request.cid, f"{request.cid}/{request.ref}")


@pytest.mark.parametrize(
    ("place_from", "address"),
    [("cid", "4670"), ("cid/did", "4670/P-7"), ("cid/lco", "4670/012"), ("crd", "gsm:+46701234567")],
)
def test_the_address_is_what_is_set(place_from: str, address: str) -> None:
    """And the controller alone where the rest is left out."""
    assert words(place_from=place_from).address == address
    assert words(Mrq(ref="1", cid="4670", dty="0003"), place_from=place_from).address == "4670"


@pytest.mark.parametrize(
    ("crd", "callback"),
    [
        ("gsm:+46701234567", "+46701234567"),
        ("sip:luc@arc.example", "sip:luc@arc.example"),
        ("no-voice:1", None),
        ("", None),
        ("+4670", None),
    ],
)
def test_whom_to_call(crd: str, callback: str | None) -> None:
    """A unit without voice has nobody."""
    assert words(replace(PENDANT, crd=crd)).callback == callback


def test_priorities_by_number() -> None:
    """0 to 9 on our scale, as the site draws the lines; nothing said is nothing."""
    low, medium, high = Priority.LOW, Priority.MEDIUM, Priority.HIGH
    numbers = [words(replace(PENDANT, pri=pri)).priority for pri in ("", "0", "3", "4", "6", "7", "9")]
    assert numbers == [None, low, low, medium, medium, high, high]
    assert words(replace(PENDANT, pri="9"), high_from=10).priority is medium


def test_what_the_unit_writes_wins_over_the_lists() -> None:
    """Device, status and place in its own words; the codes stay behind them."""
    said = words(replace(PENDANT, dte="Armband", stt="Hjälp!", lte="Vid spisen", ite="Hund"))
    assert said.text == "Hjälp!, Armband, Vid spisen, Hund [dty0003 stc0010 lco012]"
    away = words(replace(PENDANT, dty="0015", lco="", geo="59.33,18.06"))
    assert away.text == "manuellt larm, vandringslarm, GPS 59.33,18.06 [dty0015 stc0010]"


def test_a_lasting_condition_is_named_by_what_it_is_about() -> None:
    """Not by its reference, under which nobody will ever end it."""
    assert key_of(replace(PENDANT, stc="0085", dco="003")) == "4670/003/P-7/mains"
    assert key_of(PENDANT) == "4670/R1"


def test_presence() -> None:
    """On and off."""
    on, off = words(replace(PENDANT, stc="0087")), words(replace(PENDANT, stc="0088"))
    assert (on.event, on.present, off.present) == (SignalEvent.PRESENCE, True, False)


def test_an_origin_too_long_to_keep_is_left_out() -> None:
    """Half of one would be none."""
    assert words_of(PENDANT, LINK, "sv", origin="x" * 2_001).origin == ""
    assert words_of(PENDANT, LINK, "sv", origin="x").origin == "x"
