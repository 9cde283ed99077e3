"""Conversations with the pager system: recorded ones, tolerant ones, and those where time passes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.codec import StreamCodec
from protocols.espa444 import (
    GAVE_UP_MS,
    MAX_PENDING_BYTES,
    NOISE_BYTES,
    Link,
    LinkMode,
    PagerSystem,
    StatusMemory,
    StatusReport,
)
from protocols.espa444_block import encode_block
from protocols.espa444_events import (
    AnswerUnwanted,
    BlockReceived,
    Cause,
    EspaEvent,
    FrameRefused,
    InformationReceived,
    PollSeen,
    StatusCause,
    StatusDelivered,
    StatusFailed,
    StatusRequested,
)
from tests.support.espa_replay import load_transactions, replay
from tests.support.espa_talk import ACK, BARE_SELECT, EOT, POLL, SELECT, Talk, call

VECTORS = load_transactions()
CALL_TEXT = "Zi 12 Bett 1 Ruf"
MODES = list(LinkMode)
ALL_BYTES = b"".join(VECTORS[name].said for name in sorted(VECTORS))


def prepared(name: str, mode: LinkMode = LinkMode.POLLED) -> Talk:
    """A pager system in the state the recorded conversation starts from."""
    talk = Talk(mode, answers="busy" if name == "03_busy_then_giveup" else "accept")
    if name == "05_status_information_back":
        talk.codec.queue_status(StatusReport("s1", "1201", CALL_TEXT, "6"))
    elif name == "06_status_request":
        replay(VECTORS["01_call_selfpoll_select"], talk.say)
    elif name == "09_system_failure":
        talk.codec.queue_status(StatusReport("s1", system_status="1"))
    return talk


def test_a_pager_system_is_a_stream_codec() -> None:
    """The driver's interface and this codec agree; mypy checks the types, this the names."""
    codec: StreamCodec[EspaEvent] = PagerSystem(Link())
    assert (codec.next_timer(), codec.closed, codec.error, codec.wants_data) == (None, False, None, True)


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_every_recorded_conversation_goes_as_recorded(name: str) -> None:
    """What a control station says is answered byte for byte as recorded, on a polled link."""
    replay(VECTORS[name], prepared(name).say)


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_an_auto_link_answers_the_recorded_conversations_alike(name: str) -> None:
    """`auto` finds out by itself what kind of sender it has."""
    replay(VECTORS[name], prepared(name, LinkMode.AUTO).say)


@pytest.mark.parametrize(
    "name", sorted(n for n in VECTORS if "status" not in n and n[:2] not in ("07", "09"))
)
def test_a_select_only_link_takes_every_recorded_call(name: str) -> None:
    """Calls do not depend on the link mode."""
    replay(VECTORS[name], prepared(name, LinkMode.SELECT_ONLY).say)


def test_the_standard_call_arrives_with_all_its_records() -> None:
    """Transaction A of the fact sheet, record by record."""
    talk = Talk()
    replay(VECTORS["01_call_selfpoll_select"], talk.say)
    (got,) = talk.seen(BlockReceived)
    assert (got.header, got.address, got.text) == ("1", "1201", CALL_TEXT)
    assert (got.beep, got.call_type, got.transmissions, got.priority) == ("3", "3", "1", "3")
    assert got.bcc_rule == "8-bit"


def test_records_that_were_not_sent_have_the_usual_values() -> None:
    """Records 3 to 6 are optional in the field: type 3, priority 3, one transmission."""
    talk = Talk()
    replay(VECTORS["15_quirk_minimal_records"], talk.say)
    (got,) = talk.seen(BlockReceived)
    assert (got.call_type, got.transmissions, got.priority) == ("3", "1", "3")


def test_the_masked_check_is_taken_and_named() -> None:
    """A sender that masks its check to seven bits is understood, and seen to be one."""
    talk = Talk()
    replay(VECTORS["17_quirk_latin1_7bit_masked_bcc"], talk.say)
    (got,) = talk.seen(BlockReceived)
    assert (got.text, got.bcc_rule) == ("Küche", "masked to 7 bits")


# Poll or select.


