"""What became of two-way pages, in the codes of RFC 1861."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import msgspec
import pytest

from alarmhub.core.alarm import Alarm
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.kinds import Kind
from alarmhub.inbound.snpp_status import MOST_TICKETS, Answers, Asked, Ticket, Tickets, asked_of
from protocols.snpp_page import Page, ReplyType
from tests.support.ward import Call, Ward

STOCKHOLM = ZoneInfo("Europe/Stockholm")
ANSWERS = Answers(("accept", "ja", "kan inte säga nej"))
AT = 1_790_000_000_000
WHEN = "20260921161320+2"
Q, P, R, A, X, G, U, E = (
    ReportStatus.QUEUED,
    ReportStatus.PAGED,
    ReportStatus.READ,
    ReportStatus.ACCEPTED,
    ReportStatus.REJECTED,
    ReportStatus.ABSENT,
    ReportStatus.UNANSWERED,
    ReportStatus.ENDED,
)


def ticket(*pagers: str, **page: object) -> Ticket:
    """A page to these."""
    return Ticket(asked_of(Page(pagers or ("1042",), "hej", two_way=True, **page), "17", "4", AT))  # type: ignore[arg-type]


def code(it: Ticket, *statuses: ReportStatus, ref: str = "1042") -> int:
    """The code after these reports."""
    for status in statuses:
        it.take(Report("lab", status, ref, name="Anna", at=AT))
    return it.reply(ANSWERS, STOCKHOLM).code


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ((), 960),
        ((Q,), 960),
        ((Q, P), 880),
        ((P, Q), 880),
        ((P, R), 881),
        ((P, X), 881),
        ((P, R, A), 889),
        ((A, P, R, E), 889),
        ((P, E), 880),
        ((G,), 780),
        ((U, P, R, X), 780),
        ((U, E), 780),
        ((U, A), 889),
        ((A, U), 780),
        ((A, U, A), 889),
    ],
)
def test_the_code_of_each_course(statuses: tuple[ReportStatus, ...], expected: int) -> None:
    """Nobody goes back but by a return of responsibility, which only an accept takes back."""
    assert code(ticket(), *statuses) == expected


def test_a_sender_that_hopes_for_a_read_or_a_reply_is_told_what_it_waits_for() -> None:
    """860, 861, 870."""
    assert code(ticket(ack_read=True), P) == 860
    assert code(ticket(reply_type=ReplyType.YESNO), P) == 861
    assert code(ticket(choices=(("1", "x"),)), P, R) == 870
    assert code(ticket(reply_type=ReplyType.NONE), P, R) == 881


def test_the_lines_carry_tag_and_local_time() -> None:
    """As Net::SNPP reads them: digits, time with its zone, words."""
    it = ticket()
    assert it.reply(ANSWERS, STOCKHOLM).text == f"17 {WHEN} Message queued; awaiting delivery"
    it.take(Report("lab", U, "1042", at=AT))
    assert it.reply(ANSWERS, STOCKHOLM).text == f"17 {WHEN} Still ringing, but nobody has accepted: 1042"
    it.take(Report("lab", E, "1042", at=AT))
    assert it.reply(ANSWERS, STOCKHOLM).text == f"17 {WHEN} Ended and nobody has accepted: 1042"


def test_an_accept_is_the_senders_own_choice_where_one_says_so() -> None:
    """By whole words; in either order; plain words where none does."""
    it = ticket(choices=(("01", "Nejaj"), ("02", "JA tack")))
    assert code(it, A) == 888
    assert it.reply(ANSWERS, STOCKHOLM).text == f"02 {WHEN} MCR reply: Accepted by Anna"
    other = Answers(ANSWERS.accept_words, choice_first=False)
    assert it.reply(other, STOCKHOLM).text == f"17 {WHEN} 02 MCR reply received: Accepted by Anna"
    assert code(ticket(choices=(("01", "Nej"),)), A) == 889


def test_of_several_recipients_the_least_is_told() -> None:
    """A stranger's report changes nothing."""
    it = ticket("1042", "2010")
    assert code(it, A) == 960
    assert code(it, A, ref="4711") == 960
    assert code(it, P, ref="2010") == 880
    assert code(it, A, ref="2010") == 889


