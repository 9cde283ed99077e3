"""What crosses between a transport and its caller, and that every transport keeps the same promise."""

from __future__ import annotations

from alarmhub.core.kinds import Priority
from alarmhub.people import PushTarget
from alarmhub.push.transport import Note, Outcome, Sent, Transport
from tests.support.push import FakeTransport

TARGET = PushTarget(device="d1", transport="apns", address="a1", registered_at=0)
NOTE = Note(id="n1", alarm="a1", rev=3, priority=Priority.HIGH, ttl_s=60)


def test_a_note_has_no_place_for_what_a_provider_should_not_read() -> None:
    """A new field is a decision about patients' data, so it must be made here too."""
    assert set(Note.__struct_fields__) == {"id", "alarm", "rev", "priority", "ttl_s", "drill"}


async def test_the_double_keeps_what_it_was_sent_and_answers_what_it_was_told() -> None:
    """For tests of those who call a transport."""
    fake = FakeTransport("apns")
    transport: Transport = fake
    fake.answers["a1"] = Sent(Outcome.DEAD, "410 Unregistered")
    await transport.start()

    assert (await transport.send(TARGET, NOTE)).outcome is Outcome.DEAD
    del fake.answers["a1"]
    assert (await transport.send(TARGET, NOTE)).outcome is Outcome.TAKEN
    assert fake.sent == [(TARGET, NOTE)] * 2
    assert transport.address_fault("", {}) == "address: missing" and await transport.check() == []
    await transport.stop()