@pytest.mark.parametrize(
    ("mode", "start"),
    [(mode, start) for mode in MODES for start in (SELECT, b"")]
    + [(LinkMode.SELECT_ONLY, BARE_SELECT), (LinkMode.AUTO, BARE_SELECT)],
)
def test_two_calls_in_a_row_are_both_taken(mode: LinkMode, start: bytes) -> None:
    """However the sender begins, call 2 is as good as call 1 (polled and a bare select: see below)."""
    talk = Talk(mode)
    for text in ("Sal 1", "Sal 2"):
        if start:
            assert talk.say(start) == ACK
        assert talk.say(call(text=text)) == ACK
        assert talk.say(EOT) == b""
        talk.wait(5_000)
    assert talk.texts == ["Sal 1", "Sal 2"]


def test_a_polled_link_answers_a_poll_after_an_eot_with_eot() -> None:
    """The select-only sender's second select is byte-identical to a poll: hence the modes."""
    talk = Talk(LinkMode.POLLED)
    assert talk.say(BARE_SELECT) == ACK
    assert talk.say(call() + EOT) == ACK
    assert talk.say(BARE_SELECT) == EOT


def test_an_auto_link_learns_polling_from_a_self_poll() -> None:
    """After `EOT control ENQ` was seen once, `EOT me ENQ` is a poll even in two bursts."""
    talk = Talk(LinkMode.AUTO)
    talk.say(EOT)
    talk.wait(500)
    assert talk.say(BARE_SELECT) == ACK, "nothing has shown that this link polls"
    talk.say(EOT)
    assert not talk.codec.polling_seen
    talk.say(b"\x041\x05")
    assert talk.codec.polling_seen
    talk.say(EOT)
    talk.wait(500)
    assert talk.say(BARE_SELECT) == EOT


def test_an_auto_link_is_not_fooled_by_the_eot_that_ends_a_call() -> None:
    """A select-only sender with the next call ready sends EOT and select together: still a select."""
    talk = Talk(LinkMode.AUTO)
    assert talk.say(BARE_SELECT) == ACK
    assert talk.say(call(text="Sal 1")) == ACK
    assert talk.say(EOT + BARE_SELECT) == ACK
    assert talk.say(call(text="Sal 2")) == ACK
    assert talk.texts == ["Sal 1", "Sal 2"]


def test_a_link_may_be_told_that_eot_me_enq_is_a_select() -> None:
    """The per-link switch for devices that never poll themselves."""
    talk = Talk(link=Link(mode=LinkMode.POLLED, eot_select=True))
    for text in ("Sal 1", "Sal 2"):
        assert talk.say(POLL) == ACK
        assert talk.say(call(text=text)) == ACK
        assert talk.say(EOT) == b""
    assert talk.texts == ["Sal 1", "Sal 2"]


def test_polls_are_seen_whoever_they_are_for() -> None:
    """A poll of any station is a sign of life of the link."""
    talk = Talk()
    talk.say(b"\x041\x05")
    assert talk.say(POLL) == EOT
    assert talk.seen(PollSeen) == [PollSeen("1", mine=False), PollSeen("2", mine=True)]


def test_a_station_that_was_polled_may_select_us() -> None:
    """`EOT 3 ENQ` polls station 3, whose `2 ENQ` then selects us."""
    talk = Talk()
    assert talk.say(b"\x043\x05") == b""
    assert talk.say(b"2\x05") == ACK
    assert talk.say(call()) == ACK


def test_what_another_station_was_selected_for_is_not_ours() -> None:
    """On a shared RS-485 line a block for station 3 is neither answered nor delivered, whatever its check."""
    talk = Talk()
    assert talk.say(b"\x041\x053\x05") == b""
    assert talk.say(b"\x06" + call() + b"\x06") == b""
    assert talk.say(call()[:-1] + b"\x00") == b""
    assert talk.wait(60_000) == b""
    assert talk.say(SELECT) == ACK
    assert talk.say(call(text="ours")) == ACK
    assert talk.texts == ["ours"]


def test_a_master_that_missed_our_ack_selects_again() -> None:
    """A repeated select is answered again; the block after it is taken once."""
    talk = Talk()
    assert talk.say(SELECT) == ACK
    assert talk.say(BARE_SELECT) == ACK
    assert talk.say(call()) == ACK


def test_an_unready_hub_refuses_the_select_with_busy() -> None:
    """`2 NAK` to the select: the sender keeps its call and shows its own fault."""
    talk = Talk()
    talk.codec.ready = False
    assert talk.say(SELECT) == b"2\x15"
    talk.codec.ready = True
    assert talk.say(SELECT) == ACK