def test_tickets_are_found_by_tag_and_pass_code_until_forgotten() -> None:
    """Two of one tag are one."""
    tickets = Tickets()
    asked = Asked("17", "4", AT, ("1042",))
    assert tickets.open(asked) is tickets.open(asked)
    assert tickets.find("17", "4") is not None and tickets.find("17", "5") is None
    assert not tickets.forget("17", "5") and tickets.forget("17", "4") and not tickets.forget("17", "4")


def test_a_report_brings_back_a_forgotten_ticket_and_strange_ones_do_nothing() -> None:
    """What it carries is enough; what it carries may be anything."""
    tickets = Tickets()
    origin = msgspec.json.encode(Asked("17", "4", AT, ("1042",), "YESNO", True, (("1", "ja"),))).decode()
    tickets.take(Report("lab", A, "1042", origin=origin, at=AT))
    found = tickets.find("17", "4")
    assert found is not None and found.reply(ANSWERS, STOCKHOLM).code == 888
    for strange in ("", "{}", "[1]", "nonsense"):
        tickets.take(Report("lab", A, "1042", origin=strange))
    assert len(tickets) == 1


def test_a_forgotten_page_is_read_from_its_open_alarms() -> None:
    """Of each recipient how far it is; with the wrong pass code nothing is."""
    ward = Ward()
    origin = msgspec.json.encode(Asked("17", "4", AT, ("1", "2"))).decode()

    def alarms(*calls: Call) -> list[Alarm]:
        return [call.alarm for call in calls]

    one, two = (
        ward.press(
            "", Kind.REQUEST, source="button", targets=(f"staff:{who}",), unit="201", ref=ref, origin=origin
        )
        for who, ref in (("anna", "1"), ("bo", "2"))
    )
    other = ward.press("12/1")
    one.accepts("anna")
    found = Tickets().recall("17", "4", alarms(one, two, other))
    assert found is not None and found.reply(ANSWERS, STOCKHOLM).code == 880
    two.accepts("bo")
    found = Tickets().recall("17", "4", alarms(one, two, other))
    assert found is not None and found.reply(ANSWERS, STOCKHOLM).code == 889
    assert Tickets().recall("17", "5", alarms(one, two, other)) is None


def test_a_killed_tag_stays_killed_while_its_alarm_rings() -> None:
    """Neither a report nor the open alarm brings it back; the same page sent again does."""
    tickets, asked = Tickets(), Asked("17", "4", AT, ("1042",))
    tickets.open(asked)
    assert tickets.forget("17", "4")
    origin = msgspec.json.encode(asked).decode()
    call = Ward().press("", Kind.REQUEST, source="button", unit="201", origin=origin)
    tickets.take(Report("lab", P, "1042", origin=origin))
    assert tickets.recall("17", "4", [call.alarm]) is None and not len(tickets)
    tickets.open(asked)
    assert tickets.find("17", "4") is not None


def test_the_largest_page_fits_into_what_an_alarm_carries() -> None:
    """Two thousand characters."""
    page = Page(
        tuple(f"{number:032d}" for number in range(32)),
        "x",
        choices=tuple((f"{number:02d}", "x" * 15) for number in range(16)),
        reply_type=ReplyType.MULTICHOICE,
        ack_read=True,
    )
    assert len(msgspec.json.encode(asked_of(page, "1" * 10, "2" * 10, AT))) <= 2_000


def test_the_oldest_tickets_go_first() -> None:
    """Memory is bounded."""
    tickets = Tickets()
    for number in range(MOST_TICKETS + 2):
        tickets.open(Asked(str(number), "4", AT, ("1042",)))
    assert len(tickets) == MOST_TICKETS and tickets.find("1", "4") is None and tickets.find("2", "4")
