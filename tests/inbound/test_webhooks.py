"""The adapters that take notifications of the API, found by their source."""

from __future__ import annotations

from alarmhub.clock import MonotonicClock
from alarmhub.inbound.alertmanager import AlertmanagerLink
from alarmhub.inbound.lines import Lines
from alarmhub.inbound.webhooks import Hooks
from alarmhub.tasks import Crew
from tests.support.intake import Intake

BODY = b'{"alerts": [{"status": "firing", "fingerprint": "f1", "labels": {"alertname": "DiskFull"}}]}'


async def test_a_notification_goes_to_the_line_of_its_source() -> None:
    """One that is not open yet is busy, for a refusal would be final; others are not served."""
    crew, hub = Crew("test"), Intake()
    lines = Lines({"alertmanager": [AlertmanagerLink("plant")]}, clock=MonotonicClock(), crew=crew)
    hooks = Hooks(lines, ["plant"])
    assert (hooks.serves("plant"), hooks.serves("other")) == (True, False)
    assert (await hooks.alertmanager("plant", BODY)).answer == "busy"
    hooks.turned_away("plant", "slow", "nobody is there to be told")
    await lines.start(hub)
    try:
        assert (await hooks.alertmanager("plant", BODY)).answer == "stored"
        hooks.turned_away("plant", "slow", "the body did not arrive")
        assert [signal.key for signal in hub.taken] == ["f1"]
        assert [(s.refused, s.last_refusal) for s in lines.status()] == [(1, "the body did not arrive")]
    finally:
        await lines.stop()
        assert await crew.close()