def test_a_select_whose_master_has_already_gone_is_not_answered() -> None:
    """A stalled hub finds select and EOT together; its late ACK would answer the next select."""
    talk = Talk()
    assert talk.say(SELECT + EOT + SELECT) == ACK


# Refusals, and what survives them.


def test_a_good_call_before_bad_bytes_is_delivered() -> None:
    """Good, then bad in one packet: the good one counts, the bad one gets its NAK."""
    talk = Talk()
    assert talk.say(SELECT) == ACK
    bad = call(text="bad")[:-1] + b"\x7f"
    assert talk.say(call(text="good") + bad) == ACK + b"1\x15"
    assert talk.texts == ["good"]
    assert talk.seen(FrameRefused) == [FrameRefused(Cause.BCC, "1")]


def test_a_bad_call_before_a_good_one_does_not_hide_it() -> None:
    """After garbage and a cut-off block the line finds its way at the next EOT or SOH."""
    talk = Talk()
    assert talk.say(b"\xff\xfe\x02xyz\x01" + b"1\x021\x1f12") == b""
    assert talk.say(EOT + SELECT) == ACK
    assert talk.say(b"\x01half\x01" + call(text="whole")[1:]) == ACK
    assert talk.texts == ["whole"]
    assert talk.seen(FrameRefused) == [FrameRefused(Cause.CUT_OFF), FrameRefused(Cause.CUT_OFF)]


@pytest.mark.parametrize("check", [0x04, 0x06, 0x0D, 0x01, 0x11, 0x13, 0x00])
def test_the_check_may_be_any_byte(check: int) -> None:
    """The byte after ETX is the check, even if it looks like EOT, ACK, CR, SOH or XON."""
    text = next(
        f"T{filler:c}{other:c}"
        for filler in range(0x20, 0x7F)
        for other in range(0x20, 0x7F)
        if call(text=f"T{filler:c}{other:c}")[-1] == check
    )
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(text=text)) == ACK
    assert talk.say(EOT + SELECT) == ACK
    assert talk.texts == [text]


@pytest.mark.parametrize("header", ["7", "9", "0", "6", "11", "x"])
def test_unknown_headers_are_refused_as_invalid(header: str) -> None:
    """Dialect headers get `3 NAK`, as a real pager system answers them."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(header=header)) == b"3\x15"
    assert talk.seen(FrameRefused) == [FrameRefused(Cause.UNKNOWN_HEADER, "3")]
    assert not talk.texts


@pytest.mark.parametrize("header", ["2", "5"])
def test_information_is_acknowledged_and_told(header: str) -> None:
    """Headers that ask for nothing are taken without waiting for anybody."""
    talk = Talk(answers="hold")
    talk.say(SELECT)
    assert talk.say(call(header=header)) == ACK
    assert [event.block.header for event in talk.seen(InformationReceived)] == [header]


def test_a_call_to_a_subscriber_line_is_a_call() -> None:
    """Header 4 is treated like 1."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(header="4", address="4711")) == ACK
    assert [(e.header, e.address) for e in talk.seen(BlockReceived)] == [("4", "4711")]


