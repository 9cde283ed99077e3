"""Messages to numbers: alarms of their own, the same one when sent twice."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.inbound.pages import (
    MAX_MESSAGE_CHARS,
    MOST_TRANSMISSIONS,
    NAME_BYTES,
    Transmissions,
    as_page,
    known_address,
    names_of,
)
from tests.support.intake import BED
from tests.support.paging import SOURCE, paging_site
from tests.support.stored import alarm as an_alarm

SITE = paging_site()
PAGE = Signal("lab", SignalEvent.START, ref="1042", source_text="hej")


def test_a_page_is_an_alarm_of_its_own_that_staff_end() -> None:
    """Keyed by its transmission, unless the source gave it a key."""
    page = as_page(PAGE, SITE, "k1", "hej")
    assert (page.event, page.key, page.text) == (SignalEvent.ONCE, "k1", "")
    assert as_page(replace(PAGE, key="own"), SITE, "k1", "hej").key == "own"


def test_a_call_at_a_place_and_an_end_stay_what_they_are() -> None:
    """Their keys are the engine's business."""
    for signal in (replace(PAGE, place=BED), replace(PAGE, event=SignalEvent.END)):
        assert as_page(signal, SITE, "k1", "hej") == signal


def test_a_long_message_is_kept_beside_what_the_rules_saw() -> None:
    """Cleaned and bounded."""
    page = as_page(PAGE, SITE, "k1", "x\x00" + "y" * 2_000)
    assert page.text.startswith("x y") and len(page.text) == MAX_MESSAGE_CHARS


def test_the_same_words_within_the_window_are_one_transmission() -> None:
    """Counted from the first; then they are another."""
    names = Transmissions(1_000)
    first = names.name(("a", "b"), 500)
    assert names.name(("a", "b"), 1_499) == first
    assert names.name(("a", "b"), 1_500) != first
    assert names.name(("ab", ""), 1_500) != names.name(("a", "b"), 1_500)


def test_a_restarted_hub_gives_the_same_name_in_the_same_stretch() -> None:
    """And nobody can guess it who does not know the secret."""
    assert Transmissions(1_000).name(("a",), 200) == Transmissions(1_000).name(("a",), 900)
    assert Transmissions(1_000, "s").name(("a",), 200) == Transmissions(1_000, "s").name(("a",), 900)
    assert Transmissions(1_000, "s").name(("a",), 200) != Transmissions(1_000).name(("a",), 200)


def test_a_restart_between_two_stretches_makes_no_second_page() -> None:
    """The window reaches back over the edge: to what has an open alarm, and no further than it is long."""

    def restarted() -> Transmissions:
        return Transmissions(1_000, "s", lambda: {first[:NAME_BYTES]: 700})

    first = Transmissions(1_000, "s").name(("a",), 700)
    names = restarted()
    assert [names.name(("a",), now) == first for now in (1_200, 1_699, 1_700)] == [True, True, False]
    assert restarted().name(("a",), 1_700) != first
    assert restarted().name(("b",), 1_200) == Transmissions(1_000, "s").name(("b",), 1_200)
    assert Transmissions(1_000, "s", dict).name(("a",), 1_200) != first


def test_which_transmissions_have_an_alarm() -> None:
    """By the alarm's key, of this source alone, and of no call that has a key of another kind."""

    def alarm(source: str, key: str) -> Alarm:
        return an_alarm(source=source, key=key, raised_at=7)

    name = Transmissions(0).name(("a",), 1)
    keys = (f"snpp:{name[:8].hex()}:1042", f"smtp:{name.hex()}", "smtp:short", "12:1", "")
    for key, found in zip(keys, (True, True, False, False, False), strict=True):
        assert names_of([alarm("lab", key)], "lab") == ({name[:NAME_BYTES]: 7} if found else {})
        assert names_of([alarm("other", key)], "lab") == {}


def test_without_a_window_every_millisecond_is_another() -> None:
    """Nothing is remembered."""
    names = Transmissions(0)
    assert names.name(("a",), 1) != names.name(("a",), 2)


def test_what_is_remembered_is_bounded() -> None:
    """A flood within the window forgets, and only costs a second alarm."""
    names = Transmissions(1_000)
    for number in range(3 * MOST_TRANSMISSIONS):
        names.name((str(number),), 10)
    assert len(names._lately) <= MOST_TRANSMISSIONS
    assert names.name(("0",), 20) == Transmissions(1_000).name(("0",), 10)


def test_which_addresses_the_site_knows() -> None:
    """Numbers, and what a rule looks for in addresses; a rule over texts knows none."""
    known = [
        address
        for address in ("1042", "2013", "kyl", "4711", "", "Sal 1")
        if known_address(address, SOURCE, SITE)
    ]
    assert known == ["1042", "2013", "kyl"]
