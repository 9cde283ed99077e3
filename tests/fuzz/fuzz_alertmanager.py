"""Fuzz target for Alertmanager's webhook: any body is a notification or names what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from protocols.alertmanager import MAX_ALERTS, Faulty, read

_GROUP = (Path(__file__).parents[1] / "protocols" / "samples" / "alertmanager" / "group.json").read_bytes()
SEEDS: list[bytes] = [
    _GROUP,
    b'{"alerts":[]}',
    b'{"version":"4","groupKey":"{}:{}","truncatedAlerts":7,"status":"resolved","alerts":['
    b'{"status":"resolved","labels":{"alertname":"Watchdog"},"startsAt":"0001-01-01T00:00:00Z"}]}',
    b'{"alerts":[{"status":"firing","labels":{"\\u0000":"\\ud83d\\ude00"},"startsAt":"9999-12-31T23:59:59-14:00"}]}',
]


def target(data: bytes) -> None:
    """One input; the codec keeps no state, so nothing can grow."""
    said = read(data)
    assert said == read(data)
    if isinstance(said, Faulty):
        assert said.expected
        return
    assert len(said.alerts) <= MAX_ALERTS
    assert said.cut >= 0
    assert len({alert.key for alert in said.alerts}) == len(said.alerts)
    for alert in said.alerts:
        assert 1 <= len(alert.key) <= 64 and alert.key.isascii()
        assert alert.started_at is None or alert.started_at > 0
        assert isinstance(alert.summary, str)