@pytest.mark.parametrize(
    "records", [[("3", b"1")], [("1", b""), ("2", b"  ")], [("4", b"3")]], ids=["beep", "empty", "type"]
)
def test_a_call_to_nobody_about_nothing_is_invalid(records: list[tuple[str, bytes]]) -> None:
    """Neither address nor text: `3 NAK`. One of them is enough to be a call."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(encode_block("1", records)) == b"3\x15"
    assert talk.say(encode_block("1", [("2", b"only text")])) == ACK


def test_a_block_at_the_limit_is_taken_and_one_beyond_refused() -> None:
    """Both sides of the length limit; after the refusal the line works on."""
    limit = Link().max_block_bytes
    fits = limit - (len(call(text="")) - 3)  # SOH, ETX and the check do not count
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(text="x" * fits)) == ACK
    assert talk.say(call(text="x" * (fits + 1))) == b"3\x15"
    assert talk.say(call(text="next")) == ACK
    assert talk.seen(FrameRefused) == [FrameRefused(Cause.TOO_LONG, "3")]


def test_an_endless_block_is_refused_and_forgotten() -> None:
    """A block that never ends costs no memory and is refused when its time is over."""
    talk = Talk()
    talk.say(SELECT + b"\x011\x022\x1f")
    heard = b""
    for _ in range(100):
        heard += talk.say(b"x" * 4096)
        heard += talk.wait(100)
    assert heard == b"3\x15"
    assert len(talk.codec._pending) == 0
    assert talk.say(SELECT + call()) == ACK + ACK


def test_a_block_that_lost_its_start_is_asked_for_again() -> None:
    """SOH lost on the line: `1 NAK` at its end, not silence."""
    talk = Talk()
    assert talk.say(SELECT) == ACK
    assert talk.say(call()[1:]) == b"1\x15"
    assert talk.say(call()) == ACK


def test_long_noise_is_reported_once() -> None:
    """A device that speaks something else is news, but one piece of news."""
    talk = Talk()
    for _ in range(NOISE_BYTES):
        talk.say(b"GET / HTTP")
    assert talk.seen(FrameRefused) == [FrameRefused(Cause.NOISE)]
    assert talk.say(SELECT) == ACK


def test_carriage_returns_between_frames_are_ignored() -> None:
    """Some senders end everything with CR, some with CR LF."""
    talk = Talk()
    assert talk.say(b"\r\n" + SELECT + b"\r") == ACK
    assert talk.say(call() + b"\r\n") == ACK
    assert talk.say(EOT + b"\r") == b""
    assert talk.say(SELECT) == ACK


def test_a_seven_bit_line_has_its_parity_bits_taken_off() -> None:
    """Through a device server that passes parity on, every byte may carry it."""

    def with_parity(data: bytes) -> bytes:
        return bytes(code | 0x80 if code.bit_count() % 2 else code for code in data)

    talk = Talk(link=Link(charset="iso646-se", seven_bit=True))
    assert talk.say(with_parity(SELECT)) == ACK
    assert talk.say(with_parity(call(text="V}rd 1"))) == ACK
    assert talk.texts == ["Vård 1"]


# The answer that is owed.


def test_nothing_is_acknowledged_before_the_owner_says_so() -> None:
    """The ACK follows the commit, not the check."""
    talk = Talk(answers="hold")
    talk.say(SELECT)
    assert talk.say(call()) == b""
    assert talk.wait(200) == b""
    (got,) = talk.seen(BlockReceived)
    assert talk.codec.accept(got.token, talk.now)
    assert talk.codec.data_to_send() == ACK
    assert not talk.codec.accept(got.token, talk.now), "an answer is given once"


@pytest.mark.parametrize(("answers", "expected"), [("busy", b"2\x15"), ("invalid", b"3\x15")])
def test_the_owner_may_refuse(answers: str, expected: bytes) -> None:
    """Busy when it could not be stored, invalid when it never can."""
    talk = Talk(answers=answers)
    talk.say(SELECT)
    assert talk.say(call()) == expected


def test_an_owner_who_is_silent_means_busy_at_the_deadline() -> None:
    """One millisecond before it, silence; at it, `2 NAK`; a late accept is harmless."""
    talk = Talk(answers="hold")
    talk.say(SELECT)
    talk.say(call())
    wait = talk.codec.link.timers.answer_ms
    assert talk.wait(wait - 1) == b""
    assert talk.wait(1) == b"2\x15"
    (got,) = talk.seen(BlockReceived)
    assert not talk.codec.accept(got.token, talk.now)
    assert talk.codec.data_to_send() == b""


def test_a_master_that_does_not_wait_is_handled_in_order() -> None:
    """Two whole calls in one write: each is answered, in order, and none before its commit."""
    talk = Talk(answers="hold")
    assert talk.say(SELECT + call(text="Sal 1") + EOT + SELECT + call(text="Sal 2") + EOT) == ACK
    assert talk.texts == ["Sal 1"]
    assert talk.codec.accept(1, talk.now)
    assert talk.hear() == ACK + ACK
    assert talk.texts == ["Sal 1", "Sal 2"]
    assert talk.codec.accept(2, talk.now)
    assert talk.hear() == ACK


def test_a_master_that_gave_up_never_gets_the_late_answer() -> None:
    """The answer to block 1 must not be read as the answer to the next select (both sides of the limit)."""
    for waited, expected in ((GAVE_UP_MS - 1, b""), (GAVE_UP_MS, ACK)):
        talk = Talk(answers="hold")
        talk.say(SELECT)
        talk.say(call(text="Sal 1"))
        talk.wait(waited)
        assert talk.say(EOT + SELECT) == expected
        in_time = waited < GAVE_UP_MS
        assert talk.codec.accept(1, talk.now) is in_time
        assert talk.hear() == (ACK + ACK if in_time else b"")
        assert bool(talk.seen(AnswerUnwanted)) is not in_time


def test_a_stray_carriage_return_gives_nothing_up() -> None:
    """The CR that some devices append may come late."""
    talk = Talk(answers="hold")
    talk.say(SELECT)
    talk.say(call())
    talk.wait(GAVE_UP_MS + 100)
    talk.say(b"\r")
    assert talk.codec.accept(1, talk.now)
    assert talk.hear() == ACK


def test_a_flood_behind_a_held_answer_is_bounded() -> None:
    """The reader is asked to stop; one that does not stop loses the held answer, not the call."""
    talk = Talk(answers="hold")
    talk.say(SELECT)
    talk.say(call(text="first"))
    assert talk.codec.wants_data
    talk.say(b"\xff" * (MAX_PENDING_BYTES // 4))
    assert not talk.codec.wants_data
    talk.say(b"\xff" * MAX_PENDING_BYTES)
    assert talk.codec.wants_data
    assert len(talk.codec._pending) == 0
    assert talk.texts == ["first"]
    assert not talk.codec.accept(1, talk.now)


def test_a_lost_connection_voids_what_was_owed() -> None:
    """Half a block, a held answer and unsent status end with the connection, each told once."""
    talk = Talk(answers="hold")
    talk.codec.queue_status(StatusReport("s1", "1201", "x", "3"))
    talk.say(SELECT)
    talk.say(call())
    talk.codec.receive_eof(talk.now)
    talk.codec.receive_eof(talk.now)
    assert talk.hear() == b""
    assert talk.seen(AnswerUnwanted) == [AnswerUnwanted(1)]
    assert talk.seen(StatusFailed) == [StatusFailed("s1", StatusCause.CONNECTION_LOST)]
    assert talk.codec.closed
    assert talk.codec.next_timer() is None
    assert talk.say(SELECT) == b""
    assert not talk.codec.accept(1, talk.now)
    assert not talk.codec.queue_status(StatusReport("s2", "1201", "x", "3"))


# Time.


def test_a_gap_inside_a_block_is_answered_after_one_second() -> None:
    """Both sides of the inter-character deadline; then the sender may repeat in the same selection."""
    talk = Talk()
    talk.say(SELECT)
    talk.say(call()[:9])
    assert talk.wait(999) == b""
    assert talk.wait(1) == b"1\x15"
    assert talk.say(call()) == ACK


def test_a_dripping_block_is_answered_after_three_seconds() -> None:
    """Each gap is short enough, the whole is not."""
    talk = Talk()
    talk.say(SELECT + b"\x01")
    heard = b""
    for _ in range(5):
        heard += talk.wait(590)
        heard += talk.say(b"1")
    assert heard == b""
    assert talk.wait(49) == b""
    assert talk.wait(1) == b"1\x15"


def test_a_missing_check_byte_is_answered_after_one_second() -> None:
    """ETX came, the check did not."""
    talk = Talk()
    talk.say(SELECT)
    talk.say(call()[:-1])
    assert talk.wait(999) == b""
    assert talk.wait(1) == b"1\x15"


def test_a_select_without_a_block_lapses_after_fifteen_seconds() -> None:
    """Then the line is idle: STX means nothing any more, SOH still does."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.wait(14_999) == b""
    assert not talk.seen(FrameRefused)
    talk.wait(1)
    assert talk.seen(FrameRefused) == [FrameRefused(Cause.NO_BLOCK)]
    assert talk.codec.next_timer() is None
    assert talk.say(call()[1:]) == b""


