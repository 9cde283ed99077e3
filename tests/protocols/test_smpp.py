"""The ESME's side of SMPP, as conversations: bind, send within a window, answer late, notice a dead peer."""

from __future__ import annotations

import pytest

from protocols.smpp import Alive, Arrived, Bound, Esme, Pace, PduRefused, SubmitLost, Submitted
from protocols.smpp_pdu import (
    HEADER,
    RESPONSE,
    Address,
    Command,
    Login,
    Pdu,
    Status,
    Submit,
    encode,
    submit_body,
)

PACE = Pace(window=2, enquire_ms=30_000, response_ms=10_000, most_unanswered=3)
HEJ = Submit(Address("hub", 5), Address("46701740605", 1, 1), b"hej", receipt=True)


class Talk:
    """One ESME and what its network says."""

    def __init__(self, *, bound: bool = True) -> None:
        self.now = 1_000
        self.esme = Esme(Login("hub", "secret"), PACE, self.now)
        if bound:
            assert self.said == [Command.BIND_TRANSCEIVER]
            self.hears(Command.BIND_TRANSCEIVER | RESPONSE, sequence=1, body=b"SMSC\x00")
            assert self.esme.events_received() == [Bound("SMSC")]

    def hears(self, command: int, *, status: int = 0, sequence: int = 1, body: bytes = b"") -> None:
        """The network says this."""
        self.esme.receive_data(encode(Pdu(command, status, sequence, body)), self.now)

    @property
    def wrote(self) -> list[Pdu]:
        """What was written since the last look."""
        data, found = self.esme.data_to_send(), []
        while data:
            length, command, status, sequence = HEADER.unpack_from(data)
            found.append(Pdu(command, status, sequence, data[HEADER.size : length]))
            data = data[length:]
        return found

    @property
    def said(self) -> list[int]:
        """The commands of that."""
        return [pdu.command for pdu in self.wrote]

    def at(self, ms: int) -> None:
        """So long after the beginning."""
        self.now = 1_000 + ms
        self.esme.handle_timer(self.now)


def test_it_binds_at_once_and_sends_nothing_before_it_is_in() -> None:
    """A message that is not sent is said to be so."""
    talk = Talk(bound=False)
    assert not talk.esme.bound and not talk.esme.submit("a", HEJ, talk.now)
    assert talk.said == [Command.BIND_TRANSCEIVER]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.INVALID_PASSWORD, "bind refused: wrong password (0x0E)"),
        (Status.INVALID_SYSTEM_ID, "bind refused: unknown system_id (0x0F)"),
        (0x77, "bind refused: status 0x77"),
    ],
)
def test_a_refused_bind_ends_it_and_says_why(status: int, words: str) -> None:
    """In words; a refusal is no event, so that nobody takes it for a use of the connection."""
    talk = Talk(bound=False)
    talk.hears(Command.BIND_TRANSCEIVER | RESPONSE, status=status)
    assert (talk.esme.closed, talk.esme.error, talk.esme.events_received()) == (True, words, [])


def test_a_bind_that_is_not_understood_is_refused_too() -> None:
    """generic_nack."""
    talk = Talk(bound=False)
    talk.hears(Command.GENERIC_NACK, status=Status.INVALID_COMMAND)
    assert talk.esme.error == "bind refused: status 0x03"


def test_a_bind_is_waited_for_no_longer_than_its_time() -> None:
    """On both sides of it."""
    talk = Talk(bound=False)
    talk.at(9_999)
    assert not talk.esme.closed
    talk.at(10_000)
    assert talk.esme.error == "the bind was not answered"


def test_a_message_is_answered_under_its_own_name() -> None:
    """In whatever order the network answers."""
    talk = Talk()
    assert talk.esme.submit("a", HEJ, talk.now) and talk.esme.submit("b", HEJ, talk.now)
    first, second = talk.wrote
    talk.hears(Command.SUBMIT_SM | RESPONSE, sequence=second.sequence, body=b"M2\x00")
    talk.hears(Command.SUBMIT_SM | RESPONSE, status=Status.THROTTLED, sequence=first.sequence)
    assert talk.esme.events_received() == [
        Submitted("b", 0, "M2"),
        Submitted("a", Status.THROTTLED, ""),
    ]
    talk.hears(Command.SUBMIT_SM | RESPONSE, sequence=first.sequence, body=b"M1\x00")
    assert talk.esme.events_received() == [], "an answer is heard once"


def test_no_more_are_under_way_than_the_window_holds() -> None:
    """An answer makes room."""
    talk = Talk()
    assert [talk.esme.submit(name, HEJ, talk.now) for name in "abc"] == [True, True, False]
    assert talk.esme.room == 0
    talk.hears(Command.SUBMIT_SM | RESPONSE, sequence=talk.wrote[0].sequence, body=b"M1\x00")
    assert talk.esme.room == 1 and talk.esme.submit("c", HEJ, talk.now)


def test_a_message_that_is_not_answered_is_given_up_in_time() -> None:
    """And its place in the window is free; the connection goes on."""
    talk = Talk()
    talk.esme.submit("a", HEJ, talk.now)
    talk.at(9_999)
    assert talk.esme.events_received() == []
    talk.at(10_000)
    assert talk.esme.events_received() == [SubmitLost("a", "not answered in time")]
    assert talk.esme.room == 2 and not talk.esme.closed


def test_what_is_under_way_when_the_connection_goes_is_said_to_be_lost() -> None:
    """Once each."""
    talk = Talk()
    talk.esme.submit("a", HEJ, talk.now)
    talk.esme.receive_eof(talk.now)
    talk.esme.receive_eof(talk.now)
    assert talk.esme.events_received() == [SubmitLost("a", "the connection was closed")]
    assert (talk.esme.error, talk.esme.next_timer(), talk.esme.room) == (None, None, 0)


