"""The dialects of buttons on MQTT: ChirpStack v4 (and v3's fields), Zigbee2MQTT, Shelly, plain button topics.

Each reader takes topic, payload and whether the broker only remembered it (`retained`), and gives what it
says; none raises. Shapes: the projects' own documentation. A retained message gives states, never a press.
They refuse to choose what rings: every uplink with a payload may, unless the link's idle words say otherwise
(`protocols.mqtt_payloads`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from protocols.mqtt_says import (
    LONGEST_TEXT_CHARS,
    BridgeSaid,
    Ignored,
    Pressed,
    Said,
    Seen,
    Unreadable,
    as_battery,
    as_bool,
    bare_word,
    epoch_ms,
    read_json,
    word,
)

REMEMBERED: Final = Ignored("retained")
MOST_FIELDS: Final = 24
"""Of a decoded uplink; the rest is not shown."""
DEEPEST: Final = 4
LONGEST_ID_CHARS: Final = 64
_BATTERY_FIELDS: Final = frozenset(
    ("battery", "batterylevel", "battery_level", "batt", "bat", "battery_percent")
)
_LOW_FIELDS: Final = frozenset(("battery_low", "batterylow", "low_battery", "lowbattery"))
# fmt: off
_HOUSEKEEPING: Final = _BATTERY_FIELDS | _LOW_FIELDS | {
    "temperature", "humidity", "voltage", "battery_voltage", "batteryvoltage", "batv", "bat_v", "rssi", "snr",
    "uptime", "version", "firmware", "hardware", "firmware_version", "hardware_version",
}
# fmt: on
_BUTTON_FIELDS: Final = ("button", "btn", "press", "action", "alarm", "event", "call", "sos", "panic")
"""How the names of fields begin that say whether somebody pressed."""
_AT_REST: Final = frozenset(
    ("", "0", "false", "none", "idle", "off", "no", "normal", "heartbeat", "released")
)


# ChirpStack


def chirpstack(topic: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
    """An event of a LoRaWAN device: `…/<application>/device/<devEUI>/event/<event>`.

    The devEUI of the topic counts: v3 wrote it in base64 into the payload. `deduplicationId` is the network
    server's id of one uplink however many gateways heard it; where it is missing, counter and time are.
    """
    device, event = topic.split("/")[-3].lower(), topic.rsplit("/", 1)[-1]
    if event not in ("up", "join", "status"):
        return (Ignored("chirpstack_event"),)
    body, wrong = read_json(payload)
    if not isinstance(body, dict):
        return (Unreadable(wrong or "no JSON object"),)
    if event == "status":
        return (_device_status(device, body, retained),)
    if event == "join":
        return (Seen(device, live=not retained),)
    return tuple(_uplink(device, body, retained))


def _device_status(device: str, body: Mapping[str, Any], retained: bool) -> Seen:
    """DevStatusAns: 0 % stands there too when the level is unavailable, or power comes from outside."""
    unknown = body.get("batteryLevelUnavailable") or body.get("externalPowerSource")
    battery = None if unknown else as_battery(body.get("batteryLevel"))
    return Seen(device, battery=battery, live=not retained)


def _uplink(device: str, body: Mapping[str, Any], retained: bool) -> Iterator[Said]:
    info = body.get("deviceInfo")
    info = info if isinstance(info, dict) else body  # v3 has these fields outside
    decoded: object = body.get("object")
    if decoded is None and isinstance(body.get("objectJSON"), str):
        decoded, _ = read_json(body["objectJSON"].encode("utf-8", "replace"))
    fields = dict(_flat(decoded))
    data = _hex(body.get("data"))
    yield Seen(device, _battery(fields), _low(fields), live=not retained)
    if retained:
        yield REMEMBERED
    elif not fields and not data:
        yield Ignored("no_payload")  # a MAC-only uplink: the device lives, and that is all
    elif _at_rest(fields):
        yield Ignored("at_rest")
    else:
        yield _press(device, body, info, fields, data)


def _press(
    device: str, body: Mapping[str, Any], info: Mapping[str, Any], fields: Mapping[str, object], data: str
) -> Pressed:
    name = word(info.get("deviceName"))
    said = [f"{key}={word(value)}" for key, value in fields.items()] or [f"data={data}"]
    tags = info.get("tags")
    tagged = [f"{key}={word(value)}" for key, value in tags.items()] if isinstance(tags, dict) else []
    port = [f"fPort={word(body['fPort'])}"] if word(body.get("fPort")) else []
    text = " ".join(part for part in (name, *said, *tagged, *port) if part)
    return Pressed(
        device, text[:LONGEST_TEXT_CHARS], id=_uplink_id(device, body), occurred_at=epoch_ms(body.get("time"))
    )


def _uplink_id(device: str, body: Mapping[str, Any]) -> str:
    """What tells this uplink from every other; "" when nothing does, a cut one would swallow presses."""
    unique = body.get("deduplicationId")
    count, at = word(body.get("fCnt")), word(body.get("time"))
    if not isinstance(unique, str) or not unique.strip():
        # Not the counter alone: a device without a join begins at 0 again with each battery.
        unique = f"{device}/{count}/{at}" if count and at else ""
    return f"up/{unique}" if unique and len(unique) + 3 <= LONGEST_ID_CHARS else ""


def _at_rest(fields: Mapping[str, object]) -> bool:
    """Whether a decoded uplink says that nobody pressed: nothing but housekeeping, or buttons all at rest and
    nothing else that is true. Whatever is not understood rings."""
    others = {k: v for k, v in fields.items() if k.rsplit(".", 1)[-1].lower() not in _HOUSEKEEPING}
    if not fields or any(value is True for value in others.values()):
        return False
    buttons = [v for k, v in others.items() if k.rsplit(".", 1)[-1].lower().startswith(_BUTTON_FIELDS)]
    if not buttons:
        return not others
    return all(word(value).lower() in _AT_REST for value in buttons)


def _hex(data: object) -> str:
    if not isinstance(data, str):
        return ""
    try:
        return base64.b64decode(data, validate=True)[:32].hex()
    except (binascii.Error, ValueError):
        return ""


def _flat(value: object) -> list[tuple[str, object]]:
    """The leaves of a decoded object by dotted name, bounded in depth and number."""
    leaves: list[tuple[str, object]] = []
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    while waiting and len(leaves) < MOST_FIELDS:
        name, value, depth = waiting.pop(0)
        if isinstance(value, dict | list) and depth < DEEPEST:
            pairs = value.items() if isinstance(value, dict) else enumerate(value)
            dot = "." if name else ""
            for key, inner in list(pairs)[:MOST_FIELDS]:
                waiting.append((f"{name}{dot}{word(key)}", inner, depth + 1))
        elif name and isinstance(value, str | int | float):
            leaves.append((name, value))
    return leaves


def _battery(fields: Mapping[str, object]) -> float | None:
    levels = (as_battery(v) for k, v in fields.items() if k.rsplit(".", 1)[-1].lower() in _BATTERY_FIELDS)
    return next((level for level in levels if level is not None), None)


def _low(fields: Mapping[str, object]) -> bool | None:
    said = (as_bool(v) for k, v in fields.items() if k.rsplit(".", 1)[-1].lower() in _LOW_FIELDS)
    return next((low for low in said if low is not None), None)


# Zigbee2MQTT


def zigbee2mqtt(base: str, topic: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
    """A message below the base topic: a device's state or action, its availability, or the bridge's state.

    `<name>/action` repeats the action of `<name>` where both are switched on: they are the same press.
    """
    name = topic[len(base) + 1 :]
    if name == "bridge/state":
        online = _availability(payload)
        return (
            (Unreadable("state: expected online or offline"),)
            if online is None
            else (BridgeSaid(base, online),)
        )
    head, _, tail = name.rpartition("/")
    if name.startswith("bridge/") or tail in ("set", "get") or "/set/" in name or "/get/" in name:
        return (Ignored("zigbee2mqtt_topic"),)
    if head and tail == "availability":
        online = _availability(payload)
        if online is None:
            return (Unreadable("availability: expected online or offline"),)
        # What the bridge says of a device is no word of the device's own.
        return (Seen(head, online=online, live=False, button=False),)
    if head and tail == "action":
        action = bare_word(payload)
        if action is None:
            return (Unreadable("action: expected a word"),)
        return _zigbee_action(head, action, retained)
    return _zigbee_device(name, payload, retained)


def _zigbee_device(name: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
    if not payload:
        return (Ignored("empty"),)
    if bare_word(payload) is not None:
        return (Ignored("zigbee2mqtt_attribute"),)  # one value a topic, where that is switched on too
    body, wrong = read_json(payload)
    if not isinstance(body, dict):
        return (Unreadable(wrong or "no JSON object"),)
    battery, low = as_battery(body.get("battery")), as_bool(body.get("battery_low"))
    action = word(body.get("action"))
    seen = Seen(name, battery, low, live=not retained, button=bool(action))
    return (seen, *_zigbee_action(name, action, retained))


def _zigbee_action(name: str, action: str, retained: bool) -> tuple[Said, ...]:
    if not action or action == "None":
        return ()  # older versions clear the action with an empty one after each press
    if retained:
        return (REMEMBERED,)
    action = word(action)
    return (Pressed(name, action, same=f"{name}\n{action}"),)


def _availability(payload: bytes) -> bool | None:
    """`{"state": "online"}`, or the bare word of older versions."""
    text = bare_word(payload)
    if text is None:
        body, _ = read_json(payload)
        text = word(body.get("state")) if isinstance(body, dict) else ""
    return {"online": True, "offline": False}.get(text)


# Shelly

_GEN1: Final = {"S": "single", "SS": "double", "SSS": "triple", "L": "long"}
_GEN2: Final = {
    "single_push": "single", "double_push": "double", "triple_push": "triple", "long_push": "long",
}  # fmt: skip
_BTHOME: Final = {
    1: "single", 2: "double", 3: "triple", 4: "long", 5: "long double", 6: "long triple",
    0x80: "hold", 0xFE: "hold",
}  # fmt: skip
"""BTHome object 3Ah; 0 is none, FEh the hold of old firmware."""


def shelly_gen1(base: str, topic: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
    """`<base>/<device>/input_event/<n>`, `…/online` (its last will) and `…/sensor/battery`.

    The device says its last event again with every periodic update: only a new `event_cnt` is a press.
    """
    device, _, what = topic[len(base) + 1 :].partition("/")
    if not what.startswith("input_event/"):
        return _shelly_state(device, what, payload, retained)
    body, wrong = read_json(payload)
    if not isinstance(body, dict):
        return (Unreadable(wrong or "no JSON object"),)
    event, count = word(body.get("event")), body.get("event_cnt")
    seen = Seen(device, live=not retained)
    if not event:
        return (seen,)
    if retained:
        return (seen, REMEMBERED)
    number = count if isinstance(count, int) and not isinstance(count, bool) else None
    button = f"{device}/{what.rpartition('/')[2]}"
    text = _GEN1.get(event, event)
    return (seen, Pressed(button, text, same="" if number is not None else f"{button}\n{text}", count=number))


def shelly_gen2(topic: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
    """`<prefix>/events/rpc` (NotifyEvent: own inputs, and Bluetooth buttons via the shelly-blu script) and
    `<prefix>/online`. Several Shellys hear the same Bluetooth button: same address and packet id are one."""
    if topic.endswith("/online"):
        return _shelly_state(topic.removesuffix("/online"), "online", payload, retained)
    body, wrong = read_json(payload)
    if not isinstance(body, dict):
        return (Unreadable(wrong or "no JSON object"),)
    params = body.get("params")
    events = params.get("events") if isinstance(params, dict) else None
    if body.get("method") != "NotifyEvent" or not isinstance(events, list):
        return (Ignored("shelly_notice"),)
    device = word(body.get("src")) or topic.removesuffix("/events/rpc")
    says: list[Said] = [Seen(device, live=not retained)]
    for event in events[:MOST_FIELDS]:
        if isinstance(event, dict):
            says += _shelly_event(device, event, retained)
    return tuple(says)


def _shelly_event(device: str, event: Mapping[str, Any], retained: bool) -> Iterator[Said]:
    what, data = word(event.get("event")), event.get("data")
    if what == "shelly-blu" and isinstance(data, dict):
        yield from _bluetooth(data, retained)
    elif what in _GEN2:
        button, text = f"{device}/{word(event.get('component'))}", _GEN2[what]
        yield (
            REMEMBERED
            if retained
            else Pressed(button, text, same=f"{button}\n{text}\n{word(event.get('ts'))}")
        )


def _bluetooth(data: Mapping[str, Any], retained: bool) -> Iterator[Said]:
    address = word(data.get("address")).lower()
    if not address:
        yield Unreadable("address: missing in shelly-blu")
        return
    yield Seen(address, as_battery(data.get("battery")), live=not retained)
    said = data.get("button")
    several = isinstance(said, list)
    presses: list[object] = said[:MOST_FIELDS] if isinstance(said, list) else [said]
    for index, press in enumerate(presses):
        if isinstance(press, bool) or not isinstance(press, int) or press == 0:
            continue
        if retained:
            yield REMEMBERED
            return
        text = _BTHOME.get(press, f"press {press}")
        button = f"{address}/{index}" if several else address
        yield Pressed(button, text, same=f"{button}\n{word(data.get('pid'))}\n{text}")


def _shelly_state(device: str, what: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
    value, _ = read_json(payload)
    if what == "online" and isinstance(value, bool):
        return (Seen(device, online=value, live=not retained and value),)
    if what == "sensor/battery" and as_battery(value) is not None:
        return (Seen(device, as_battery(value), live=not retained),)
    return (Unreadable(f"{what}: unexpected value"),)


# Any topic the site names


def button(topic: str, payload: bytes, retained: bool) -> tuple[Said, ...]:
    """A topic that is a button by itself, as Home Assistant's events are: `{"event_type": "press"}`, with
    `action`, `event` or `state` instead, or a bare word. The topic is the address."""
    text = bare_word(payload)
    battery = None
    if text is None:
        body, wrong = read_json(payload)
        if not isinstance(body, dict):
            return (Unreadable(wrong or "no JSON object and no word"),)
        battery = as_battery(body.get("battery"))
        text = next((w for k in ("event_type", "action", "event", "state") if (w := word(body.get(k)))), "")
    seen = Seen(topic, battery, live=not retained)
    if not text:
        return (seen,)
    if retained:
        return (seen, REMEMBERED)
    text = word(text)
    return (seen, Pressed(topic, text, same=f"{topic}\n{text}"))
