"""SNPP as a conversation: recorded clients, every command's answers, and peers that talk nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.snpp import MAX_WAITING_BYTES, SnppServer
from protocols.snpp_page import Dialect, LineRefused, PageSent, Refusal, Reply, ReplyType
from tests.fuzz.fuzz_snpp import SEEDS, TWO_WAY, target

SAMPLES = Path(__file__).parent / "samples" / "snpp"
STATUSES = [Reply(860, "100001 delivered, awaiting read"), Reply(888, "01 20241122090006+1 MCR reply")]


class Desk:
    """A gateway with numeric pagers, one login and one page to ask for."""

    def __init__(self) -> None:
        self.statuses = list(STATUSES)

    def login(self, user: str, password: str) -> bool:
        """As in the samples."""
        return (user, password) == ("nursecall", "secret")

    def takes(self, pager: str) -> bool:
        """Digits."""
        return pager.isdigit()

    def ping(self, pager: str) -> Reply:
        """One unit is on."""
        return Reply(821, "unit on system") if pager == "1" else Reply(550, "unknown")

    def status(self, tag: str, password: str) -> Reply:
        """What comes next."""
        known = (tag, password) == ("100001", "7788")
        return self.statuses.pop(0) if known and self.statuses else Reply(550, "unknown")

    def forget(self, tag: str, password: str) -> bool:
        """Only the one."""
        return (tag, password) == ("100001", "7788")


class Talk:
    """One connection; every page is stored unless told otherwise."""

    def __init__(self, dialect: Dialect | None = None) -> None:
        self.codec = SnppServer(dialect or Dialect(), Desk(), 0)
        self.now = 0
        self.pages: list[PageSent] = []
        self.refusals: list[LineRefused] = []
        self.why = ""
        self.greeting = self.out()

    def out(self) -> list[str]:
        """What was written since."""
        return self.codec.data_to_send().decode().splitlines()

    def say(self, line: str | bytes) -> list[str]:
        """One line, and what it is answered."""
        self.codec.receive_data((line.encode() if isinstance(line, str) else line) + b"\r\n", self.now)
        self.settle()
        return self.out()

    def settle(self) -> None:
        """Answer what wants answering."""
        while events := self.codec.events_received():
            for event in events:
                if isinstance(event, LineRefused):
                    self.refusals.append(event)
                    continue
                self.pages.append(event)
                if self.why:
                    self.codec.refused(event.token, self.why, self.now)
                else:
                    tag = ("100001", "7788") if event.page.two_way else None
                    self.codec.queued(event.token, self.now, tag)

    def codes(self, *lines: str | bytes) -> list[int]:
        """The codes that these lines get, one each."""
        found = [self.say(line) for line in lines]
        assert all(len(answers) == 1 for answers in found), found
        return [int(answers[0][:3]) for answers in found]


def transcript(name: str) -> list[tuple[str, list[int]]]:
    """What a recorded client said, and the codes it got after each."""
    said: list[tuple[str, list[int]]] = []
    for line in (SAMPLES / name).read_text().splitlines():
        who, _, text = line.partition(": ")
        if who == "C":
            said.append((text, []))
        elif who in ("S", "H") and said:
            said[-1][1].append(int(text[:3]))
    return said


@pytest.mark.parametrize("name", [path.name for path in sorted(SAMPLES.glob("*.txt"))])
def test_a_recorded_client_gets_the_codes_it_got(name: str) -> None:
    """As from the server it was recorded with, but that LEVEl is known here."""
    talk = Talk()
    assert talk.greeting[0].startswith("220 ")
    lines = transcript(name)
    assert len(lines) >= 8
    for said, codes in lines:
        got = [int(answer[:3]) for answer in talk.say(said)]
        assert got == ([250] if said == "LEVE 2" else codes), said
    assert talk.codec.closed and talk.pages


def test_the_two_way_page_of_the_sample_is_read_whole() -> None:
    """Every field a console can set."""
    talk = Talk()
    for said, _ in transcript("synth_two_way_hub_server.txt"):
        talk.say(said)
    (sent,) = talk.pages
    page = sent.page
    assert (page.pagers, page.text, page.subject) == (
        ("5551234",),
        "CARD2 12-1 cardiac arrest",
        "Cardiac alarm",
    )
    assert (page.alert, page.two_way, page.ack_read, page.level) == (True, True, True, 3)
    assert (page.reply_type, page.choices) == (ReplyType.MULTICHOICE, (("01", "Accept"), ("02", "Reject")))


def test_commands_are_known_by_four_letters_in_any_case() -> None:
    """`pager` and `PAGE` alike; three letters are none."""
    talk = Talk()
    assert talk.codes("pager 1042", "Message hej", "send", "RESEt") == [250] * 4
    assert talk.codes("PAG 1042", "", "XYZZY") == [500, 500, 500]
    assert [refusal.reason for refusal in talk.refusals] == [Refusal.UNKNOWN_COMMAND] * 3


def test_several_pagers_are_several_recipients_of_one_page() -> None:
    """Each once, in order; what follows an id is its PIN."""
    talk = Talk()
    assert talk.codes("PAGE 1042 99", "PAGE 2010", "PAGE 1042", "MESS hej", "SEND") == [250] * 5
    assert talk.pages[0].page.pagers == ("1042", "2010")


def test_nothing_is_answered_before_the_page_is_stored() -> None:
    """Not to SEND, nor to what comes after it."""
    codec = SnppServer(Dialect(), Desk(), 0)
    codec.receive_data(b"PAGE 1\r\nMESS hej\r\nSEND\r\nQUIT\r\n", 0)
    (sent,) = codec.events_received()
    assert isinstance(sent, PageSent) and codec.data_to_send().count(b"250") == 2
    assert not codec.wants_data and not codec.closed and codec.next_timer() is None
    codec.queued(99, 1)
    assert codec.data_to_send() == b""
    codec.queued(sent.token, 1)
    assert codec.data_to_send().startswith(b"250 Message sent") and codec.closed


def test_a_page_that_could_not_be_stored_can_be_sent_again() -> None:
    """554 with the reason; then SEND alone will do."""
    talk = Talk()
    talk.why = "try again\r\n250 forged"
    assert talk.codes("PAGE 1", "MESS hej") == [250, 250]
    assert talk.say("SEND") == ["554 Message failed, try again 250 forged"]
    talk.why = ""
    assert talk.codes("SEND", "SEND") == [250, 503]
    assert [sent.page.text for sent in talk.pages] == ["hej", "hej"]


def test_a_message_comes_once_and_is_not_empty() -> None:
    """503 for a second, 550 for nothing."""
    talk = Talk()
    assert talk.codes("SEND", "PAGE 1", "SEND", "MESS", "DATA", ".") == [503, 250, 503, 550, 354, 550]
    assert talk.codes("MESS a", "MESS b", "DATA") == [250, 503, 503]


@pytest.mark.parametrize(("stuffing", "text"), [(True, ".dold\nrad"), (False, "..dold\nrad")])
def test_dots_are_unstuffed_where_the_clients_stuff_them(stuffing: bool, text: str) -> None:
    """The RFC does not say; it is a setting."""
    talk = Talk(Dialect(dot_stuffing=stuffing))
    talk.codes("PAGE 1", "DATA")
    for line in ("..dold", "rad"):
        assert talk.say(line) == []
    assert talk.codes(".", "SEND") == [250, 250]
    assert talk.pages[0].page.text == text


def test_letters_of_home_in_either_encoding() -> None:
    """UTF-8, else the fallback."""
    talk = Talk()
    talk.codes("PAGE 1", "MESS Sängen", "SEND", "PAGE 1", "MESS Sängen".encode("latin-1"), "SEND")
    assert [sent.page.text for sent in talk.pages] == ["Sängen", "Sängen"]


def test_before_the_login_nothing_else_is_heard() -> None:
    """And a wrong one is a refusal worth counting."""
    talk = Talk(Dialect(login=True))
    assert talk.codes("PAGE 1", "2WAY", "MSTA 100001 7788", "LOGI nursecall wrong", "LOGI") == [550] * 5
    assert talk.codes("LOGI nursecall secret", "PAGE 1") == [250, 250]
    assert Refusal.LOGIN in {refusal.reason for refusal in talk.refusals}


def test_two_way_comes_first_or_not_at_all() -> None:
    """And what belongs to it is refused without it."""
    talk = Talk()
    assert (
        talk.codes("PAGE 1", "2WAY", "ACKR 1", "RTYP TEXT", "EXPT 1", "NOQU", "MCRE 01 Ja")
        == [250] + [550] * 6
    )
    assert talk.codes("RESE", "2WAY", "ACKR 1", "RTYP text", "EXPT 1", "NOQU", "MCRE 01 Ja") == [250] * 7
    assert (
        talk.codes("MCRE 01 Nej", "MCRE 123 x", "MCRE 02", "RTYP huh", "ACKR 2", "EXPT x")
        == [502] + [550] * 5
    )


def test_a_page_for_later_is_refused_unless_at_once_will_do() -> None:
    """The hub keeps no diary."""
    assert Talk().codes("HOLD 261123031100 +1", "HOLD tomorrow") == [550, 550]
    talk = Talk(Dialect(hold="at_once"))
    assert talk.codes("HOLD 261123031100 +1", "HOLD 20261123031100", "HOLD 1") == [250, 250, 550]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("LEVE 0", 250), ("LEVE 11", 250), ("LEVE 12", 550), ("LEVE", 550), ("LEVE -1", 550), ("LEVE ٣", 550),
        ("ALER 1", 250), ("ALER 2", 550), ("COVE 3", 250), ("COVE", 550), ("CALL 4711", 250), ("CALL", 550),
        ("SUBJ Lab", 250), ("SUBJ", 550), ("PING 1", 821), ("PING 2", 550), ("PING", 550), ("PAGE", 550),
        ("PAGE a1", 550), ("KTAG 1 2", 550), ("MSTA", 550), ("QUIT now", 221),
    ],
)  # fmt: skip
def test_what_each_command_is_answered(line: str, code: int) -> None:
    """By itself, on a new connection."""
    assert Talk().codes(line) == [code]


def test_help_is_lines_of_214_and_an_end() -> None:
    """As Net::SNPP reads it."""
    answers = Talk().say("HELP")
    assert [answer[:3] for answer in answers] == ["214", "214", "214", "250"]


def test_a_peer_that_talks_nonsense_is_shown_the_door() -> None:
    """After ten refusals in a row; one good line begins anew."""
    talk = Talk()
    assert talk.codes(*["XYZZY"] * 9, "ALER 1", *["XYZZY"] * 9)[-1] == 500
    answers = talk.say("XYZZY")
    assert [answer[:3] for answer in answers] == ["500", "421"] and talk.codec.closed
    assert talk.refusals[-1].reason is Refusal.TOO_MANY and talk.say("PAGE 1") == []


def test_silence_ends_the_conversation_and_waiting_for_us_does_not() -> None:
    """421 after the idle time, counted from the last byte."""
    talk = Talk(Dialect(idle_ms=1_000))
    talk.now = 400
    talk.codes("PAGE 1")
    assert talk.codec.next_timer() == 1_400
    talk.codec.handle_timer(1_399)
    assert not talk.codec.closed
    talk.codec.handle_timer(1_400)
    assert talk.out()[0].startswith("421") and talk.codec.closed and talk.codec.next_timer() is None


def test_lines_and_messages_have_an_end() -> None:
    """A line, a text, recipients and choices beyond the limits are refused, and the next line is heard."""
    talk = Talk(Dialect(max_pagers=2, max_choices=1, max_text_bytes=2_000))
    assert talk.codes("MESS " + "x" * 1_020, "2WAY", "PAGE 1", "PAGE 2", "PAGE 3") == [
        500,
        250,
        250,
        250,
        552,
    ]
    assert talk.codes("MCRE 1 a", "MCRE 2 b", "DATA") == [250, 552, 354]
    for _ in range(30):
        assert talk.say("y" * 100) == []
    assert talk.codes(".", "DATA") == [552, 354]
    assert talk.say("z" * 1_500) == []
    assert talk.codes(".", "SEND") == [250, 960]
    assert talk.refusals[0].reason is Refusal.TOO_LONG


def test_a_flood_behind_a_waiting_page_closes() -> None:
    """What is not read is not kept without bounds."""
    codec = SnppServer(Dialect(), Desk(), 0)
    codec.receive_data(b"PAGE 1\r\nMESS hej\r\nSEND\r\n" + b"x" * (MAX_WAITING_BYTES + 1), 0)
    assert codec.closed and codec.error == "too much at once"
    assert [type(event) for event in codec.events_received()] == [PageSent]


def test_who_hangs_up_with_a_page_unsent_is_noticed() -> None:
    """It is nobody's page; one that was sent is."""
    talk = Talk()
    talk.codes("PAGE 1", "MESS hej")
    talk.codec.receive_eof(0)
    talk.settle()
    assert [refusal.reason for refusal in talk.refusals] == [Refusal.UNFINISHED] and not talk.pages


