"""A dumped site is a site file again."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alarmhub.core.site import Site
from alarmhub.site import check, dump, publish

DEMO = (Path(__file__).parents[2] / "config" / "demo.toml").read_text()


def demo() -> Site:
    """The demo site, checked."""
    site = check(DEMO)
    assert isinstance(site, Site)
    return site


def test_a_dump_checks_back_to_an_equal_site() -> None:
    """Every unit, place, person, duty, cover, type, policy and source, in their order."""
    site = demo()
    again = check(dump(site))
    assert again == site
    assert isinstance(again, Site) and list(again.places) == list(site.places)


def test_a_dump_of_a_published_site_publishes_to_the_same_version() -> None:
    """Version numbers are not in the file, and loading a dump changes nothing."""
    first = publish(None, demo())
    assert isinstance(first, Site)
    changed = check(DEMO.replace("return_after = 90", "return_after = 120"))
    assert isinstance(changed, Site)
    second = publish(first, changed)
    assert isinstance(second, Site) and second.version == 2
    dumped = check(dump(second))
    assert isinstance(dumped, Site)
    assert publish(second, dumped) is second


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_any_words_survive_the_quoting(words: str) -> None:
    """Quotes, backslashes, control characters and all of Unicode, in a value and as a key."""
    site = replace(demo_small(), name=words, extra={words: words})
    read = tomllib.loads(dump(site))
    assert read["name"] == words and read["extra"] == {words: words}


def demo_small() -> Site:
    """The demo site without what makes it long."""
    return replace(
        DEMO_SITE, places={}, staff={}, duties=(), types={}, sources={}, policy_rules=(), covers=()
    )


DEMO_SITE = demo()
