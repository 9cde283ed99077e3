"""Rows as the engine would write them, with everything unimportant filled in."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from alarmhub.core.alarm import Alarm
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import Policy, Site, Step
from alarmhub.ports import AlarmRow, Batch, EventRow, OutboxRow

NOW = 1_789_369_200_000  # 2026-09-14 09:00 in Stockholm
HOUR = 3_600_000

_numbers = itertools.count(1)


def fresh(prefix: str) -> str:
    """An id nobody else has; later ones sort later."""
    return f"{prefix}-{next(_numbers):06d}"


def alarm(id: str = "", **fields: Any) -> Alarm:
    """An alarm of bed 12:2, ringing since NOW, unless said otherwise."""
    usual: dict[str, Any] = {
        "id": id or fresh("alarm"),
        "source": "plant",
        "key": "12:2",
        "ref": "r1",
        "kind": Kind.PATIENT_CALL,
        "type": "patientkallelse",
        "priority": Priority.LOW,
        "place": "fjällmark/201/12/2",
        "unit": "201",
        "raised_at": NOW,
        "at": NOW,
        "policy": "calls",
        "policy_version": 1,
        "version": 1,
    }
    return Alarm(**(usual | fields))


def alarm_row(alarm: Alarm, **columns: Any) -> AlarmRow:
    """Its row, as the engine makes it."""
    usual: dict[str, Any] = {
        "id": alarm.id,
        "source": alarm.source,
        "key": alarm.key,
        "kind": alarm.kind,
        "priority": alarm.priority,
        "place": alarm.place,
        "unit": alarm.unit,
        "phase": alarm.phase,
        "version": alarm.version,
        "raised_at": alarm.raised_at,
        "at": alarm.at,
        "due": alarm.at + 45_000,
        "body": msgspec.json.encode(alarm),
    }
    return AlarmRow(**(usual | columns))


def event_row(alarm: str, **columns: Any) -> EventRow:
    """One entry of an alarm's log."""
    usual: dict[str, Any] = {
        "id": fresh("event"),
        "alarm": alarm,
        "version": 1,
        "at": NOW,
        "received_at": NOW,
        "type": "raised",
        "body": b'{"by":"plant"}',
        "reasons": b'[{"name":"care_team"}]',
        "phase": "ringing",
        "roster": "r0",
    }
    return EventRow(**(usual | columns))


def effect_row(**columns: Any) -> OutboxRow:
    """A report to the plant."""
    usual: dict[str, Any] = {
        "id": fresh("effect"),
        "alarm": "a",
        "channel": "report",
        "address": "plant",
        "body": b'{"status":"paged"}',
        "created_at": NOW,
        "give_up_at": NOW + 60_000,
    }
    return OutboxRow(**(usual | columns))


def batch(**parts: Any) -> Batch:
    """A batch with an id of its own."""
    return Batch(**({"id": fresh("batch")} | parts))


def raised(*alarms: Alarm) -> Batch:
    """A batch that opens these alarms, with one event each."""
    return batch(alarms=[alarm_row(a) for a in alarms], events=[event_row(a.id) for a in alarms])


def policy(version: int = 1, answer_s: int = 45) -> Policy:
    """The policy `calls`, one step."""
    return Policy(
        name="calls",
        version=version,
        steps=(Step(targets=("care_team",), answer_s=answer_s, reach_s=10),),
        last_resort_s=60,
        return_s=180,
        remind_s=180,
        lapse_s=300,
    )


def site(newest: Policy) -> Site:
    """A site with nothing in it but one policy."""
    return Site(
        version=0,
        site="fjällmark",
        name="Region Fjällmark",
        zone="Europe/Stockholm",
        language="sv",
        holidays=frozenset({"2026-12-25"}),
        floor_words=("HJÄRT",),
        units={},
        places={},
        roles={},
        staff={},
        duties=(),
        covers=(),
        types={},
        policies={newest.name: {newest.version: newest}},
        newest={newest.name: newest.version},
        policy_rules=(),
        sources={},
    )
