from tests.support.intake import BED
from tests.support.web import running


async def test_a_start_is_answered_with_the_alarm_it_opened() -> None:
    """POST a start: 201, an alarm id, ringing, new."""
    async with running() as (hub, call):
        answer = await call.post(ref="bed-7", event="start", place=BED, kind="patient_call")
    assert answer.status == 201, answer.raw
    [alarm] = hub.intake.alarms
    assert answer.body == {"alarm": alarm, "phase": "ringing", "new": True}
    assert answer.headers["Content-Type"] == "application/json"