def test_who_may_not_talk_here_hears_it_first() -> None:
    """421 instead of a greeting."""
    codec = SnppServer(Dialect(), Desk(), 0)
    codec.turn_away("not from this address")
    assert codec.data_to_send() == b"421 not from this address\r\n" and codec.closed


@given(st.lists(st.integers(1, 200), max_size=20), st.integers(0, 31))
def test_any_split_gives_the_same_conversation(cuts: list[int], head: int) -> None:
    """Byte by byte or all at once, events and answers."""
    whole = Talk(Dialect(login=bool(head & 1)))
    whole.codec.receive_data(TWO_WAY, 0)
    whole.settle()
    pieces, rest = Talk(Dialect(login=bool(head & 1))), TWO_WAY
    out: list[str] = []
    for cut in [*cuts, len(rest)]:
        pieces.codec.receive_data(rest[:cut], 0)
        pieces.settle()
        out += pieces.out()
        rest = rest[cut:]
    assert (out, pieces.pages) == (whole.out(), whole.pages)


@given(st.binary(max_size=600), st.sampled_from(SEEDS))
def test_garbage_breaks_nothing(garbage: bytes, seed: bytes) -> None:
    """Before, between and after good lines."""
    target(garbage)
    target(seed + garbage)
    target(seed[:20] + garbage + seed[20:])
