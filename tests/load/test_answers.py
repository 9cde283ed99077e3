"""The plain rule of the latency profile: everybody accepts, soon, once."""

from load.answers import ACCEPT_FROM_S, ACCEPT_TO_S, Absent, Prompt
from load.phones import SECOND_NS, Frame, Phone


def test_everybody_accepts_within_four_seconds_and_only_once() -> None:
    """0.5 to 4 s after the first ring; a later turn plans no second accept."""
    prompt, phone, frame = Prompt(1), Phone(0, "s"), Frame(type="alarm", id="a")
    plans = [prompt.ring(phone, frame, True) for _ in range(500)]
    assert all(step is not None and step[1] == "accept" for step in plans)
    delays_s = [step[0] / SECOND_NS for step in plans if step is not None]
    assert ACCEPT_FROM_S <= min(delays_s) < 1
    assert 3.5 < max(delays_s) <= ACCEPT_TO_S
    assert prompt.ring(phone, frame, False) is None
    assert prompt.told(phone, frame, "accept") is None


def test_the_absent_touch_nothing() -> None:
    """The phone rings on."""
    assert Absent().ring(Phone(0, "s"), Frame(type="alarm"), True) is None
    assert Absent().told(Phone(0, "s"), Frame(type="alarm"), "accept") is None
