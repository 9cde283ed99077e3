"""Ids: unique, in order of creation, valid as what they claim to be."""

from __future__ import annotations

import uuid

import hypothesis.strategies as st
from hypothesis import given

from alarmhub.engine.ids import Numbers, alarm_id
from tests.support.stored import NOW


@given(st.integers(0, 2**48 - 1))
def test_an_alarm_id_is_a_version_7_uuid_of_its_time(now: int) -> None:
    """RFC 9562: version, variant, and the time in the first 48 bits."""
    id = uuid.UUID(alarm_id(now))
    assert id.version == 7 and id.variant == uuid.RFC_4122
    assert id.int >> 80 == now


def test_alarm_ids_sort_by_time_and_never_repeat() -> None:
    """Of one millisecond they differ, of two they sort."""
    same = {alarm_id(NOW) for _ in range(10_000)}
    assert len(same) == 10_000
    assert max(same) < alarm_id(NOW + 1)


def test_numbers_sort_in_order_of_creation_and_by_epoch() -> None:
    """First in, first out in the outbox, across restarts too."""
    first, second = Numbers(9), Numbers(10)
    made = [first.next() for _ in range(1_000)] + [second.next() for _ in range(1_000)]
    assert made == sorted(made) and len(set(made)) == 2_000
