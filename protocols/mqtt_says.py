"""What a message of a button says, whatever its dialect; and reading the JSON it says it in.

Values only. It refuses to know topics and dialects: `protocols.mqtt_devices` and `mqtt_payloads` do.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import Struct

LONGEST_WORD_CHARS: Final = 64
LONGEST_TEXT_CHARS: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SignalSaid(Struct, frozen=True, omit_defaults=True):
    """Our own JSON, as of POST /api/v1/signals. `occurred_at`: epoch ms. Kind and priority are known words
    only in the hub."""

    event: str
    ref: str = ""
    place: str = ""
    kind: str | None = None
    type: str | None = None
    priority: str | None = None
    text: str = ""
    id: str | None = None
    present: bool | None = None
    callback: str | None = None
    person: str | None = None
    heard: bool = False
    occurred_at: int | None = None


class Pressed(Struct, frozen=True, omit_defaults=True):
    """A button was pressed, or a device reported something that may ring.

    `device`: its address for the site's rules; `text`: the action and what else it said. `id`: the sender's
    own id of this message, "" = none. `same`: two messages with the same one, close together, are one press.
    `count`: the device's counter of presses; the same one again is the same press, however late.
    """

    device: str
    text: str
    id: str = ""
    same: str = ""
    count: int | None = None
    occurred_at: int | None = None


class Seen(Struct, frozen=True, omit_defaults=True):
    """What a device tells of itself. `battery`: percent; `low`: it says its battery is low; `online`: what it
    or its bridge says; `live`: said now, not remembered by the broker. `button`: False where anything in the
    same radio network may have said it, lamps and groups too."""

    device: str
    battery: float | None = None
    low: bool | None = None
    online: bool | None = None
    live: bool = True
    button: bool = True


class BridgeSaid(Struct, frozen=True):
    """A bridge between radio and broker works, or does not."""

    bridge: str
    online: bool


class Ignored(Struct, frozen=True):
    """Nothing for us: remembered by the broker, or about something else. `why`: a word of a closed list."""

    why: str


class Unreadable(Struct, frozen=True):
    """It will never be readable. `why`: plain words, the field first."""

    why: str


Said: TypeAlias = SignalSaid | Pressed | Seen | BridgeSaid | Ignored | Unreadable


def read_json(payload: bytes) -> tuple[Any, str]:
    """The JSON value and "", or None and what is wrong."""
    try:
        return msgspec.json.decode(payload), ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, f"no JSON: {error}"[:LONGEST_TEXT_CHARS]


def bare_word(payload: bytes) -> str | None:
    """The payload as one word: bare (`single`) or as a JSON string. None when it is neither."""
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None
    if text[:1] == '"':
        value, _ = read_json(payload)
        return value.strip() if isinstance(value, str) else None
    return None if text[:1] in ("{", "[") else text


def word(value: object) -> str:
    """A value as a word to match and show; "" for what has none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return str(value).strip()[:LONGEST_WORD_CHARS] if isinstance(value, str | int | float) else ""


def as_battery(value: object) -> float | None:
    """A battery's level in percent, None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 100 else None


def as_bool(value: object) -> bool | None:
    """JSON true or false; None for anything else."""
    return value if isinstance(value, bool) else None


def epoch_ms(value: object) -> int | None:
    """An RFC 3339 time as epoch ms; None for anything else (a time is shown, never decided by)."""
    if not isinstance(value, str):
        return None
    try:
        moment = msgspec.convert(value, datetime)
        return None if moment.tzinfo is None else round((moment - _EPOCH).total_seconds() * 1000)
    except (msgspec.ValidationError, OverflowError, ValueError):
        return None
