"""Loads queries.sql: one statement per `-- name --` heading; `-- :include name` repeats an earlier one.

It refuses duplicate names and unknown includes. No SQL is made anywhere else, and none from values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

_HEADING = re.compile(r"^-- (\w+) --$", re.MULTILINE)
_INCLUDE = re.compile(r"^-- :include (\w+)$", re.MULTILINE)


def parse(text: str) -> Mapping[str, str]:
    """Name → statement. What stands before the first heading is a comment. Raises ValueError."""
    queries: dict[str, str] = {}
    parts = _HEADING.split(text)[1:]
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"two queries are named {name}")
        missing = [part for part in _INCLUDE.findall(body) if part not in queries]
        if missing:
            raise ValueError(f"query {name} includes {missing[0]}, which does not stand above it")
        queries[name] = _INCLUDE.sub(lambda found: queries[found[1]], body).strip()
    return queries


QUERIES = parse(files("alarmhub.store").joinpath("queries.sql").read_text(encoding="utf-8"))
