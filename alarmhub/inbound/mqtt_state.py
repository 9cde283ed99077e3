"""What a lamp or a corridor display may follow: the state of each alarm of a source as retained messages.

A topic for each place (its most urgent alarm) or for each alarm; cleared when there is none any more. It says
phase, kind, priority, place and since when: no name, no text. Rendered from committed state at the time of
sending. It refuses to send; and to show an assault alarm, unless told to: the display hangs where it happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec import Struct

from alarmhub.core.alarm import Alarm, Flag, Phase
from alarmhub.core.kinds import KIND_URGENCY, PRIORITY_RANK, Kind, Priority
from alarmhub.inbound.mqtt_settings import MqttLink
from protocols.mqtt_topics import level

CLEARED: Final = b""
MOST_REMEMBERED: Final = 10_000
ONLINE: Final = b'{"online":true}'
OFFLINE: Final = b'{"online":false}'


class StateOut(Struct, frozen=True, kw_only=True):
    """One state. `alarms`: how many are open there; `returned`: nobody has taken it and the source knows."""

    phase: Phase
    kind: Kind
    priority: Priority
    place: str
    since: datetime
    returned: bool
    alarms: int
    source: str


class StateBoard:
    """What one link should show and what the broker has. Knows only the present connection's answers."""

    def __init__(self, settings: MqttLink) -> None:
        self._settings = settings
        self._prefix = settings.state_prefix
        self._shown: dict[str, bytes] = {}

    @property
    def hub_topic(self) -> str:
        """Where it stands whether this hub is there; its last will too."""
        return f"{self._prefix}/hub/{level(self._settings.source)}"

    @property
    def filter(self) -> str:
        """Where the broker may remember states of a hub before this one."""
        return f"{self._prefix}/#"

    def covers(self, topic: str) -> bool:
        """Whether a topic is a state's."""
        return bool(self._prefix) and topic.startswith(f"{self._prefix}/")

    def forget(self) -> None:
        """A new connection: everything is to be said again."""
        self._shown.clear()

    def remembered(self, topic: str, payload: bytes) -> None:
        """The broker has this. Only what this source said is ours to clear."""
        try:
            state = msgspec.json.decode(payload, type=StateOut)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if state.source == self._settings.source and len(self._shown) < MOST_REMEMBERED:
            self._shown.setdefault(topic, payload)

    def changes(self, alarms: Iterable[Alarm]) -> list[tuple[str, bytes]]:
        """What must be published so that the broker has what is true: topic and payload, ended ones last."""
        wanted = self._wanted(alarms)
        fresh = [(topic, payload) for topic, payload in wanted.items() if self._shown.get(topic) != payload]
        return fresh + [(topic, CLEARED) for topic in self._shown if topic not in wanted]

    def published(self, topic: str, payload: bytes) -> None:
        """The broker has taken it."""
        if payload == CLEARED:
            self._shown.pop(topic, None)
        else:
            self._shown[topic] = payload

    def _wanted(self, alarms: Iterable[Alarm]) -> dict[str, bytes]:
        at: dict[str, list[Alarm]] = {}
        for alarm in alarms:
            if alarm.source == self._settings.source and self._shows(alarm):
                at.setdefault(self._topic(alarm), []).append(alarm)
        return {topic: self._payload(there) for topic, there in at.items()}

    def _shows(self, alarm: Alarm) -> bool:
        return alarm.open and (alarm.kind is not Kind.ASSAULT or self._settings.state_assault)

    def _topic(self, alarm: Alarm) -> str:
        if self._settings.state_by == "alarm" or not alarm.place:
            return f"{self._prefix}/alarm/{level(alarm.id)}"
        return "/".join([self._prefix, *(level(part) for part in alarm.place.split("/") if part)])

    def _payload(self, there: list[Alarm]) -> bytes:
        worst = max(there, key=_urgency)
        state = StateOut(
            phase=worst.phase,
            kind=worst.kind,
            priority=worst.priority,
            place=worst.place,
            since=datetime.fromtimestamp(worst.raised_at // 1000, UTC),
            returned=Flag.RETURNED in worst.flags,
            alarms=len(there),
            source=self._settings.source,
        )
        return msgspec.json.encode(state)


def _urgency(alarm: Alarm) -> tuple[int, int, bool, int, str]:
    """The highest priority first, then the more urgent kind, then what nobody has, then the oldest."""
    untaken = alarm.phase in (Phase.RINGING, Phase.PARTLY_ACCEPTED)
    return PRIORITY_RANK[alarm.priority], KIND_URGENCY[alarm.kind], untaken, -alarm.raised_at, alarm.id
