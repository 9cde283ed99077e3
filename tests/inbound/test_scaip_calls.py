"""Sessions: what repeats, what is new, what to answer now."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.inbound.scaip_calls import KEPT_ENDED_MS, PARTS, Call, Calls, State, Way
from protocols.scaip import Mrq, Snu

PRESS = Mrq(ref="R1", cid="4670", dty="0003")
WAY = Way("udp", "127.0.0.1", 5060, "sip:us@x", "sip:them@x")
REPEAT_MS = 60_000


def call(now: int = 0, request: Mrq = PRESS) -> Call:
    """A session whose first message is stored."""
    one = Call("4670/R1", request, WAY, now)
    one.learn("ringing")
    return one


def test_the_answer_follows_the_reports() -> None:
    """Held, returned, taken back; one who comes after the end hears what it was."""
    one = call()
    heard = []
    for status in ReportStatus:
        one = call()
        one.reported(status)
        heard.append((status.value, one.snu))
    assert dict(heard) == {
        "queued": Snu.HOLD, "paged": Snu.HOLD, "read": Snu.HOLD, "accepted": Snu.DONE, "rejected": Snu.HOLD,
        "absent": Snu.NOT_TREATED, "unanswered": Snu.NOT_TREATED, "ended": Snu.DONE,
    }  # fmt: skip
    one = call()
    states = []
    for status in (ReportStatus.UNANSWERED, ReportStatus.ENDED):
        one.reported(status)
        states.append(one.state)
    assert states == [State.RETURNED, State.RETURNED]


def test_news_is_news_until_it_was_told() -> None:
    """The same again is none."""
    one = call()
    assert one.reported(ReportStatus.ACCEPTED)
    assert one.reported(ReportStatus.ACCEPTED)
    one.told = Snu.DONE
    assert not one.reported(ReportStatus.ACCEPTED)
    assert not one.reported(ReportStatus.ENDED)


def test_the_engine_knows_more_than_an_empty_memory() -> None:
    """After a restart the phase says whether somebody has accepted."""
    one = Call("k", PRESS, WAY, 0)
    one.learn("partly_accepted")
    assert one.snu is Snu.HOLD
    one.learn("attended")
    assert one.snu is Snu.DONE


def test_what_repeats() -> None:
    """The same words within the time a unit asks in, until its end has been told."""
    one = call()
    assert one.repeats(PRESS, REPEAT_MS - 1, REPEAT_MS)
    assert not one.repeats(PRESS, REPEAT_MS, REPEAT_MS)
    assert not one.repeats(replace(PRESS, ite="more"), 1, REPEAT_MS)
    one.reported(ReportStatus.ENDED)
    assert one.repeats(PRESS, 1, REPEAT_MS)
    one.told = one.snu
    assert not one.repeats(PRESS, 1, REPEAT_MS)
    assert not Call("k", PRESS, WAY, 0).repeats(PRESS, 1, REPEAT_MS)


def test_parts_are_bounded_and_put_together() -> None:
    """A session that never stops talking does not fill the memory."""
    one = call()
    for number in range(3 * PARTS):
        one.add(replace(PRESS, lva=f"{number:02}"))
    assert len(one.parts) == PARTS
    assert one.known.lva == f"{3 * PARTS - 1:02}"


def test_a_session_known_from_a_report_takes_the_first_words_it_hears() -> None:
    """They are what the unit asks about."""
    one = call(request=Mrq(ref="R1", cid="4670"))
    one.parts = []
    assert one.repeats(PRESS, 1, REPEAT_MS)
    one.add(PRESS)
    assert one.known == PRESS and one.parts == [PRESS]


def test_the_newest_open_session_of_a_device() -> None:
    """What has ended, other devices and what was never stored are none."""
    calls = Calls()
    first, second = call(), call()
    calls.keep("4670/R1", first)
    calls.keep("4670/R2", second)
    calls.keep("4670/R3", Call("k", PRESS, WAY, 0))
    assert calls.open_of(PRESS) is second
    second.ended = True
    assert calls.open_of(PRESS) is first
    assert calls.open_of(replace(PRESS, did="other")) is None


def test_the_number_of_sessions_is_bounded() -> None:
    """Those that ended long ago go, then the ended, then the oldest."""
    calls = Calls(most=2)
    old, young = call(), call()
    old.ended = True
    calls.keep("a/1", old)
    calls.keep("b/1", young)
    calls.keep("c/1", call(KEPT_ENDED_MS))
    assert calls.get("a/1") is None and calls.get("b/1") is young
    calls.keep("d/1", call(1))
    assert calls.get("b/1") is None and len(calls) == 2
    ended = calls.keep("d/1", call(1))
    ended.ended = True
    calls.keep("e/1", call(2))
    assert calls.get("d/1") is None and calls.get("c/1") is not None
