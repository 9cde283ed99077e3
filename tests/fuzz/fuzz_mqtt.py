"""Fuzz target for the MQTT payload codec: `topic NUL payload`, live and retained.

An MQTT message arrives whole, so there is nothing to split. `target` raises AssertionError when a promise of
the codec is broken, and whatever the codec raised if it did.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from protocols.mqtt_devices import LONGEST_ID_CHARS
from protocols.mqtt_payloads import Decoder
from protocols.mqtt_says import LONGEST_TEXT_CHARS, Pressed, Said, Seen, SignalSaid, Unreadable
from protocols.mqtt_topics import LONGEST_TOPIC_CHARS, Routes

DECODER: Final = Decoder(
    Routes(
        own="alarmhub/b",
        chirpstack="application",
        zigbee2mqtt="zigbee2mqtt",
        shelly_gen1="shellies",
        shelly_gen2=("+",),
        buttons=("callbuttons/+/event",),
    ),
    idle=("fPort=5$",),
)
_SAMPLES: Final = Path(__file__).parents[1] / "protocols/samples/mqtt/messages.jsonl"


def _seed(topic: str, payload: object) -> bytes:
    body = payload if isinstance(payload, str) else json.dumps(payload)
    return f"{topic}\0{body}".encode()


SEEDS: Final[list[bytes]] = [
    _seed(sample["topic"], sample["payload"]) for sample in map(json.loads, _SAMPLES.read_text().splitlines())
] + [
    _seed("alarmhub/b/signals", {"event": "start", "ref": "r", "place": "p", "kind": "team", "id": "i"}),
    _seed("alarmhub/b/devices/b1", {"online": False, "battery": 12}),
    _seed("application/a/device/01/event/status", {"batteryLevel": 88.2, "margin": 7}),
    _seed("application/a/device/01/event/join", {"devAddr": "00189440"}),
    _seed("application/a/device/01/event/up", {"objectJSON": '{"button":[0,1]}', "fCnt": 7, "time": "2024"}),
    _seed("shellies/x/online", "true"),
    _seed(
        "shellyplus1/events/rpc", {"method": "NotifyEvent", "params": {"events": [{"event": "single_push"}]}}
    ),
]


def target(data: bytes) -> None:
    """One message, as said now and as remembered."""
    name, _, payload = data.partition(b"\0")
    topic = name.decode("utf-8", "replace")
    for retained in (False, True):
        says = DECODER.decode(topic, payload, retained)
        assert says == DECODER.decode(topic, payload, retained)
        assert len(says) <= 64
        for said in says:
            check(said)
            assert not (retained and isinstance(said, Pressed | SignalSaid))


def check(said: Said) -> None:
    """What is said is bounded: it is shown, stored, and kept in mind."""
    if isinstance(said, Pressed):
        assert said.device and len(said.device) <= LONGEST_TOPIC_CHARS + LONGEST_TEXT_CHARS
        assert len(said.text) <= LONGEST_TEXT_CHARS and len(said.id) <= LONGEST_ID_CHARS
    elif isinstance(said, Seen):
        assert said.battery is None or 0 <= said.battery <= 100
    elif isinstance(said, Unreadable):
        assert len(said.why) <= LONGEST_TEXT_CHARS + 64