def test_a_delivery_is_answered_when_its_owner_says_so() -> None:
    """Not before, and not twice; a refusal that asks for it again carries that status."""
    talk = Talk()
    talk.hears(Command.DELIVER_SM, sequence=77, body=submit_body(HEJ))
    (arrived,) = talk.esme.events_received()
    assert isinstance(arrived, Arrived) and arrived.delivery.text == b"hej" and talk.wrote == []
    talk.esme.answer(arrived.ticket, Status.TEMPORARY)
    talk.esme.answer(arrived.ticket, Status.OK)
    assert talk.wrote == [Pdu(Command.DELIVER_SM | RESPONSE, Status.TEMPORARY, 77, b"\x00")]


def test_the_same_delivery_again_while_it_waits_is_the_same() -> None:
    """Answered once; after that it is another."""
    talk = Talk()
    for _ in range(2):
        talk.hears(Command.DELIVER_SM, sequence=77, body=submit_body(HEJ))
    (arrived,) = talk.esme.events_received()
    assert isinstance(arrived, Arrived)
    talk.esme.answer(arrived.ticket, Status.OK)
    talk.hears(Command.DELIVER_SM, sequence=77, body=submit_body(HEJ))
    assert len(talk.esme.events_received()) == 1


def test_a_delivery_that_cannot_be_read_is_refused_for_good() -> None:
    """The same again could not be read either."""
    talk = Talk()
    talk.hears(Command.DELIVER_SM, sequence=5, body=b"\x00\x01")
    assert talk.wrote == [Pdu(Command.DELIVER_SM | RESPONSE, Status.REJECTED, 5, b"\x00")]
    assert talk.esme.events_received() == [PduRefused("a delivery that cannot be read")]


def test_it_does_not_read_on_while_too_much_waits() -> None:
    """An answer lets it."""
    talk = Talk()
    for sequence in range(1, 4):
        assert talk.esme.wants_data
        talk.hears(Command.DELIVER_SM, sequence=sequence, body=submit_body(HEJ))
    assert not talk.esme.wants_data
    talk.esme.answer((Command.DELIVER_SM, 2), Status.OK)
    assert talk.esme.wants_data


def test_silence_is_asked_about_and_no_answer_is_the_end() -> None:
    """On both sides of each deadline."""
    talk = Talk()
    talk.at(29_999)
    assert talk.said == []
    talk.at(30_000)
    (asked,) = talk.wrote
    assert asked.command == Command.ENQUIRE_LINK
    talk.hears(Command.ENQUIRE_LINK | RESPONSE, sequence=asked.sequence)
    assert talk.esme.events_received() == [Alive()]
    talk.at(60_000)
    assert talk.said == [Command.ENQUIRE_LINK]
    talk.at(69_999)
    assert not talk.esme.closed
    talk.at(70_000)
    assert talk.esme.error == "the other side does not answer"


def test_it_says_that_it_is_there() -> None:
    """When asked."""
    talk = Talk()
    talk.hears(Command.ENQUIRE_LINK, sequence=9)
    assert talk.wrote == [Pdu(Command.ENQUIRE_LINK | RESPONSE, 0, 9)]


def test_a_network_that_says_goodbye_is_answered() -> None:
    """And what was under way is lost."""
    talk = Talk()
    talk.esme.submit("a", HEJ, talk.now)
    assert talk.said == [Command.SUBMIT_SM]
    talk.hears(Command.UNBIND, sequence=3)
    assert talk.wrote == [Pdu(Command.UNBIND | RESPONSE, 0, 3)]
    assert talk.esme.closed and talk.esme.events_received() == [SubmitLost("a", "the other side unbound")]


def test_we_say_goodbye_too() -> None:
    """At a stop."""
    talk = Talk()
    talk.esme.unbind()
    assert talk.said == [Command.UNBIND] and talk.esme.closed


@pytest.mark.parametrize("length", [0, 15, 70_001, 0xFFFF_FFFF])
def test_a_length_no_pdu_can_have_ends_it(length: int) -> None:
    """Nothing after it could be understood; nothing is kept of it."""
    talk = Talk()
    talk.esme.receive_data(HEADER.pack(length, Command.DELIVER_SM, 0, 1) + b"x" * 100, talk.now)
    assert talk.said == [Command.GENERIC_NACK]
    assert talk.esme.closed and talk.esme.error == f"a PDU of {length} octets"


def test_what_an_esme_is_not_asked_is_refused() -> None:
    """And a notification needs no answer."""
    talk = Talk()
    talk.hears(Command.OUTBIND, sequence=4)
    assert talk.wrote == [Pdu(Command.GENERIC_NACK, Status.INVALID_COMMAND, 4)]
    talk.hears(Command.ALERT_NOTIFICATION, sequence=5)
    talk.hears(0x80000077, sequence=6)
    assert talk.wrote == []


def test_nothing_is_delivered_before_it_is_bound() -> None:
    """Whoever claims to be the network must have let us in first."""
    talk = Talk(bound=False)
    talk.esme.data_to_send()
    talk.hears(Command.DELIVER_SM, sequence=2, body=submit_body(HEJ))
    assert talk.said == [Command.GENERIC_NACK]
    assert not [e for e in talk.esme.events_received() if isinstance(e, Arrived)]


def test_sequence_numbers_begin_again_after_the_last() -> None:
    """Zero is none of them."""
    talk = Talk()
    talk.esme._sequence = 0x7FFF_FFFE
    talk.esme.submit("a", HEJ, talk.now)
    talk.esme.submit("b", HEJ, talk.now)
    assert [pdu.sequence for pdu in talk.wrote] == [0x7FFF_FFFF, 1]