def test_a_timer_called_early_changes_nothing() -> None:
    """The owner may wake too soon."""
    talk = Talk()
    talk.say(SELECT)
    due = talk.codec.next_timer()
    assert due is not None
    talk.codec.handle_timer(due - 1)
    assert talk.codec.next_timer() == due
    assert talk.say(call()) == ACK


# Status back.


def with_status(call_status: str = "6", mode: LinkMode = LinkMode.POLLED) -> Talk:
    """A pager system with one status waiting."""
    talk = Talk(mode)
    assert talk.codec.queue_status(StatusReport("s1", "1201", CALL_TEXT, call_status))
    return talk


def test_a_status_is_repeated_twice_after_nak_and_then_given_up() -> None:
    """NAK, NAK, NAK: three blocks, EOT, and the owner is told."""
    talk = with_status()
    assert talk.say(POLL) == b"1\x05"
    block = talk.say(ACK)
    assert talk.say(b"1\x15") == block
    assert talk.say(b"\x15") == block, "a NAK without prefix is a NAK"
    assert talk.say(b"2\x15") == EOT
    assert talk.seen(StatusFailed) == [StatusFailed("s1", StatusCause.REFUSED)]
    assert talk.say(POLL) == EOT


def test_a_status_is_repeated_after_silence_like_after_nak() -> None:
    """No answer within the reply time counts as NAK (both sides of the deadline)."""
    talk = with_status()
    talk.say(POLL)
    block = talk.say(ACK)
    assert talk.wait(1_999) == b""
    assert talk.wait(1) == block
    assert talk.wait(2_000) == block
    assert talk.wait(2_000) == EOT
    assert talk.seen(StatusFailed) == [StatusFailed("s1", StatusCause.NO_ANSWER)]


