"""The model of nurses: fits the published shares, has one task at a time, and resets in the room."""

from collections.abc import Iterator

import pytest

from load.answers import Absent
from load.ledger import Ledger
from load.nurses import Nurses, Radio
from load.phones import SECOND_NS, Crowd, Frame, Phone
from load.reactor import Reactor
from tests.support.raw_gateway import RawGateway

CLINICAL = Frame(type="alarm", id="a", kind="clinical", text="L-1")


def test_with_two_phones_ringing_about_69_percent_react_within_20_seconds() -> None:
    """The study's 31 % that reach the next step, declines counted as no answer."""
    nurses = Nurses(1, lambda frame, delay: None)
    answered = 0
    for trial in range(3000):
        rings = [nurses.ring(Phone(2 * trial + n, "s"), CLINICAL, True) for n in range(2)]
        answered += any(step and step[1] == "accept" and step[0] <= 20 * SECOND_NS for step in rings)
    assert answered / 3000 == pytest.approx(0.69, abs=0.03)


def test_patient_calls_take_minutes_and_monitors_seconds() -> None:
    """Medians of 120 s and 8 s."""
    nurses = Nurses(2, lambda frame, delay: None)

    def median_s(kind: str) -> float:
        frame = Frame(type="alarm", id="a", kind=kind)
        steps = [nurses.ring(Phone(n, "s"), frame, True) for n in range(2000)]
        delays = sorted(step[0] for step in steps if step is not None)
        return delays[len(delays) // 2] / SECOND_NS

    assert median_s("clinical") == pytest.approx(8, rel=0.15)
    assert median_s("patient_call") == pytest.approx(120, rel=0.15)


def test_one_task_at_a_time() -> None:
    """Who has accepted walks there, attends, and resets later; meanwhile she declines or answers late."""
    resets: list[int] = []
    nurses = Nurses(3, lambda frame, delay: resets.append(delay))
    phone = Phone(1, "s")
    step = nurses.told(phone, CLINICAL, "accept")
    assert step is not None
    assert step[1] == "attend"
    assert resets[0] > step[0]
    rings = [nurses.ring(phone, CLINICAL, True) for _ in range(50)]
    assert nurses.counts["rings_while_busy"] == 50
    accepts = [one[0] for one in rings if one is not None and one[1] == "accept"]
    assert accepts
    assert min(accepts) > 0.9 * resets[0]
    assert any(one is not None and one[1] == "decline" for one in rings)
    assert nurses.told(phone, CLINICAL, "attend") is None


@pytest.fixture
def crowd() -> Iterator[tuple[Reactor, Crowd]]:
    """100 phones and a gateway."""
    reactor = Reactor()
    gateway = RawGateway(reactor)
    secrets = [str(n) for n in range(100)]
    made = Crowd(reactor, "127.0.0.1", gateway.port, secrets, Ledger(marker="L-"), Absent())
    yield reactor, made
    made.close()
    gateway.close()
    reactor.close()


def test_some_phones_sleep_some_roam_and_desks_are_wired(crowd: tuple[Reactor, Crowd]) -> None:
    """About 89 of 100 have a socket; after an outage of the network all of them are back within seconds."""
    reactor, phones = crowd
    radio = Radio(1, reactor, phones, wired=4)
    assert 80 <= len(radio.present) <= 97
    assert set(phones.phones[-4:]) <= set(radio.present)
    assert set(radio.roaming) < set(radio.present)
    phones.connect(radio.present, within_s=10)
    radio.outage()
    assert phones.synced == 0
    assert reactor.run_until(lambda: phones.synced == len(radio.present), 10)
