"""Sources: rules that compile, places that exist, samples that map as they say."""

from __future__ import annotations

import pytest

from alarmhub.core.site import Site
from alarmhub.site import check, dump
from tests.support.site_file import GOOD, assert_one_fault

SAMPLE = "source[0].samples[0]"

CASES = [
    ('id = "plant"', 'id = "hub"', "source[0].id", "the hub itself"),
    ('fallback_unit = "201"', 'fallback_unit = "209"', "source[0].fallback_unit", 'no unit "209"'),
    ("address = '^2010$'", "address = '^20(10$'", "source[0].rules[0].address", "no regular expression"),
    ("{room}/wc", "{rum}/wc", "source[0].rules[0].place", '"{rum}" is no group'),
    ('place = "201/{room}/wc"', 'place = "201/9"', "source[0].rules[0].place", 'no place "201/9"'),
    ('type = "wc" }', 'type = "wc", priority = "low" }', "source[0].rules[0].priority", "below the floor"),
    ('type = "wc" }', 'type = "wc", kind = "door" }', "source[0].rules[0].kind", "is toilet_call"),
    ('place = "201/2/1"', 'place = "201/3/1"', SAMPLE, "place is f/201/2/1, expected f/201/3/1"),
    ('priority = "low" }', 'priority = "medium" }', SAMPLE, "priority is low, expected medium"),
    ('text = "Sal 2 plats 1"', 'text = "AKUT Sal 2 plats 1"', SAMPLE, "priority is high"),
    ('protocol = "espa"', 'protocol = "espa"\nreports = "some"', "source[0].reports", "some"),
    ('priority = "low" }', 'priority = "information" }', "source[0].samples[0].priority", "below the floor"),
]


@pytest.mark.parametrize(("old", "new", "path", "message"), CASES, ids=[f"{c[2]}: {c[3]}" for c in CASES])
def test_a_source_that_would_map_wrong_is_refused(old: str, new: str, path: str, message: str) -> None:
    """Bad patterns, unknown groups and places, priorities below the floor, samples that map otherwise."""
    assert_one_fault(old, new, path, message)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("true", "alarm"), ("false", "none"), ('"none"', "none"), ('"alarm"', "alarm"), ('"each"', "each")],
)
def test_how_much_a_source_is_told(written: str, meant: str) -> None:
    """Yes means of the alarm as a whole; of each person only where that is said."""
    site = check(GOOD.replace('protocol = "espa"', f'protocol = "espa"\nreports = {written}'))
    assert isinstance(site, Site) and site.sources["plant"].hears == meant
    again = check(dump(site))
    assert isinstance(again, Site) and again.sources == site.sources


def test_clinical_alarms_need_a_named_person_and_a_date() -> None:
    """Refused without, and with anything else than "name, date"; kept as written."""
    line = 'protocol = "espa"'
    clinical = f'{line}\ndefault_kind = "clinical"'
    assert_one_fault(line, clinical, "source[0].default_kind", "clinical_enabled_by")
    vague = f'{clinical}\nclinical_enabled_by = "somebody"'
    assert isinstance(refused := check(GOOD.replace(line, vague)), list)
    assert "source[0].clinical_enabled_by" in {fault.path for fault in refused}
    named = GOOD.replace(line, f'{line}\nclinical_enabled_by = "Karin Berg, 2026-11-23"')
    site = check(named)
    assert isinstance(site, Site), site
    assert site.sources["plant"].clinical_enabled_by == "Karin Berg, 2026-11-23"
    again = check(dump(site))
    assert isinstance(again, Site) and again.sources == site.sources


@pytest.mark.parametrize("said", ['kind = "clinical"', 'type = "spo2"'])
def test_a_rule_that_maps_to_clinical_needs_one_too(said: str) -> None:
    """By kind, or by a type of that kind."""
    text = GOOD.replace('type = "wc" }', f"{said} }}").replace(
        "[[source]]", '[[type]]\nid = "spo2"\nkind = "clinical"\nlabel = "SpO2"\n\n[[source]]', 1
    )
    faults = check(text)
    assert isinstance(faults, list)
    key = said.partition(" ")[0]
    assert f"source[0].rules[0].{key}" in {fault.path for fault in faults if "clinical" in fault.message}
