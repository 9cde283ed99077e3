"""Alarms in hand and colleagues by name, as people are shown them."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Phase
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.ports import AnswerOutcome
from alarmhub.web.named import colleague, in_hand, receiver_needed, shown
from tests.support.intake import BED, Intake


async def taken(intake: Intake, by: str = "anna") -> str:
    """A call somebody has taken."""
    signal = Signal(
        source="plant", event=SignalEvent.START, key="k", ref="k", place=BED, kind=Kind.TOILET_CALL
    )
    alarm = (await intake.signal(signal)).alarm
    assert alarm is not None
    known = intake.alarms[alarm]
    intake.alarms[alarm] = replace(known, phase=Phase.ACCEPTED, acceptances=(Acceptance(by, 1),))
    return alarm


async def test_what_somebody_has_in_hand_is_named_by_place_and_kind() -> None:
    """In the reader's language; other people's is not there."""
    intake = Intake()
    alarm = await taken(intake)
    (swedish,), (english,) = in_hand(intake, "anna", "sv"), in_hand(intake, "anna", "en")
    assert (swedish.alarm, swedish.place_label) == (alarm, "sal 12 plats 2")
    assert (swedish.type_label, english.type_label) == ("WC-kallelse", "toilet call")
    assert in_hand(intake, "bo", "sv") == ()


async def test_an_alarm_that_is_over_is_shown_no_more() -> None:
    """It ended between the question and the answer."""
    intake = Intake()
    alarm = await taken(intake)
    intake.alarms[alarm] = replace(intake.alarms[alarm], phase=Phase.ENDED)
    assert shown(intake, (alarm, "never was"), "sv") == ()


async def test_the_refusal_says_whose_they_are_and_who_could_take_them() -> None:
    """Ids that the site no longer has are shown as they are."""
    intake = Intake()
    alarm = await taken(intake)
    outcome = AnswerOutcome(False, "receiver_needed", candidates=("bo", "gone"), alarms=(alarm,))
    failed = receiver_needed(intake, outcome, "anna", "en")
    problem = failed.problem
    assert (failed.status, problem.error, problem.field) == (409, "receiver_needed", "receivers")
    assert problem.holder == colleague("anna", intake.world_now.site)
    assert isinstance(problem.candidates, tuple)
    assert [(one.staff, one.name) for one in problem.candidates] == [("bo", "Bo Ek"), ("gone", "gone")]
    assert problem.detail == "You have alarms in hand: say who takes them on."
