"""Prometheus Alertmanager's webhook (`webhook_config`, payload version "4"): one group of alerts.

`read` turns a body into a `Notification`, or into a `Faulty` that names the member and what belongs there; it
never raises on what a peer sends. Members it does not know are ignored, members that other senders of this
format leave out have defaults. It refuses to know what an alert is for and how it is answered.

Source: Alertmanager's documentation, "Webhook receiver" (Configuration, <webhook_config>).
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

MAX_ALERTS: Final = 1000
"""Of one group; what is beyond counts as cut off, as if `max_alerts` had done so."""

_KEY: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AT: Final = re.compile(r" - at `\$\.(?P<member>\w+)")
_MISSING: Final = re.compile(r"required field `(?P<member>\w+)`")


class AlertIn(Struct, frozen=True, rename="camel"):
    """One alert of a notification. `fingerprint`: Alertmanager's own id of its labels."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: str = ""
    ends_at: str = ""
    generator_url: str = msgspec.field(default="", name="generatorURL")
    fingerprint: str = ""


class AlertmanagerIn(Struct, frozen=True, rename="camel"):
    """A notification of Alertmanager's webhook. `truncatedAlerts`: how many `max_alerts` has cut off."""

    alerts: tuple[AlertIn, ...]
    status: Literal["firing", "resolved"] = "firing"
    version: str = "4"
    group_key: str = ""
    # Not int: in JSON Schema 3.0 is an integer, and some encoders write it so.
    truncated_alerts: Annotated[
        float, Meta(ge=0, le=2**53, multiple_of=1, extra_json_schema={"type": "integer"})
    ] = 0
    receiver: str = ""
    group_labels: dict[str, str] = {}
    common_labels: dict[str, str] = {}
    common_annotations: dict[str, str] = {}
    external_url: str = msgspec.field(default="", name="externalURL")


class Alert(Struct, frozen=True):
    """One alert. `key`: the same while its labels are; `started_at`: epoch ms, None when it does not say."""

    key: str
    firing: bool
    labels: dict[str, str]
    annotations: dict[str, str]
    started_at: int | None

    @property
    def name(self) -> str:
        """Its alertname."""
        return self.labels.get("alertname", "")

    @property
    def summary(self) -> str:
        """What it says of itself: summary, else message, description or title, else its name."""
        said = (self.annotations.get(key, "") for key in ("summary", "message", "description", "title"))
        return next((" ".join(text.split()) for text in said if text.strip()), self.name)


class Notification(Struct, frozen=True):
    """One group as it is now: every alert once, by its last mention. `group`: a digest of its key. `cut`: how
    many alerts are missing."""

    group: str
    alerts: tuple[Alert, ...]
    cut: int
    resolved: bool


class Faulty(Struct, frozen=True):
    """Why a body is no notification. `member`: "" when it is no JSON object at all."""

    member: str
    expected: str


_decoder: Final = msgspec.json.Decoder(AlertmanagerIn)


def read(body: bytes) -> Notification | Faulty:
    """Decode one request body."""
    try:
        said = _decoder.decode(body)
    except msgspec.ValidationError as error:
        return _faulty(str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Faulty("", "a JSON object in UTF-8")
    alerts = {alert.key: alert for alert in map(_alert, said.alerts[:MAX_ALERTS])}
    return Notification(
        group=_digest(said.group_key),
        alerts=tuple(alerts.values()),
        cut=int(said.truncated_alerts) + max(0, len(said.alerts) - MAX_ALERTS),
        resolved=said.status == "resolved",
    )


def _alert(said: AlertIn) -> Alert:
    return Alert(
        key=said.fingerprint if _KEY.match(said.fingerprint) else _key_of(said),
        firing=said.status == "firing",
        labels=said.labels,
        annotations=said.annotations,
        started_at=_instant(said.starts_at),
    )


def _key_of(said: AlertIn) -> str:
    """A key for senders that give no fingerprint or an odd one, the same for the same labels."""
    return _digest(repr((said.fingerprint, sorted(said.labels.items()))))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _instant(text: str) -> int | None:
    """RFC 3339 to epoch ms; Go's zero time, and what is no time, is None."""
    try:
        at = datetime.fromisoformat(text)
        ms = (at - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError, OverflowError):
        return None
    return ms if ms > 0 else None


def _faulty(complaint: str) -> Faulty:
    at, missing = _AT.search(complaint), _MISSING.search(complaint)
    expected = complaint.partition(" - at `")[0].replace("`", "").removeprefix("Expected ")
    if at is not None:
        return Faulty(at["member"], expected)
    # What should be there is known for the one member of a notification that is required.
    return Faulty("", expected) if missing is None else Faulty(missing["member"], "a list of alerts")
