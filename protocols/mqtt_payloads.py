"""What one MQTT message says, by the topics of a link: our own JSON here, the others in `mqtt_devices`.

`Decoder.decode` never raises. A retained message is a memory and no press: it tells states (battery,
availability) and never an action. It refuses to know places and kinds, and to decide what rings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from protocols import mqtt_devices
from protocols.mqtt_says import (
    LONGEST_TEXT_CHARS,
    Ignored,
    Pressed,
    Said,
    Seen,
    SignalSaid,
    Unreadable,
    as_battery,
    as_bool,
    bare_word,
    epoch_ms,
    read_json,
    word,
)
from protocols.mqtt_topics import LONGEST_TOPIC_CHARS, Dialect, Routes

LONGEST_PAYLOAD_BYTES: Final = 65_536
IDLE_WORDS: Final = (
    r"(?:^|[ .])(?:button|press|pressed|action|alarm|event|call|sos)=(?:0|false|none|idle|heartbeat)(?= |$)"
)
"""What a device that reports at rest says of its button, in the text of a press; see `Decoder`."""

_Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


class _Own(Struct, frozen=True):
    """The body of POST /api/v1/signals; unknown members are ignored."""

    event: Literal["start", "update", "end", "once", "acknowledged", "presence"]
    ref: Annotated[str, Meta(max_length=128, pattern=r"^[^\x00]*$")] = ""
    place: Annotated[str, Meta(max_length=256, pattern=r"^[^\x00]*$")] = ""
    kind: _Name | None = None
    type: _Name | None = None
    priority: _Name | None = None
    text: Annotated[str, Meta(max_length=160, pattern=r"^[^\x00]*$")] = ""
    id: _Name | None = None
    present: bool | None = None
    callback: _Name | None = None
    person: _Name | None = None
    heard: bool = False
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None


_own: Final = msgspec.json.Decoder(_Own)


class Decoder:
    """Reads the messages of one link. `idle`: regular expressions; a press in whose text one is found is the
    device's sign of life and no press. Raises re.error when one is none."""

    def __init__(self, routes: Routes, idle: Iterable[str] = ()) -> None:
        self._routes = routes
        self._idle = tuple(re.compile(pattern) for pattern in idle)

    def decode(self, topic: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
        """What the message says, in order; empty: nothing worth a word."""
        if len(topic) > LONGEST_TOPIC_CHARS:
            return (Unreadable("the topic is too long"),)
        dialect = self._routes.dialect(topic)
        if dialect is None:
            return (Ignored("not_asked_for"),)
        if dialect is Dialect.ZIGBEE2MQTT and topic.startswith(f"{self._routes.zigbee2mqtt}/bridge/"):
            payload = payload[:LONGEST_PAYLOAD_BYTES]  # the list of devices is long, and not for us
        if len(payload) > LONGEST_PAYLOAD_BYTES:
            return (Unreadable(f"{len(payload)} bytes are too many"),)
        says = self._read(dialect, topic, payload, retained)
        return tuple(self._settled(said, topic) for said in says)

    def _read(self, dialect: Dialect, topic: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
        routes = self._routes
        match dialect:
            case Dialect.SIGNAL:
                return (mqtt_devices.REMEMBERED,) if retained else (own_signal(payload),)
            case Dialect.DEVICE:
                return (own_device(topic.rpartition("/")[2], payload, retained),)
            case Dialect.CHIRPSTACK:
                return mqtt_devices.chirpstack(topic, payload, retained)
            case Dialect.ZIGBEE2MQTT:
                return mqtt_devices.zigbee2mqtt(routes.zigbee2mqtt, topic, payload, retained)
            case Dialect.SHELLY_GEN1:
                return mqtt_devices.shelly_gen1(routes.shelly_gen1, topic, payload, retained)
            case Dialect.SHELLY_GEN2:
                return mqtt_devices.shelly_gen2(topic, payload, retained)
            case Dialect.BUTTON:
                return mqtt_devices.button(topic, payload, retained)

    def _settled(self, said: Said, topic: str) -> Said:
        if isinstance(said, Pressed | Seen) and not said.device:
            said = replace(said, device=topic)  # nobody gave it a name, and it may ring all the same
        if isinstance(said, Pressed) and any(idle.search(said.text) for idle in self._idle):
            return Ignored("at_rest")
        return said


def own_signal(payload: bytes) -> SignalSaid | Unreadable:
    """Our own JSON. What is required of which event is as over HTTP (design.md, section 5)."""
    try:
        taken = _own.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Unreadable(_plain(error))
    missing = _missing(taken)
    if missing:
        return Unreadable(missing)
    at = taken.occurred_at
    return SignalSaid(
        event=taken.event,
        ref=taken.ref,
        place=taken.place,
        kind=taken.kind,
        type=taken.type,
        priority=taken.priority,
        text=taken.text,
        id=taken.id,
        present=taken.present if taken.event == "presence" else None,
        callback=taken.callback,
        person=taken.person,
        heard=taken.heard,
        occurred_at=None if at is None else epoch_ms(at.isoformat()),
    )


def _missing(taken: _Own) -> str:
    if taken.event == "presence":
        return "" if taken.place and taken.present is not None else "place and present are required"
    if not taken.ref:
        return "ref: is required"
    begins = taken.event in ("start", "once")
    return "kind: kind or type is required" if begins and not (taken.kind or taken.type) else ""


def _plain(error: Exception) -> str:
    """The field first, then what is wrong with it."""
    text, _, path = str(error).partition(" - at `$.")
    said = f"{path.rstrip('`')}: {text}" if path else text
    return said.replace("`", "")[:LONGEST_TEXT_CHARS]


def own_device(name: str, payload: bytes, retained: bool) -> Said:
    """What a device of our own dialect says of itself, fit for its last will: `{"online": false}`, with
    `battery` (percent) and `low`; or the bare word online or offline."""
    text = bare_word(payload)
    if text is not None:
        online = {"online": True, "offline": False}.get(text)
        return Ignored("empty") if not text else _device(name, None, None, online, retained)
    body, wrong = read_json(payload)
    if not isinstance(body, dict):
        return Unreadable(wrong or "no JSON object")
    battery, low, online = (
        as_battery(body.get("battery")),
        as_bool(body.get("low")),
        as_bool(body.get("online")),
    )
    return _device(name, battery, low, online, retained)


def _device(name: str, battery: float | None, low: bool | None, online: bool | None, retained: bool) -> Said:
    if battery is None and low is None and online is None:
        return Unreadable("expected online, battery or low")
    return Seen(word(name), battery, low, online, live=not retained and online is not False)