def test_a_repeated_status_that_is_taken_counts_as_delivered() -> None:
    """NAK once, then ACK."""
    talk = with_status()
    talk.say(POLL)
    talk.say(ACK)
    talk.say(b"1\x15")
    assert talk.say(ACK) == EOT
    assert talk.seen(StatusDelivered) == [StatusDelivered("s1")]


@pytest.mark.parametrize("answer", [b"2\x15", EOT])
def test_a_control_station_that_refuses_our_select_is_asked_again_at_the_next_poll(answer: bytes) -> None:
    """Not now is not never."""
    talk = with_status()
    assert talk.say(POLL) == b"1\x05"
    assert talk.say(answer) == EOT
    assert talk.say(POLL) == b"1\x05"
    assert talk.say(ACK)[:2] == b"\x012"


def test_a_control_station_that_does_not_answer_our_select_hears_eot_after_two_seconds() -> None:
    """The line goes back to it; both sides of the deadline."""
    talk = with_status()
    talk.say(POLL)
    assert talk.wait(1_999) == b""
    assert talk.wait(1) == EOT
    assert talk.say(POLL) == b"1\x05"


def test_a_status_nobody_ever_takes_is_given_up_after_ten_polls() -> None:
    """A control station without ears gets its polls answered in the end."""
    talk = with_status()
    for _ in range(10):
        assert talk.say(POLL) == b"1\x05"
        talk.wait(2_000)
    assert talk.seen(StatusFailed) == [StatusFailed("s1", StatusCause.NOT_SELECTED)]
    assert talk.say(POLL) == EOT


def test_a_poll_that_overtakes_our_select_is_answered_once() -> None:
    """The station polls again instead of answering: one select goes out, no EOT before it."""
    talk = with_status()
    talk.say(POLL)
    assert talk.say(POLL) == b"1\x05"


def test_a_call_that_overtakes_our_select_is_taken() -> None:
    """A call is more urgent than a status; the status waits for the next poll."""
    talk = with_status()
    talk.say(POLL)
    assert talk.say(SELECT) == EOT + ACK
    assert talk.say(call()) == ACK
    assert talk.say(EOT + POLL) == b"1\x05"


def test_one_status_per_poll_in_order() -> None:
    """A temporary master may send one transaction."""
    talk = with_status("3")
    talk.codec.queue_status(StatusReport("s2", "1201", CALL_TEXT, "6"))
    for _ in range(2):
        assert talk.say(POLL) == b"1\x05"
        talk.say(ACK)
        assert talk.say(ACK) == EOT
    assert talk.say(POLL) == EOT
    assert talk.seen(StatusDelivered) == [StatusDelivered("s1"), StatusDelivered("s2")]


def test_a_status_can_be_taken_back_until_it_is_on_the_line() -> None:
    """What has become pointless need not be said."""
    talk = with_status("3")
    assert talk.codec.forget("s1")
    assert not talk.codec.forget("s1")
    assert talk.say(POLL) == EOT
    talk = with_status("3")
    talk.say(POLL)
    assert not talk.codec.forget("s1")


def test_links_without_polls_take_no_status() -> None:
    """Nothing may pile up where nothing can ever be sent; and a polled link's queue is bounded."""
    report = StatusReport("s1", "1201", "x", "3")
    assert not PagerSystem(Link(mode=LinkMode.SELECT_ONLY)).queue_status(report)
    assert not PagerSystem(Link(eot_select=True)).queue_status(report)
    polled = PagerSystem(Link())
    assert [polled.queue_status(report) for _ in range(65)] == [True] * 64 + [False]


