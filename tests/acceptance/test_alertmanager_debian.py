"""Debian's prometheus-alertmanager posts its own webhook to a whole hub."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.core.alarm import Alarm, Phase
from load.site import SOURCE
from tests.support.hub import House, Hub, free_ports
from tests.support.waiting import until

PROGRAM = shutil.which("prometheus-alertmanager")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus-alertmanager is not installed")

LINE = f"""
[[alertmanager]]
source = "{SOURCE}"
watchdog = "Watchdog"
down_s = 3.0
up_s = 0.5
"""
CONFIG = """
route:
  receiver: hub
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1s
receivers:
  - name: hub
    webhook_configs:
      - url: {url}/api/v1/alertmanager
        send_resolved: true
        http_config:
          authorization:
            credentials_file: {secret}
"""


class Alertmanager:
    """The real one, as a process; ends with the test."""

    def __init__(self, house: House, hub: Hub) -> None:
        (self.port,) = free_ports(1)
        self.folder: Path = house.folder
        self.http = house.http
        secret = self.folder / "secret"
        secret.write_text(house.source_secret)
        self.config = self.folder / "alertmanager.yml"
        self.config.write_text(CONFIG.format(url=hub.url, secret=secret))
        self.child: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Started; not waited for."""
        assert PROGRAM is not None
        with (self.folder / "alertmanager.log").open("ab") as log:
            self.child = subprocess.Popen(
                [
                    PROGRAM, f"--config.file={self.config}", f"--storage.path={self.folder / 'am'}",
                    f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def start(self) -> None:
        """Serving."""
        self.launch()

        async def ready() -> bool:
            try:
                async with self.http.get(f"http://127.0.0.1:{self.port}/-/ready") as response:
                    return response.status == 200
            except aiohttp.ClientError:
                return False

        await until(ready, "alertmanager", within_s=20)

    def stop(self) -> None:
        """Ended."""
        if self.child is not None:
            self.child.terminate()
            self.child.wait(10)
            self.child = None

    async def put(self, alertname: str, *, over: bool = False, summary: str = "", **labels: str) -> None:
        """What Prometheus would post: an alert that fires, or is over."""
        now = datetime.fromtimestamp(MonotonicClock().now() / 1000, UTC)
        ends = now - timedelta(seconds=1) if over else now + timedelta(minutes=10)
        alert: dict[str, Any] = {
            "labels": {"alertname": alertname, **labels},
            "annotations": {"summary": summary},
            "startsAt": (now - timedelta(seconds=30)).isoformat(),
            "endsAt": ends.isoformat(),
        }
        async with self.http.post(f"http://127.0.0.1:{self.port}/api/v2/alerts", json=[alert]) as response:
            assert response.status == 200, await response.text()

    async def notifications(self) -> float:
        """How many it has sent."""
        async with self.http.get(f"http://127.0.0.1:{self.port}/metrics") as response:
            figures = await response.text()
        name = 'alertmanager_notifications_total{integration="webhook"} '
        return next(float(line.removeprefix(name)) for line in figures.splitlines() if line.startswith(name))

    def log(self) -> str:
        """What it said."""
        return (self.folder / "alertmanager.log").read_text()


@pytest.fixture
async def hub(house: House) -> AsyncIterator[Hub]:
    """A hub that serves an Alertmanager."""
    one = house.hub(config=LINE)
    await one.start()
    yield one


@pytest.fixture
async def monitoring(house: House, hub: Hub) -> AsyncIterator[Alertmanager]:
    """One that runs."""
    one = Alertmanager(house, hub)
    await one.start()
    yield one
    one.stop()


async def stored(house: House) -> list[tuple[str, str, str, Phase]]:
    """Address, text, priority and phase of every alarm of the source."""
    rows = await house.sql("SELECT body FROM alarm WHERE source = $1 ORDER BY raised_at, id", SOURCE)
    alarms = [msgspec.json.decode(row["body"], type=Alarm) for row in rows]
    return [(alarm.ref, alarm.source_text, str(alarm.priority), alarm.phase) for alarm in alarms]


async def become(house: House, *expected: tuple[str, str, str, Phase]) -> None:
    """Wait until exactly these are stored."""

    async def same() -> bool:
        return sorted(await stored(house)) == sorted(expected)

    try:
        await until(same, "the stored alarms", within_s=20)
    except AssertionError:
        assert sorted(await stored(house)) == sorted(expected)


async def test_an_alert_fires_is_repeated_and_is_over(
    house: House, hub: Hub, monitoring: Alertmanager
) -> None:
    """One technical alarm a fingerprint, however often its group is sent, ended by what resolves it."""
    await monitoring.put("DiskFull", summary="Disken är full", instance="pacs-2", severity="critical")
    await monitoring.put("DiskFull", instance="pacs-1", severity="warning")
    full = ("DiskFull", "Disken är full (instance=pacs-2 severity=critical)", "high")
    bare = ("DiskFull", "DiskFull (instance=pacs-1 severity=warning)", "medium")
    await become(house, (*full, Phase.RINGING), (*bare, Phase.RINGING))
    async with hub.phone_of("engineer-1") as phone:
        shown = await phone.wait_alarm(5, priority="high")
        assert (shown.kind, shown.source_text) == ("technical", full[1])
    await monitoring.put(
        "DiskFull", over=True, summary="Disken är full", instance="pacs-2", severity="critical"
    )
    await become(house, (*full, Phase.ENDED), (*bare, Phase.RINGING))
    assert "level=error" not in monitoring.log()


async def test_what_could_not_be_taken_is_sent_again(
    house: House, hub: Hub, monitoring: Alertmanager
) -> None:
    """The hub is gone when the alert fires, and comes back: nothing is lost, nothing is there twice."""
    await monitoring.put("FanStopped", instance="rack-3")
    fan = ("FanStopped", "FanStopped (instance=rack-3)", "low")
    await become(house, (*fan, Phase.RINGING))
    hub.kill()
    await monitoring.put("DiskFull", instance="pacs-1")
    await until(
        lambda: "level=warn" in monitoring.log() or "level=error" in monitoring.log(),
        "a failed try",
        within_s=20,
    )
    await hub.start()
    await become(
        house, (*fan, Phase.RINGING), ("DiskFull", "DiskFull (instance=pacs-1)", "low", Phase.RINGING)
    )


async def test_what_cannot_be_stored_is_answered_503_and_sent_again(
    house: House, hub: Hub, monitoring: Alertmanager
) -> None:
    """The database takes nothing for a while: no 200 meanwhile, one alarm afterwards."""
    connection = await asyncpg.connect(house.dsn)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE alarm IN ACCESS EXCLUSIVE MODE")
            await monitoring.put("DiskFull", instance="pacs-1")
            await until(lambda: "status code 503" in monitoring.log(), "a refusal", within_s=20)
    finally:
        await connection.close()
    await become(house, ("DiskFull", "DiskFull (instance=pacs-1)", "low", Phase.RINGING))


async def test_a_silent_watchdog_is_news(house: House, hub: Hub, monitoring: Alertmanager) -> None:
    """The dead man's switch: it rings nobody while it is heard, and the engineer when it is not."""

    async def links() -> list[Phase]:
        rows = await house.sql("SELECT phase FROM alarm WHERE key LIKE $1", f"link:{SOURCE}%")
        return [Phase(row["phase"]) for row in rows]

    await monitoring.put("Watchdog")
    sent = await monitoring.notifications()

    async def repeated() -> bool:
        return await monitoring.notifications() >= sent + 2

    await until(repeated, "its repeats", within_s=20)
    assert await stored(house) == []
    assert await links() == []
    monitoring.stop()
    await until(links, "the news", within_s=20)
    await monitoring.start()
    await monitoring.put("Watchdog")

    async def over() -> bool:
        return set(await links()) == {Phase.ENDED}

    await until(over, "its return", within_s=20)
    assert await stored(house) == []
