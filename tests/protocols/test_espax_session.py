"""Conversations with the ESPA-X server: what is asked, what is answered, and what silence means.

Everything the server says is judged by `tests.support.espax_oracle`.
"""

from __future__ import annotations

import pytest

from protocols.codec import StreamCodec
from protocols.espax_events import (
    EspaxEvent,
    Heard,
    LoggedOut,
    LoginAsked,
    MessageRefused,
    SessionLapsed,
    StartAsked,
    StatusAsked,
    StopAsked,
)
from protocols.espax_session import FAULTS_ALLOWED, MAX_WAITING, PagingServer, Server
from tests.support.espax_oracle import Said, asked, heard, request, sample

SESSION = "20241122090000.0001"
LIMIT_MS = 60_000


class Talk:
    """One client and the server; what the server says is judged as it is heard."""

    def __init__(self, *, logged_in: bool = True) -> None:
        self.now = 0
        self.condition = ("OK", "Normal")
        self.codec = PagingServer(
            Server("Alarmhub", "DAKS-Pro Alarmhub", 10_000, LIMIT_MS),
            stamp=lambda now: f"2026-09-14T09:00:{now // 1000 % 60:02d}",
            now=0,
            condition=lambda: self.condition,
        )
        if logged_in:
            self.events(sample("01"))
            self.codec.admit(1, SESSION, 0)
            self.codec.data_to_send()

    def events(self, data: bytes) -> list[EspaxEvent]:
        """What the server made of these bytes."""
        self.codec.receive_data(data, self.now)
        return self.codec.events_received()

    def said(self) -> list[Said]:
        """What the server has said since."""
        return heard(self.codec.data_to_send())

    def says(self, data: bytes) -> list[str]:
        """Elements and codes of the answers to these bytes."""
        self.events(data)
        return [f"{said.element} {said.code}".strip() for said in self.said()]

    def wait(self, seconds: float) -> list[EspaxEvent]:
        """Let time pass, and its timers fire."""
        self.now += round(seconds * 1000)
        due = self.codec.next_timer()
        if due is not None and due <= self.now:
            self.codec.handle_timer(self.now)
            after = self.codec.next_timer()
            assert after is None or after > self.now
        return self.codec.events_received()


def test_a_paging_server_is_a_stream_codec() -> None:
    """The driver's interface."""
    codec: StreamCodec[EspaxEvent] = Talk(logged_in=False).codec
    assert (codec.next_timer(), codec.closed, codec.error, codec.wants_data) == (10_000, False, None, True)


SAMPLES = {
    "01_req_login": (LoginAsked(2, "lichtruf", "geheim12", "Lichtruf Sued", "NurseCall 5.1"), ""),
    "02_rsp_login": (MessageRefused(405, "an answer to nothing", "RSP.LOGIN"), ""),
    "03_req_s_condition": (Heard("REQ.S-CONDITION"), "RSP.S-CONDITION 200"),
    "04_rsp_s_condition": (MessageRefused(405, "an answer to nothing", "RSP.S-CONDITION"), ""),
    "05_req_p_start": (StartAsked, ""),
    "06_ind_p_started": (MessageRefused, "IND.ERROR 405"),
    "07_rsp_p_start": (MessageRefused(405, "an answer to nothing", "RSP.P-START"), ""),
    "08_rsp_p_start_duplicate": (MessageRefused(405, "an answer to nothing", "RSP.P-START"), ""),
    "09_req_heartbeat": (Heard("REQ.HEARTBEAT"), "RSP.HEARTBEAT 200"),
    "10_rsp_heartbeat": (MessageRefused(405, "an answer to nothing", "RSP.HEARTBEAT"), ""),
    "11_ind_p_event_reached": (MessageRefused, "IND.ERROR 405"),
    "12_ind_p_event_accepted": (MessageRefused, "IND.ERROR 405"),
    "13_ind_p_ended": (MessageRefused, "IND.ERROR 405"),
    "14_req_p_stop": (StopAsked(2, "ruf-4711", None, frozenset({"All"})), ""),
    "15_rsp_p_stop_gone": (MessageRefused(405, "an answer to nothing", "RSP.P-STOP"), ""),
    "16_ind_error": (MessageRefused(405, "an answer to nothing", "IND.ERROR"), ""),
    "17_req_logout": (LoggedOut("Normal"), "RSP.LOGOUT 200"),
    "18_rsp_logout": (MessageRefused(405, "an answer to nothing", "RSP.LOGOUT"), ""),
    "19_cmd_shutdown": (MessageRefused, "IND.ERROR 405"),
    "20_req_p_getstat": (StatusAsked(2, "", 100001, frozenset({"Queued", "Active"})), ""),
    "21_rsp_p_getstat": (MessageRefused(405, "an answer to nothing", "RSP.P-GETSTAT"), ""),
    "22_ind_p_status": (MessageRefused, "IND.ERROR 405"),
    "23_ind_p_sync": (MessageRefused, "IND.ERROR 405"),
    "24_ind_s_system": (MessageRefused, "IND.ERROR 405"),
}


