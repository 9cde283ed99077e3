"""An Alertmanager at the other end of the webhook: one group of alerts, posted as the original does.

It groups nothing and knows one group. As the original it sends the whole group whenever something in it has
changed and every `repeat_s`, tries again after 5xx and after no answer with growing pauses, and gives up a
notification after 4xx. It shares no line with the hub's reader.

Source: Alertmanager's documentation (webhook_config) and its notify/webhook (retry on 5xx).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import aiohttp

RETRY_FIRST_S: Final = 0.05
RETRY_LAST_S: Final = 2.0
ANSWERED_WITHIN_S: Final = 10.0
ZERO: Final = "0001-01-01T00:00:00Z"


@dataclass(slots=True)
class Alert:
    """One alert, by its labels."""

    labels: dict[str, str]
    annotations: dict[str, str]
    started: datetime
    ended: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """16 hex digits of the labels."""
        return hashlib.blake2b(repr(sorted(self.labels.items())).encode(), digest_size=8).hexdigest()

    def shown(self) -> dict[str, Any]:
        """As in a notification."""
        return {
            "status": "firing" if self.ended is None else "resolved",
            "labels": self.labels,
            "annotations": self.annotations,
            "startsAt": self.started.isoformat().replace("+00:00", "Z"),
            "endsAt": ZERO if self.ended is None else self.ended.isoformat().replace("+00:00", "Z"),
            "generatorURL": "",
            "fingerprint": self.fingerprint,
        }


@dataclass(slots=True)
class Alertmanager:
    """`fire` and `resolve` alerts, then `notify`. `statuses`: what each try was answered, 0 = nothing."""

    url: str
    secret: str
    now: Callable[[], datetime]
    max_alerts: int = 0
    alerts: dict[str, Alert] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)

    def fire(self, alertname: str, summary: str = "", **labels: str) -> str:
        """An alert begins (or goes on); its fingerprint."""
        alert = Alert({"alertname": alertname, **labels}, {"summary": summary} if summary else {}, self.now())
        known = self.alerts.get(alert.fingerprint)
        if known is None or known.ended is not None:
            self.alerts[alert.fingerprint] = alert
        return alert.fingerprint

    def resolve(self, fingerprint: str) -> None:
        """It is over; told once more, then forgotten."""
        self.alerts[fingerprint].ended = self.now()

    def payload(self) -> dict[str, Any]:
        """The group as it is now."""
        every = [alert.shown() for alert in self.alerts.values()]
        kept = every[: self.max_alerts] if self.max_alerts else every
        firing = any(alert["status"] == "firing" for alert in every)
        return {
            "receiver": "alarmhub",
            "status": "firing" if firing else "resolved",
            "alerts": kept,
            "groupLabels": {},
            "commonLabels": {},
            "commonAnnotations": {},
            "externalURL": "http://alertmanager.example:9093",
            "version": "4",
            "groupKey": "{}:{}",
            "truncatedAlerts": len(every) - len(kept),
        }

    async def notify(self, http: aiohttp.ClientSession, *, tries: int = 20) -> int:
        """Send the group until it is answered for good; the last status. TimeoutError after `tries`."""
        body, wait_s = self.payload(), RETRY_FIRST_S
        for _ in range(tries):
            status = await self._post(http, body)
            self.statuses.append(status)
            if 200 <= status < 300:
                self.alerts = {key: alert for key, alert in self.alerts.items() if alert.ended is None}
            if status and status < 500:
                return status
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, RETRY_LAST_S)
        raise TimeoutError("the notification was never taken")

    async def _post(self, http: aiohttp.ClientSession, body: dict[str, Any]) -> int:
        within = aiohttp.ClientTimeout(total=ANSWERED_WITHIN_S)
        headers = {"Authorization": f"Bearer {self.secret}", "User-Agent": "Alertmanager/0.27.0"}
        try:
            async with http.post(self.url, json=body, headers=headers, timeout=within) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0
