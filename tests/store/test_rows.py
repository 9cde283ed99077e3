"""What both stores share."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alarmhub.ports import FactRow, Unstorable
from alarmhub.store import rows
from tests.support.stored import alarm, alarm_row, batch, policy, site


@given(st.text())
def test_a_nul_is_found_however_it_is_dressed(text: str) -> None:
    """Exactly when the text really holds one, whatever backslashes stand around it."""
    call = batch(alarms=[alarm_row(alarm(text=text))])

    if "\0" in text:
        with pytest.raises(Unstorable):
            rows.check(call)
    else:
        rows.check(call)


@given(st.text(alphabet="\\u0\0n", max_size=12))
def test_a_nul_is_found_among_backslashes(text: str) -> None:
    """The same, where it is hard."""
    test_a_nul_is_found_however_it_is_dressed.hypothesis.inner_test(text)


def test_columns_are_rows_turned() -> None:
    """And as many as asked for when there are no rows."""
    assert rows.columns([(1, "a"), (2, "b")], 2) == [[1, 2], ["a", "b"]]
    assert rows.columns([], 3) == [[], [], []]


def test_the_last_word_on_a_fact_counts() -> None:
    """Kept and forgotten apart."""

    def fact(key: str, body: bytes | None) -> FactRow:
        return FactRow(scope="s", key=key, at=0, body=body)

    given = [fact("a", b"1"), fact("b", None), fact("a", None), fact("b", b"2")]

    assert rows.last_facts(given) == ([fact("b", b"2")], [fact("a", None)])


def test_a_site_is_whole_with_all_its_policies() -> None:
    """Under the number the store gave it."""
    old, new = policy(1), policy(2)

    whole = rows.whole_site(7, msgspec.json.encode(site(new)), [("calls", 1, msgspec.json.encode(old))])

    assert whole.version == 7
    assert whole.policies == {"calls": {1: old, 2: new}}