@pytest.mark.parametrize(("name", "expected"), SAMPLES.items(), ids=list(SAMPLES))
def test_each_sample_is_what_it_is(name: str, expected: tuple[object, str]) -> None:
    """The event it is, and what is answered without anybody's help."""
    talk = Talk()
    (event,) = talk.events(sample(name))

    assert event == expected[0] or type(event) is expected[0]
    assert [f"{said.element} {said.code}" for said in talk.said()] == ([expected[1]] if expected[1] else [])


def test_a_login_waits_for_its_owner_and_holds_what_follows() -> None:
    """Whoever does not wait for the answer is read after it."""
    talk = Talk(logged_in=False)
    (login,) = talk.events(sample("01") + request("REQ.HEARTBEAT", 2))

    assert isinstance(login, LoginAsked)
    assert (talk.said(), talk.codec.wants_data) == ([], False)
    talk.codec.admit(login.token, SESSION, 0)
    welcome, beat = talk.said()
    assert (welcome.element, welcome.code, welcome.fields["RSP-INFO"]) == ("RSP.LOGIN", "200", "welcome")
    assert (welcome.fields["LI-SERVER"], welcome.fields["LI-SERVERSW"]) == ("Alarmhub", "DAKS-Pro Alarmhub")
    assert welcome.attributes == {"invokeID": "1", "sessionID": SESSION}
    assert (beat.element, beat.attributes["invokeID"]) == ("RSP.HEARTBEAT", "2")


def test_a_login_that_is_denied_may_be_tried_again() -> None:
    """The answer keeps the schema: a number for the session that is none, and words why."""
    talk = Talk(logged_in=False)
    talk.events(sample("01"))
    talk.codec.deny(1, 401, "wrong user or password", 0)
    (no,) = talk.said()

    assert (no.element, no.code, no.attributes["sessionID"]) == ("RSP.LOGIN", "401", "0")
    assert talk.says(request("REQ.HEARTBEAT", 2)) == ["RSP.HEARTBEAT 407"]
    assert isinstance(talk.events(sample("01"))[0], LoginAsked)


@pytest.mark.parametrize(
    "element", ["HEARTBEAT", "S-CONDITION", "S-PARAMETERS", "P-START", "P-STOP", "P-GETSTAT", "LOGOUT"]
)
def test_before_the_login_everything_else_is_407_and_in_a_foreign_session_401(element: str) -> None:
    """Each in its own answer, with all its fields; a refused start has process number 0."""
    assert Talk(logged_in=False).says(request(f"REQ.{element}", 9)) == [f"RSP.{element} 407"]
    talk = Talk()
    talk.events(request(f"REQ.{element}", 9, "another", CP_PR_REF="r"))
    (said,) = talk.said()
    assert (said.element, said.code, said.attributes["invokeID"]) == (f"RSP.{element}", "401", "9")
    assert said.fields.get("SP-PR-TAN", "0") == "0"
    assert not talk.codec.closed


def test_a_message_that_names_no_session_is_taken_on_a_connection_that_is_logged_in() -> None:
    """Nobody else can be meant."""
    assert Talk().says(request("REQ.HEARTBEAT", 4)) == ["RSP.HEARTBEAT 200"]


