"""The code lists in words."""

from __future__ import annotations

from protocols import scaip_codes as codes


def test_codes_are_said_in_the_sites_language() -> None:
    """Swedish and English."""
    assert (codes.device("0003", "sv"), codes.device("0003", "en")) == ("bärbar knapp", "pendant")
    assert (codes.status("0010", "sv"), codes.status("0010", "en")) == ("manuellt larm", "manual alarm")
    assert (codes.location("012", "sv"), codes.location("012", "en")) == ("sovrum", "bedroom")


def test_no_status_is_an_alarm() -> None:
    """SS 91100: omitted = alarm."""
    assert codes.status("", "en") == "alarm"
    assert codes.location("", "sv") == ""


def test_what_is_not_in_the_lists_is_shown_as_its_number() -> None:
    """Private ones too."""
    assert codes.device("0900", "sv") == "enhet 0900"
    assert codes.status("0999", "en") == "status 0999"
    assert codes.location("099", "en") == "location 099"


def test_codes_are_written_as_the_codec_pads_them() -> None:
    """Four digits, three for places; and each has both languages."""
    assert all(len(code) == 4 and code.isdigit() for code in (*codes.DEVICES, *codes.STATUSES))
    assert all(len(code) == 3 and code.isdigit() for code in codes.LOCATIONS)
    for table in (codes.DEVICES, codes.STATUSES, codes.LOCATIONS):
        assert all(swedish and english for swedish, english in table.values())


def test_conditions_that_begin_can_end() -> None:
    """Every condition has a status for either, all of them listed, none in both."""
    ended = {condition for conditions in codes.ENDS.values() for condition in conditions}
    assert set(codes.BEGINS.values()) == ended == set(codes.Condition)
    assert not set(codes.BEGINS) & set(codes.ENDS)
    assert {*codes.BEGINS, *codes.ENDS, *codes.CANCELS, codes.PRESENT, codes.ABSENT} <= set(codes.STATUSES)
