"""The dumb phones: what they say, and the books they keep of what they hear."""

from collections.abc import Iterator
from typing import Any

import pytest

from load import wsframes
from load.answers import Absent, Prompt
from load.ledger import Entry, Ledger
from load.phones import Crowd
from load.reactor import Reactor, now_ns
from tests.support.raw_gateway import RawGateway

ALARM = {
    "type": "alarm", "id": "a-1", "rev": 1, "phase": "ringing", "kind": "patient_call", "turn": 1,
    "text": "L1-0", "can": ["accept"], "rings": True,
}  # fmt: skip


class Ward:
    """Phones connected to a gateway that says what the test wants."""

    def __init__(self, phones: int, answers: Any = None, beat_every_s: float = 60) -> None:
        self.reactor = Reactor()
        self.gateway = RawGateway(self.reactor, beat_every_s)
        self.ledger = Ledger(marker="L1-")
        secrets = [f"secret-{number}" for number in range(phones)]
        self.crowd = Crowd(
            self.reactor, "127.0.0.1", self.gateway.port, secrets, self.ledger, answers or Absent()
        )
        self.crowd.connect(within_s=5)

    def pressed(self) -> None:
        """Alarm number 0 has been sent and answered."""
        at = now_ns()
        self.ledger.opened(Entry(0, 0, "patient_call", "", False, True, at, at))
        self.ledger.answered(0, 201, "a-1", at)

    def said(self, kind: str, number: int = 0) -> list[dict[str, Any]]:
        """What phone `number` has said of this type."""
        return [frame for frame in self.gateway.said[number] if frame["type"] == kind]

    def wait(self, done: Any) -> None:
        """Runs the loop until `done()`."""
        assert self.reactor.run_until(done, 5)

    def close(self) -> None:
        """Ends all."""
        self.crowd.close()
        self.gateway.close()
        self.reactor.close()


@pytest.fixture
def wards() -> Iterator[list[Ward]]:
    """Wards of this test, closed in the end."""
    made: list[Ward] = []
    yield made
    for ward in made:
        ward.close()


def test_every_phone_says_hello_with_its_secret(wards: list[Ward]) -> None:
    """The first frame is hello; each phone is a device of its own."""
    wards.append(ward := Ward(3))
    hellos = [ward.said("hello", number)[0] for number in range(3)]
    assert sorted(hello["token"] for hello in hellos) == ["secret-0", "secret-1", "secret-2"]
    assert len({hello["device"] for hello in hellos}) == 3
    assert ward.crowd.synced == 3


def test_an_alarm_that_rings_is_reported_at_once_and_accepted_later(wards: list[Ward]) -> None:
    """Rang comes without delay, accept when the person is ready, with the rev shown and a req."""
    wards.append(ward := Ward(1, Prompt(1, 0.1, 0.2)))
    ward.pressed()
    ward.gateway.send(0, **ALARM)
    ward.wait(lambda: ward.said("rang"))
    assert ward.said("rang") == [{"type": "rang", "alarm": "a-1", "rev": 1}]
    assert ward.said("accept") == []
    ward.wait(lambda: ward.said("accept"))
    accept = ward.said("accept")[0]
    assert (accept["alarm"], accept["rev"]) == ("a-1", 1)
    ward.gateway.send(0, type="result", req=accept["req"], ok=True)
    ward.wait(lambda: ward.ledger.counts["results"] == 1)
    assert ward.ledger.lost == 0
    assert ward.ledger.first_phone.count == 1


def test_an_answer_that_was_not_stored_is_kept_and_said_again(wards: list[Ward]) -> None:
    """The same request once more, until the hub has stored it."""
    wards.append(ward := Ward(1, Prompt(1, 0.01, 0.02)))
    ward.pressed()
    ward.gateway.send(0, **ALARM)
    ward.wait(lambda: ward.said("accept"))
    req = ward.said("accept")[0]["req"]
    ward.gateway.send(0, type="result", req=req, ok=False, error="not_stored", retry=True)
    ward.wait(lambda: len(ward.said("accept")) == 2)
    assert ward.said("accept")[1]["req"] == req
    ward.gateway.send(0, type="result", req=req, ok=True)
    ward.wait(lambda: ward.ledger.counts["results"] == 1)


