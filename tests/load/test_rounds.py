"""A round judges itself: late generators, losses and refusals make it unusable."""

import json
from collections.abc import Iterator

import pytest

from load import plan
from load.answers import Absent
from load.reactor import Reactor, now_ns
from load.rounds import Outcome, Round, Target
from tests.support.raw_gateway import RawGateway, RawHttp

CPU = {"system_core": 0.1, "database_core": 0.1, "generator_core": 0.1, "seconds": 1.0}


@pytest.fixture
def one() -> Iterator[tuple[Round, RawHttp, RawGateway]]:
    """A round against a server that stores all and a gateway that says nothing."""
    helper = Reactor()
    http, gateway = RawHttp(helper, b'{"alarm":"%s","new":true}' % (b"a" * 36)), RawGateway(helper)
    target = Target("test", "127.0.0.1", http.port, gateway.port, "secret", ["p"], ["ward/1"], 1, 1)
    made = Round(target, Absent())
    # One loop serves both sides of the wire.
    for server in (http, gateway):
        helper.forget(server.listener.fileno())
        server.reactor = made.reactor
        made.reactor.watch(server.listener.fileno(), server._accept)
    yield made, http, gateway
    http.close()
    gateway.close()
    made.close()
    helper.close()


def test_what_was_stored_and_reached_no_phone_is_lost(one: tuple[Round, RawHttp, RawGateway]) -> None:
    """Acknowledged, silent: the round is invalid, and the open alarms are ended all the same."""
    made, http, _ = one
    made.connect()
    made_plan = plan.even(starts=3, seconds=0.1, beds=1, seed=1)
    made.drain_within_s = 0.2
    outcome = made.play(made_plan, warmup_s=0, seconds=0.1)
    assert "3 lost" in outcome.faults
    assert (outcome.ended, outcome.not_ended) == (3, 0)
    events = [json.loads(body)["event"] for _, _, body in http.requests]
    assert events == ["start"] * 3 + ["end"] * 3


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        ("lag", "fell behind"),
        ("core", "of its core"),
        ("refused", "refused"),
        ("order_faults", "order faults"),
        ("phones_lost", "phones lost"),
        ("duplicate", "duplicated"),
        ("not_ended", "not confirmed"),
    ],
)
def test_each_fault_is_named(one: tuple[Round, RawHttp, RawGateway], cause: str, fault: str) -> None:
    """One cause, one line that says it."""
    made, _, _ = one
    outcome = Outcome("test", 1.0, made.ledger, dict(CPU))
    if cause == "lag":
        made.ledger.self_lag.record_ns(6_000_000)
    elif cause == "core":
        outcome.cpu["generator_core"] = 0.6
    elif cause == "refused":
        made.press(plan.Press(now_ns(), 0, 0))
        made.ledger.answered(0, 503, "", 1)
    elif cause == "not_ended":
        outcome.not_ended = 1
    else:
        made.ledger.counts[cause] += 1
    made.judge(outcome, require_all=True)
    assert len(outcome.faults) == 1
    assert fault in outcome.faults[0]


def test_a_signal_carries_the_number_as_ref_and_text(one: tuple[Round, RawHttp, RawGateway]) -> None:
    """Either the kind or the site's type, and the priority only if it is given."""
    made, _, _ = one
    plain = json.loads(made.body(plan.Press(0, 7, 0)))
    assert plain["ref"] == plain["text"] == made.ledger.ref(7)
    assert (plain["event"], plain["kind"], plain["place"]) == ("start", "patient_call", "ward/1")
    assert "priority" not in plain
    typed = json.loads(made.body(plan.Press(0, 7, 0, type="load-step", priority="high")))
    assert (typed["type"], typed["priority"]) == ("load-step", "high")
    assert "kind" not in typed
