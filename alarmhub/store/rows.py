"""What both stores share: rows to columns, and the faults PostgreSQL would not notice.

Pure. It refuses to know SQL and to repair data: text is cleaned at the edge, here it is only refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from alarmhub.core.alarm import Alarm
from alarmhub.core.site import Policy, Site
from alarmhub.ports import Batch, FactRow, Unstorable

REPLIES_KEPT_MS = 24 * 3_600_000
BATCHES_KEPT_MS = 3_600_000
ENDED_RECENTLY_MS = 3_600_000
REPLIES_LOADED = 20_000

decode_alarm = msgspec.json.Decoder(Alarm).decode
decode_policy = msgspec.json.Decoder(Policy).decode
_decode_site = msgspec.json.Decoder(Site).decode

# An escaped NUL is valid JSON, is stored without complaint, and breaks every later look into the value.
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def check(batch: Batch) -> None:
    """Raise Unstorable for a NUL hidden in JSON."""
    for body in bodies(batch):
        if b"\\u0000" in body and _ESCAPED_NUL.search(body):
            raise Unstorable("a NUL character in JSON")


def bodies(batch: Batch) -> Iterable[bytes]:
    """All JSON in it."""
    yield from (row.body for row in batch.alarms)
    for event in batch.events:
        yield event.body
        yield event.reasons
    yield from (row.body for row in batch.outbox)
    yield from (row.body for row in batch.facts if row.body is not None)
    yield from (body for _, body in batch.rosters)


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into one list per column, as unnest takes them; `width` lists when there are no rows."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    return turned or [[] for _ in range(width)]


def last_facts(facts: Iterable[FactRow]) -> tuple[list[FactRow], list[FactRow]]:
    """The last word on each (scope, key): those to keep, and those to forget."""
    last = {(fact.scope, fact.key): fact for fact in facts}
    return [f for f in last.values() if f.body is not None], [f for f in last.values() if f.body is None]


def whole_site(version: int, body: bytes, policies: Iterable[tuple[str, int, bytes]]) -> Site:
    """The published site under its number, with every policy version ever published beside its own."""
    site = _decode_site(body)
    pinned: dict[str, dict[int, Policy]] = {name: dict(known) for name, known in site.policies.items()}
    for name, number, text in policies:
        pinned.setdefault(name, {})[number] = decode_policy(text)
    return msgspec.structs.replace(site, version=version, policies=pinned)
