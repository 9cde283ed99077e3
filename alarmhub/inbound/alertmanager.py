"""Alertmanager in: its webhook's notifications as signals; the HTTP part is `web`'s.

A notification says how a group is now, not what has just happened: it is sent again at every change of the
group and every `repeat_interval`. Each alert is one signal under its fingerprint: firing begins an alarm, or
renews the words of the one that is open; resolved ends it. All of a group are stored before it is answered.
The watchdog, an alert that always fires, is no signal but the sign of life of the whole chain (Prometheus,
its rules, Alertmanager): without it for `down_s` the source counts as down.

It refuses to group, silence and route (Alertmanager does), and to ring anything but a technical alarm where
the site's rules say nothing else.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from alarmhub.core.effects import Report
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.presses import Answer
from alarmhub.inbound.settings import Name, Seconds
from alarmhub.ports import Hooked
from protocols.alertmanager import Alert, Faulty, Notification, read

PRIORITIES: Final[dict[str, Literal["low", "medium", "high"]]] = {
    "critical": "high", "page": "high", "emergency": "high",
    "error": "medium", "major": "medium", "warning": "medium",
    "minor": "low", "info": "low", "none": "low",
}  # fmt: skip
"""By the value of the severity label, as the usual rule collections write it."""
LABELS: Final = ("instance", "severity")
SUMMARY_CHARS: Final = 160
REMEMBERED: Final = 10_000
"""Alerts known to fire; one that is forgotten only counts once more when it is repeated."""

LabelName = Annotated[str, Meta(min_length=1, max_length=64)]


class AlertmanagerLink(Struct, frozen=True):
    """`[[alertmanager]]`: one Alertmanager that posts its notifications with the source's secret.

    `address`, `severity`: names of labels. `labels`: those shown behind the summary, where rules find them.
    `watchdog`: alertname of the alert that always fires; without it the source is not supervised.
    """

    source: Name
    address: LabelName = "alertname"
    labels: tuple[LabelName, ...] | None = None
    severity: LabelName = "severity"
    priorities: dict[str, Literal["low", "medium", "high"]] | None = None
    watchdog: Name | None = None
    down_s: Seconds = 300.0
    up_s: Seconds = 120.0

    def faults(self) -> list[str]:
        """Nothing in it can contradict itself."""
        return []

    def listens(self) -> tuple[str, int] | None:
        """The API listens for it."""
        return None


class AlertmanagerAdapter:
    """One Alertmanager. `notified` is called with every body the API takes for it."""

    def __init__(self, settings: AlertmanagerLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._labels = LABELS if settings.labels is None else settings.labels
        self._priorities = PRIORITIES if settings.priorities is None else settings.priorities
        self._firing: OrderedDict[str, None] = OrderedDict()
        self._cut: OrderedDict[str, None] = OrderedDict()

    @property
    def port(self) -> int:
        """The API's is used."""
        return 0

    async def start(self) -> None:
        """Watch for the watchdog, where there is one."""
        if self._settings.watchdog is not None:
            self._feed.supervise(down_s=self._settings.down_s, up_s=self._settings.up_s, polls=True)

    async def close(self) -> None:
        """What the API has taken it also waits for."""

    async def report(self, report: Report, alarm: str) -> None:
        """Alertmanager cannot be told what became of an alert."""

    def turned_away(self, reason: str, detail: str) -> None:
        """The API has refused a body of this source: too large, too slow, not JSON."""
        self._feed.refused(reason, detail)
        if reason == "too_large":
            self._missing("too_large", "meddelandet var för stort", "the message was too large")

    async def notified(self, body: bytes) -> Hooked:
        """One notification; returns after everything in it is committed, or could not be."""
        said = read(body)
        if isinstance(said, Faulty):
            self._feed.refused("malformed", f"{said.member}: {said.expected}")
            return self._answered(Hooked("malformed", member=said.member, expected=said.expected))
        alerts = [alert for alert in said.alerts if not self._is_watchdog(alert)]
        signals = [self._signal(alert) for alert in alerts]
        stored = await self._feed.store(*signals)
        for alert, outcome in zip(alerts, stored.outcomes, strict=True):
            if outcome is not None:
                self._remember(alert)
        if stored.answer is not Answer.STORED:
            return self._answered(
                Hooked(stored.answer.value, why=stored.why, retry_after_s=stored.retry_after_s)
            )
        self._mind_cut(said)
        if any(self._is_watchdog(alert) and alert.firing for alert in said.alerts):
            self._feed.life()
        return self._answered(Hooked("stored", alerts=len(said.alerts)))

    # Alerts.

    def _signal(self, alert: Alert) -> Signal:
        if not alert.firing:
            event = SignalEvent.END
        elif alert.key in self._firing:
            event = SignalEvent.UPDATE
        else:
            event = SignalEvent.START
        severity = alert.labels.get(self._settings.severity, "").strip().lower()
        priority = self._priorities.get(severity)
        words = Words(
            alert.labels.get(self._settings.address) or alert.name,
            self._text(alert),
            event=event,
            priority=None if priority is None else Priority(priority),
            key=alert.key,
            occurred_at=alert.started_at,
        )
        signal = self._feed.map(words)[0]
        if signal.kind is None and signal.type is None:
            default = self._feed.rules().default_kind
            return replace(signal, kind=Kind.TECHNICAL if default is Kind.PATIENT_CALL else default)
        return signal

    def _text(self, alert: Alert) -> str:
        shown = [f"{name}={alert.labels[name]}" for name in self._labels if alert.labels.get(name)]
        summary = alert.summary[:SUMMARY_CHARS]
        return f"{summary} ({' '.join(shown)})" if shown else summary

    def _remember(self, alert: Alert) -> None:
        self._firing.pop(alert.key, None)
        if alert.firing:
            self._firing[alert.key] = None
            if len(self._firing) > REMEMBERED:
                self._firing.popitem(last=False)

    def _is_watchdog(self, alert: Alert) -> bool:
        return self._settings.watchdog is not None and alert.name == self._settings.watchdog

    # Alerts that did not come along.

    def _mind_cut(self, said: Notification) -> None:
        """`max_alerts` cuts alerts off without another word: an engineer must know that some are missing."""
        if said.cut:
            self._cut[said.group] = None
            if len(self._cut) > REMEMBERED:
                self._cut.popitem(last=False)
            self._missing("cut", f"{said.cut} avskurna av max_alerts", f"max_alerts cut off {said.cut}")
        elif said.group in self._cut:
            del self._cut[said.group]
            if not self._cut:
                self._feed.well("cut")

    def _missing(self, what: str, swedish: str, english: str) -> None:
        self._feed.trouble(
            what,
            f"Larm från övervakningen kommer inte fram: {swedish}",
            f"Alerts of the monitoring do not arrive: {english}",
        )

    def _answered(self, hooked: Hooked) -> Hooked:
        self._feed.answered(hooked.answer)
        return hooked
