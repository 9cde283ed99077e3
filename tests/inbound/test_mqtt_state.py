"""What the board wants the broker to have."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Phase
from alarmhub.core.kinds import Kind, Priority
from alarmhub.inbound.mqtt_state import CLEARED, StateBoard
from tests.support.intake import BED, NOW
from tests.support.mqtt_link import link

LAMP = f"lamp/{BED}"
CALL = Alarm(
    id="a1", source="plant", key="k", ref="r", kind=Kind.PATIENT_CALL, type="patient_call",
    priority=Priority.LOW, place=BED, unit="201", raised_at=NOW, at=NOW, policy="p", policy_version=1,
    text="Anna Lind",
)  # fmt: skip
TEAM = replace(CALL, id="a2", kind=Kind.TEAM, priority=Priority.HIGH, raised_at=NOW + 9_000)


def board(**more: Any) -> StateBoard:
    """A board with these settings."""
    return StateBoard(link(1883, **more))


def sent(it: StateBoard, *alarms: Alarm) -> dict[str, Any]:
    """Publish all changes; what they were, decoded."""
    changes = it.changes(alarms)
    for topic, payload in changes:
        it.published(topic, payload)
    return {topic: msgspec.json.decode(payload) if payload else None for topic, payload in changes}


def test_a_place_shows_its_most_urgent_alarm_and_how_many_there_are() -> None:
    """A lamp has one colour."""
    it = board()

    assert sent(it, CALL)[LAMP]["kind"] == "patient_call"
    shown = sent(it, CALL, TEAM)[LAMP]
    assert (shown["kind"], shown["alarms"], shown["since"]) == ("team", 2, "2026-09-21T14:13:29Z")
    assert sent(it, CALL, TEAM) == {}
    assert sent(it, CALL)[LAMP]["alarms"] == 1
    assert sent(it) == {LAMP: None}
    assert sent(it) == {}


def test_what_nobody_has_goes_before_what_somebody_has() -> None:
    """Of two alike."""
    taken = replace(CALL, id="a0", phase=Phase.ACCEPTED, raised_at=NOW - 60_000)

    assert sent(board(), taken, CALL)[LAMP]["phase"] == "ringing"


def test_by_alarm_each_has_its_topic() -> None:
    """For programs that follow single alarms; and for alarms without a place."""
    assert set(sent(board(state_by="alarm"), CALL, TEAM)) == {"lamp/alarm/a1", "lamp/alarm/a2"}
    assert set(sent(board(), replace(CALL, place=""))) == {"lamp/alarm/a1"}


def test_no_name_and_no_text() -> None:
    """A display hangs in a corridor."""
    payload = board().changes([CALL])[0][1]

    assert b"Anna" not in payload


def test_a_place_no_topic_can_hold_is_made_one() -> None:
    """What filters would read is replaced."""
    assert set(sent(board(), replace(CALL, place="fjall/a+b/#"))) == {"lamp/fjall/a_b/_"}


def test_of_other_sources_and_of_what_has_ended_it_says_nothing() -> None:
    """Each source's buttons follow their own."""
    assert board().changes([replace(CALL, source="other"), replace(CALL, phase=Phase.ENDED)]) == []


def test_assault_only_where_the_site_says_so() -> None:
    """The display hangs where it happens."""
    assault = replace(CALL, kind=Kind.ASSAULT)

    assert board().changes([assault]) == []
    assert set(sent(board(state_assault=True), assault)) == {LAMP}


def test_a_new_connection_hears_all_of_it_again() -> None:
    """Whatever the broker remembers of it; what is over is cleared."""
    it, before = board(), board()
    old = before.changes([TEAM])[0][1]
    sent(it, CALL)
    it.forget()
    it.remembered("lamp/old", old)
    it.remembered("lamp/others", old.replace(b"plant", b"other"))
    it.remembered("lamp/nonsense", b"{")

    assert it.changes([CALL])[0][0] == LAMP
    assert it.changes([CALL])[1:] == [("lamp/old", CLEARED)]


def test_what_the_broker_has_right_is_not_said_again() -> None:
    """Its memory counts."""
    it = board()
    it.remembered(*board().changes([CALL])[0])

    assert it.changes([CALL]) == []


def test_which_topics_are_states() -> None:
    """Its own, below the prefix; none without one."""
    assert board().covers("lamp/x") and not board().covers("lamps/x")
    assert not board(state_prefix="").covers("/x")
    assert board().hub_topic == "lamp/hub/plant"
