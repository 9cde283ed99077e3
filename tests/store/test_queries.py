"""The file of queries, as a format and as it is."""

from __future__ import annotations

import re

import asyncpg
import pytest

from alarmhub.store.queries import QUERIES, parse


def test_a_query_is_what_stands_below_its_name() -> None:
    """Up to the next name; what stands above the first is a comment."""
    assert parse("-- all of it\n-- one --\nSELECT 1;\n\n-- two --\n-- why\nSELECT 2;\n") == {
        "one": "SELECT 1;",
        "two": "-- why\nSELECT 2;",
    }


def test_an_include_repeats_an_earlier_text() -> None:
    """Backslashes and all."""
    text = "-- part --\nWITH x AS (SELECT '\\1')\n-- whole --\n-- :include part\nSELECT * FROM x;"

    assert parse(text)["whole"] == "WITH x AS (SELECT '\\1')\nSELECT * FROM x;"


@pytest.mark.parametrize("text", ["-- a --\n-- a --\n", "-- a --\n-- :include b\n-- b --\n"])
def test_a_faulty_file_is_refused(text: str) -> None:
    """A name twice; an include of what is not there yet."""
    with pytest.raises(ValueError, match="a"):
        parse(text)


async def test_each_query_fits_the_schema(database_dsn: str) -> None:
    """PostgreSQL takes every one, so that a rarely used one cannot fail on the night it is needed."""
    connection = await asyncpg.connect(database_dsn)
    try:
        for name, query in QUERIES.items():
            if name != "write_core":  # a part of two others
                await connection.prepare(query)
    finally:
        await connection.close()


def test_only_the_lease_looks_at_the_databases_clock() -> None:
    """Every other rule gets its `now` from the hub. `schema_migration` notes when it was written."""
    looking = {name for name, query in QUERIES.items() if re.search(r"clock_timestamp|\bnow\b\s*\(", query)}

    assert looking <= {"acquire_look", "acquire", "renew", "migrations_make", *LOOKING_ONLY}


LOOKING_ONLY = {name for name in QUERIES if name.startswith("condition")}