def test_a_status_request_for_a_call_nobody_knows_is_the_owners_to_answer() -> None:
    """It is acknowledged, the owner is asked, and until then a poll gets EOT."""
    talk = Talk()
    talk.say(SELECT)
    assert talk.say(call(header="3", text="Sal 9")) == ACK
    assert talk.seen(StatusRequested) == [StatusRequested("1201", "Sal 9", known=False)]
    talk.say(EOT)
    assert talk.say(POLL) == EOT


def test_a_status_request_by_address_alone_gets_the_newest_call() -> None:
    """Record 2 is optional in a status request; the memory survives the connection."""
    memory = StatusMemory()
    memory.note("1201", "Sal 1", "3")
    memory.note("1201", "Sal 2", "6")
    talk = Talk(memory=memory)
    talk.say(SELECT)
    assert talk.say(encode_block("3", [("1", b"1201")])) == ACK
    talk.say(EOT)
    assert talk.say(POLL) == b"1\x05"
    assert talk.say(ACK) == encode_block("2", [("1", b"1201"), ("7", b"6")])
    assert talk.say(ACK) == EOT
    assert not talk.seen(StatusDelivered), "nobody asked to be told"


# Any split, any garbage.


def outcome(data: bytes, cuts: list[int], mode: LinkMode) -> tuple[list[EspaEvent], bytes]:
    """What comes of the bytes, cut at these places, all within one instant."""
    talk = Talk(mode)
    talk.codec.queue_status(StatusReport("s1", "1201", CALL_TEXT, "3"))
    heard = b""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        talk.codec.receive_data(data[start:end], talk.now)
        talk.events += talk.codec.events_received()
        for token in [e.token for e in talk.seen(BlockReceived)]:
            talk.codec.accept(token, talk.now)
    for _ in range(200):
        before = len(talk.events)
        talk.events += talk.codec.events_received()
        for token in [e.token for e in talk.seen(BlockReceived)]:
            talk.codec.accept(token, talk.now)
        if len(talk.events) == before:
            break
    heard += talk.codec.data_to_send()
    return talk.events, heard


pieces = st.lists(
    st.sampled_from([SELECT, BARE_SELECT, POLL, EOT, ACK, b"1\x15", b"\r", call(), call(header="3")])
    | st.sampled_from([t.said for t in VECTORS.values()])
    | st.binary(max_size=6),
    max_size=12,
).map(b"".join)


@given(data=pieces, cuts=st.lists(st.integers(0, 10_000), max_size=12), mode=st.sampled_from(MODES))
def test_any_split_of_the_bytes_gives_the_same(data: bytes, cuts: list[int], mode: LinkMode) -> None:
    """Packets mean nothing: whole, cut anywhere, or byte by byte."""
    whole = outcome(data, [], mode)
    assert outcome(data, cuts, mode) == whole
    assert outcome(data, list(range(len(data))), mode) == whole


def test_all_recorded_bytes_in_any_split() -> None:
    """The vectors end to end, whole and byte by byte, in every mode."""
    for mode in MODES:
        assert outcome(ALL_BYTES, [], mode) == outcome(ALL_BYTES, list(range(len(ALL_BYTES))), mode)


@given(
    data=st.lists(st.binary(max_size=60) | st.sampled_from([SELECT, POLL, call()[:-1], call()]), max_size=20),
    waits=st.lists(st.integers(0, 4_000), max_size=20),
    mode=st.sampled_from(MODES),
    answers=st.sampled_from(["accept", "busy", "invalid", "hold"]),
)
def test_garbage_never_raises_and_the_line_recovers(
    data: list[bytes], waits: list[int], mode: LinkMode, answers: str
) -> None:
    """Whatever came before, after a reset of the line a call is taken."""
    talk = Talk(mode, answers=answers)
    talk.codec.queue_status(StatusReport("s1", "1201", "x", "3"))
    for index, piece in enumerate(data):
        talk.say(piece)
        talk.wait(waits[index] if index < len(waits) else 0)
        assert len(talk.codec._pending) <= MAX_PENDING_BYTES
    talk.answers = "accept"
    talk.wait(20_000)
    calls = len(talk.texts)
    talk.say(EOT)
    talk.wait(4_000)
    assert talk.say(SELECT).endswith(ACK)
    assert talk.say(call()) == ACK
    assert len(talk.texts) == calls + 1