def test_a_start_is_answered_by_its_owner_alone() -> None:
    """With the process number; a heartbeat in between is answered at once."""
    talk = Talk()
    (start,) = talk.events(sample("05"))
    assert isinstance(start, StartAsked)
    assert start.fields["CP-TEXTMSG"] == "Zi 12 Bett 1 Notruf"
    assert talk.says(sample("09")) == ["RSP.HEARTBEAT 200"]
    talk.codec.answer_start(start.token, 200, 2**64 - 1, 0)
    (said,) = talk.said()
    assert (said.element, said.code, said.attributes["invokeID"], said.invoke) == (
        "RSP.P-START",
        "200",
        "3",
        3,
    )
    assert (said.fields["SP-PR-TAN"], said.fields["CP-PR-REF"]) == (str(2**64 - 1), "ruf-4711")
    talk.codec.answer_start(start.token, 200, 1, 0)
    assert talk.said() == []


def test_a_duplicate_names_the_running_process_and_a_refusal_none() -> None:
    """450 with its number; 503 with 0."""
    talk = Talk()
    talk.events(sample("05") + sample("05"))
    talk.codec.answer_start(2, 450, 100001, 0)
    talk.codec.answer_start(3, 503, 0, 0, info="try again")
    first, second = talk.said()
    assert (first.code, first.fields["SP-PR-TAN"], first.fields["RSP-REASON"]) == (
        "450",
        "100001",
        "Duplicate",
    )
    assert (second.code, second.fields["SP-PR-TAN"]) == ("503", "0")


def test_a_bad_header_gets_600_and_the_end_after_what_was_good_is_answered() -> None:
    """The call before it is taken and answered first."""
    talk = Talk()
    (start,) = talk.events(sample("05") + b"POST / HTTP/1.1\r\n\r\n")
    assert isinstance(start, StartAsked)
    assert not talk.codec.closed
    talk.codec.answer_start(start.token, 200, 5, 0)
    assert [f"{said.element} {said.code}" for said in talk.said()] == ["RSP.P-START 200", "IND.ERROR 600"]
    assert (talk.codec.closed, talk.codec.error) == (True, "no ESPA-X header")
    assert talk.codec.events_received() == [MessageRefused(600, "no ESPA-X header")]
    assert talk.events(sample("09")) == []


def test_what_is_no_xml_no_message_or_unknown_is_told_apart() -> None:
    """601, 602, 501; the conversation goes on."""
    talk = Talk()
    broken = b"EX\x00\x00\x00\x0e\x00\x00\x00\x01<a>b"
    assert talk.says(broken) == ["IND.ERROR 601"]
    assert talk.says(asked("")) == ["IND.ERROR 602"]
    assert talk.says(request("REQ.P-CALL")) == ["IND.ERROR 501"]
    assert talk.says(asked("<P-CALL/>")) == ["IND.ERROR 602"]
    assert talk.says(asked('<PROPRIETARY sessionID="x"><a/></PROPRIETARY>')) == []
    assert talk.says(sample("09")) == ["RSP.HEARTBEAT 200"]


def test_nonsense_without_end_is_ended() -> None:
    """And a good message in between forgives what was before."""
    talk = Talk()
    for _ in range(FAULTS_ALLOWED - 1):
        talk.events(asked(""))
    talk.events(sample("09"))
    for _ in range(FAULTS_ALLOWED - 1):
        talk.events(asked(""))
    assert not talk.codec.closed
    talk.events(asked(""))
    assert (talk.codec.closed, talk.codec.error) == (True, "too many messages that cannot be used")


def test_a_client_that_does_not_log_in_is_let_go() -> None:
    """Talking without logging in does not hold the door."""
    talk = Talk(logged_in=False)
    talk.wait(9)
    talk.says(request("REQ.HEARTBEAT"))
    talk.wait(1)
    assert (talk.codec.closed, talk.codec.error, talk.said()) == (True, "no login in time", [])


def test_any_message_keeps_a_session_and_silence_ends_it() -> None:
    """The client is told before the connection closes."""
    talk = Talk()
    talk.wait(50)
    talk.says(sample("03"))
    assert talk.wait(50) == []
    assert talk.wait(10) == [SessionLapsed(LIMIT_MS)]
    (down,) = talk.said()
    assert (down.element, down.fields["SD-MODE"], down.attributes["sessionID"]) == (
        "CMD.SHUTDOWN",
        "Immediate",
        SESSION,
    )
    assert (talk.codec.closed, talk.codec.error, talk.codec.next_timer()) == (True, "no heartbeat", None)


