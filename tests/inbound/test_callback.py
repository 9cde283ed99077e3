"""An HTTP source is told back: one POST a status, taken on 2xx, the same again under the same name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from alarmhub.clock import MonotonicClock
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.inbound.callback import CallbackAdapter, CallbackLink
from alarmhub.inbound.feed import Feed
from alarmhub.ports import DeliveryFailed
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from tests.support.intake import Intake

UNANSWERED = Report("plant", ReportStatus.UNANSWERED, "7", "SAL 12", key="k7", at=1_790_000_000_123)


class Plant:
    """The source's own web server: keeps what it was told, answers what the test says."""

    def __init__(self) -> None:
        self.status = 204
        self.location = ""
        self.hangs = False
        self.told: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """One POST."""
        if self.hangs:
            await asyncio.Event().wait()
        self.told.append(await request.json())
        self.headers.append(dict(request.headers))
        return web.Response(status=self.status, headers={"Location": self.location} if self.location else {})


@asynccontextmanager
async def way_back(**more: Any) -> AsyncIterator[tuple[CallbackAdapter, Feed, Plant]]:
    """An adapter and the plant it tells, over a real socket; afterwards no task is left."""
    plant = Plant()
    app = web.Application()
    app.router.add_post("/told", plant.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    plant.url = f"http://127.0.0.1:{port}"
    crew = Crew("test")
    feed = Feed("plant", "callback", hub=Intake(), clock=MonotonicClock(), crew=crew)
    adapter = CallbackAdapter(CallbackLink("plant", f"{plant.url}/told", **more), feed)
    await adapter.start()
    try:
        yield adapter, feed, plant
    finally:
        await adapter.close()
        await runner.cleanup()
        assert await crew.close()


async def test_a_status_is_one_post() -> None:
    """What the source calls the alarm, the status, and when it was decided; nobody is named unasked."""
    async with way_back() as (adapter, feed, plant):
        await adapter.report(UNANSWERED, "a1")
        assert plant.told == [
            {"alarm": "a1", "ref": "7", "key": "k7", "status": "unanswered", "at": 1_790_000_000_123}
        ]
        assert plant.headers[0]["Content-Type"] == "application/json"
        assert "Authorization" not in plant.headers[0]
        assert feed.status.last_answer == "unanswered: HTTP 204" and adapter.port == 0


async def test_a_person_is_named_where_the_report_names_one() -> None:
    """A source that hears of each is told who."""
    async with way_back(secret=Secret("s3cret")) as (adapter, _, plant):
        report = Report(
            "plant", ReportStatus.ACCEPTED, "7", key="k7", staff="åsa", name="Åsa Ek", role="ssk", at=5
        )
        await adapter.report(report, "a1")
        assert (plant.told[0]["staff"], plant.told[0]["name"], plant.told[0]["role"]) == (
            "åsa",
            "Åsa Ek",
            "ssk",
        )
        assert plant.headers[0]["Authorization"] == "Bearer s3cret"
        assert plant.headers[0]["Idempotency-Key"] == "a1.5.accepted.\\xe5sa"


async def test_told_again_it_has_the_same_name_and_another_status_another() -> None:
    """Whoever took it before and could not say so counts it once."""
    async with way_back() as (adapter, _, plant):
        for report in (UNANSWERED, UNANSWERED, Report("plant", ReportStatus.ENDED, "7", key="k7", at=9)):
            await adapter.report(report, "a1")
        keys = [headers["Idempotency-Key"] for headers in plant.headers]
        assert keys == ["a1.1790000000123.unanswered"] * 2 + ["a1.9.ended"]


@pytest.mark.parametrize("status", [301, 307, 400, 401, 409, 500, 503])
async def test_anything_but_2xx_is_not_taken(status: int) -> None:
    """The outbox tries again; a redirect is not followed, the secret stays where it belongs."""
    async with way_back(secret=Secret("s3cret")) as (adapter, feed, plant):
        plant.status, plant.location = status, f"{plant.url}/told" if 300 <= status < 400 else ""
        with pytest.raises(DeliveryFailed, match=r"^callback: "):
            await adapter.report(UNANSWERED, "a1")
        assert len(plant.told) == 1 and feed.status.last_answer.startswith("unanswered: ")
        plant.status, plant.location = 200, ""
        await adapter.report(UNANSWERED, "a1")


async def test_a_source_that_does_not_answer_fails_within_the_deadline() -> None:
    """It holds up its own reports only, and not for long."""
    async with way_back(answer_within_s=0.1) as (adapter, _, plant):
        plant.hangs = True
        async with asyncio.timeout(5):
            with pytest.raises(DeliveryFailed, match="callback"):
                await adapter.report(UNANSWERED, "a1")


async def test_a_source_that_is_not_there_fails() -> None:
    """Before the start, after the end, and when nobody listens: never an error of the hub."""
    async with way_back() as (adapter, feed, plant):
        gone = CallbackAdapter(CallbackLink("plant", "http://127.0.0.1:1/told"), feed)
        with pytest.raises(DeliveryFailed, match="not open"):
            await gone.report(UNANSWERED, "a1")
        await gone.start()
        with pytest.raises(DeliveryFailed, match="callback: Client"):
            await gone.report(UNANSWERED, "a1")
        await gone.close()
        await adapter.close()
        with pytest.raises(DeliveryFailed, match="not open"):
            await adapter.report(UNANSWERED, "a1")
        assert plant.told == []


def test_settings_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """An address that is none, a password where others can read it, an authority that is not there."""
    good = CallbackLink("plant", "https://plant.example:8443/told?x=1")
    assert good.faults() == [] and good.listens() is None
    for url in ("plant.example", "ftp://x/", "http://", "http://x:99999/", "http://[::1/"):
        assert CallbackLink("plant", url).faults() == ["url: expected http://HOST or https://HOST"], url
    assert CallbackLink("plant", "https://me:pw@x/").faults() == ["url: holds a password; use secret"]
    missing = CallbackLink("plant", "https://x/", ca_file=str(tmp_path / "none.pem"))
    assert missing.faults() == ["ca_file: no such file"]


async def test_an_authority_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """Better than a hub that trusts nobody and tells nothing."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    crew = Crew("test")
    feed = Feed("plant", "callback", hub=Intake(), clock=MonotonicClock(), crew=crew)
    with pytest.raises(OSError, match=r".*"):
        await CallbackAdapter(CallbackLink("plant", "https://x/", ca_file=str(bad)), feed).start()
    assert await crew.close()