def test_the_same_id_and_rev_twice_on_one_connection_is_a_duplicate(wards: list[Ward]) -> None:
    """Counted once for the second frame; a higher rev is none, and the first arrival alone is a latency."""
    wards.append(ward := Ward(1))
    ward.pressed()
    ward.gateway.send(0, **ALARM)
    ward.gateway.send(0, **ALARM)
    ward.gateway.send(0, **{**ALARM, "rev": 2})
    ward.wait(lambda: ward.crowd.phones[0].revs.get("a-1") == [1, 2])
    assert ward.ledger.duplicated == 1
    assert ward.ledger.first_phone.count == 1


def test_the_same_alarm_on_a_new_connection_is_no_duplicate(wards: list[Ward]) -> None:
    """After a radio gap the hub sends the whole state again, as it must."""
    wards.append(ward := Ward(1))
    ward.pressed()
    ward.gateway.send(0, **ALARM)
    ward.wait(lambda: ward.crowd.phones[0].revs)
    phone = ward.crowd.phones[0]
    ward.crowd.cut(phone)
    ward.crowd.connect([phone], within_s=5)
    ward.gateway.send(1, **ALARM)
    ward.wait(lambda: phone.revs)
    assert ward.ledger.duplicated == 0
    assert ward.ledger.counts["phones_lost"] == 0


def test_a_lower_rev_after_a_higher_one_is_an_order_fault(wards: list[Ward]) -> None:
    """The hub promised that rev only rises."""
    wards.append(ward := Ward(1))
    ward.gateway.send(0, **{**ALARM, "rev": 5})
    ward.gateway.send(0, **{**ALARM, "rev": 4})
    ward.wait(lambda: ward.ledger.counts["order_faults"] == 1)


def test_an_alarm_that_is_gone_is_not_accepted(wards: list[Ward]) -> None:
    """The colleague was faster: the planned accept is not sent."""
    wards.append(ward := Ward(2, Prompt(1, 0.1, 0.2)))
    ward.pressed()
    ward.gateway.send(0, **ALARM)
    ward.gateway.send(1, **{**ALARM, "id": "a-2"})
    ward.wait(lambda: ward.said("rang", 0) and ward.said("rang", 1))
    ward.gateway.send(0, type="gone", id="a-1", rev=2, reason="accepted", at=0)
    ward.wait(lambda: ward.said("accept", 1))
    ward.reactor.run_for(0)
    assert ward.ledger.counts["gone"] == 1
    ward.wait(lambda: ward.ledger.counts["answer_accept"] >= 1)
    assert ward.said("accept", 0) == []


def test_a_phone_sounds_again_when_the_turn_rises_and_not_before(wards: list[Ward]) -> None:
    """A changed snapshot of the same turn is shown in silence."""
    wards.append(ward := Ward(1))
    for rev, turn in ((1, 1), (2, 1), (3, 2)):
        ward.gateway.send(0, **{**ALARM, "rev": rev, "turn": turn})
    ward.wait(lambda: len(ward.said("rang")) == 2)
    assert [frame["rev"] for frame in ward.said("rang")] == [1, 3]


def test_phones_beat_as_the_hub_told_them(wards: list[Ward]) -> None:
    """Every beat_every seconds of the welcome."""
    wards.append(ward := Ward(2, beat_every_s=0.02))
    ward.wait(lambda: len(ward.said("beat", 0)) >= 3 and len(ward.said("beat", 1)) >= 3)


def test_a_ping_is_answered_and_a_close_is_counted(wards: list[Ward]) -> None:
    """A phone that the hub hangs up on during a run makes the run invalid."""
    wards.append(ward := Ward(1))
    ward.gateway.connections[0].sendall(wsframes.server_frame(b"are you there", wsframes.PING))
    ward.wait(lambda: (wsframes.PONG, b"are you there") in ward.gateway.controls)
    ward.gateway.connections[0].sendall(wsframes.server_frame((4409).to_bytes(2, "big"), wsframes.CLOSE))
    ward.wait(lambda: ward.gateway.controls[-1][0] == wsframes.CLOSE)
    ward.gateway.close()
    ward.wait(lambda: ward.ledger.counts["phones_lost"] == 1)


def test_who_does_not_get_in_is_named() -> None:
    """A gateway that is not there is a TimeoutError with the reason, not a silent wait."""
    reactor = Reactor()
    crowd = Crowd(reactor, "127.0.0.1", 1, ["secret"], Ledger(marker="L-"), Absent())
    with pytest.raises(TimeoutError, match="1 of 1 phones"):
        crowd.connect(within_s=0.1)
    crowd.close()
    reactor.close()