def test_too_many_unanswered_requests_are_read_later_and_are_no_silence() -> None:
    """The hub is slow, not the client."""
    talk = Talk()
    events = talk.events(sample("05") * (MAX_WAITING + 3))
    assert (len(events), talk.codec.wants_data) == (MAX_WAITING, False)
    talk.wait(LIMIT_MS / 1000)
    assert not talk.codec.closed
    for token in range(2, 2 + MAX_WAITING):
        talk.codec.answer_start(token, 503, 0, talk.now)
    assert len(talk.codec.events_received()) == 3
    assert talk.codec.wants_data


def test_a_client_that_logs_out_still_gets_the_answers_it_waits_for() -> None:
    """Then the goodbye, then the end; what follows a logout is not read."""
    talk = Talk()
    events = talk.events(sample("05") + sample("17") + sample("05"))
    assert [type(event) for event in events] == [StartAsked, LoggedOut]
    assert (talk.said(), talk.codec.wants_data) == ([], False)
    talk.codec.answer_start(2, 200, 7, 0)
    assert [f"{said.element} {said.code}" for said in talk.said()] == ["RSP.P-START 200", "RSP.LOGOUT 200"]
    assert (talk.codec.closed, talk.codec.error) == (True, None)


def test_a_client_may_log_in_again() -> None:
    """A new session on the same connection; the old number is void."""
    talk = Talk()
    (login,) = talk.events(sample("01"))
    assert isinstance(login, LoginAsked)
    assert not talk.codec.tell("IND.P-SYNC", {}, 0)
    talk.codec.admit(login.token, "second", 0)
    talk.said()
    assert talk.says(sample("09")) == ["RSP.HEARTBEAT 401"]
    assert talk.says(request("REQ.HEARTBEAT", 2, "second")) == ["RSP.HEARTBEAT 200"]


def test_the_condition_is_what_its_owner_says() -> None:
    """Health and load, in answers and unasked."""
    talk = Talk()
    talk.condition = ("Out of service", "Unknown")
    talk.events(sample("03"))
    (said,) = talk.said()
    assert (said.fields["S-HEALTH"], said.fields["S-LOAD"]) == ("Out of service", "Unknown")
    assert talk.codec.tell("IND.S-SYSTEM", {"S-HEALTH": "OK"}, 0)
    assert talk.said()[0].fields == {"S-HEALTH": "OK"}
    assert not Talk(logged_in=False).codec.tell("IND.S-SYSTEM", {"S-HEALTH": "OK"}, 0)


def test_a_stop_of_the_hub_is_announced() -> None:
    """To who is logged in, and only to him."""
    talk = Talk()
    talk.codec.shut_down("Service", "Quick", 0)
    assert [said.element for said in talk.said()] == ["CMD.SHUTDOWN"]
    assert (talk.codec.closed, talk.codec.error) == (True, None)
    stranger = Talk(logged_in=False)
    stranger.codec.shut_down("Service", "Quick", 0)
    assert (stranger.said(), stranger.codec.closed) == ([], True)


def test_a_request_without_a_number_is_answered_by_that_of_its_header() -> None:
    """Real headers carry constants, but something must be said."""
    talk = Talk()
    talk.events(asked("<REQ.HEARTBEAT/>", 77))
    (said,) = talk.said()
    assert (said.attributes["invokeID"], said.invoke) == ("77", 77)


def test_at_the_end_of_the_line_calls_that_were_read_are_handed_out() -> None:
    """More of them than may wait for answers, too; a half one is said to be half."""
    talk = Talk()
    events = talk.events(sample("05") * (MAX_WAITING + 2) + sample("05")[:-1])
    talk.codec.receive_eof(0)
    events += talk.codec.events_received()
    assert len(events) == MAX_WAITING + 2
    assert (talk.codec.closed, talk.codec.error) == (True, "a message was cut off")
    talk.codec.answer_start(2, 200, 1, 0)
    assert talk.said() == []
