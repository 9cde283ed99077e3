"""No emergency or assault may come from where nobody could ever end it."""

from __future__ import annotations

import pytest

from alarmhub.core.site import Site
from alarmhub.site import Fault, check, dump
from tests.support.site_file import GOOD


def source(row: str, more: str = "") -> Site | list[Fault]:
    """The good file with one source more."""
    return check(f'{GOOD}\n[[source]]\nid = "button"\nname = "B"\nfallback_unit = "201"\n{row}\n{more}')


def paths(found: Site | list[Fault]) -> list[str]:
    """Where the faults are, from the new source on."""
    assert isinstance(found, list), "it was taken"
    return [fault.path.partition("].")[2] for fault in found]


RULE = "[[source.rules]]\ntext = 'x'\n"


@pytest.mark.parametrize("kind", ["emergency", "assault"])
@pytest.mark.parametrize(
    ("row", "where"),
    [
        ('ends = "staff"\ndefault_kind = "{kind}"', "default_kind"),
        ('ends = "staff"\n' + RULE + 'kind = "{kind}"', "rules[0].kind"),
        (RULE + 'kind = "{kind}"\nevent = "once"', "rules[0].kind"),
    ],
)
def test_a_source_that_sends_no_end_is_refused(row: str, where: str, kind: str) -> None:
    """By default kind, by rule, or because this rule says `once`; the fault names where."""
    assert where in paths(source(row.format(kind=kind)))


def test_a_pager_number_counts_too() -> None:
    """Whoever can dial it raises it."""
    number = '[[number]]\nnumber = "9008"\nkind = "assault"\nunit = "201"\n'
    assert "ends" in paths(source('ends = "staff"', number))
    assert isinstance(source('ends = "source"', number), Site)


@pytest.mark.parametrize(
    "row",
    [
        'default_kind = "emergency"',
        RULE + 'kind = "assault"',
        RULE + 'kind = "emergency"\nevent = "end"',
        'ends = "staff"\n' + RULE + 'kind = "toilet_call"',
        'ends = "staff"\ndefault_kind = "team"',
        'ends = "staff"\n' + RULE + 'kind = "emergency"\nevent = "end"',
    ],
)
def test_whatever_somebody_can_end_is_taken(row: str) -> None:
    """A source that sends ends, a kind that staff or a team's leader may end, a rule that only ends."""
    assert isinstance(source(row), Site), row


def test_a_desk_may_be_named_to_end_it() -> None:
    """Said in the file, kept by a dump."""
    site = source('ends = "staff"\ndefault_kind = "assault"\nends_by_desk = true')
    assert isinstance(site, Site), [str(fault) for fault in site]
    assert site.sources["button"].ends_by_desk
    again = check(dump(site))
    assert isinstance(again, Site) and again.sources["button"].ends_by_desk
