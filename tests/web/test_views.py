"""What callers are shown of an alarm and of its time line."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.alarm import Acceptance, Alarm, Phase
from alarmhub.core.kinds import Kind, Priority
from alarmhub.ports import TimelineEntry
from alarmhub.web.views import language_of, shown, timeline
from alarmhub.web.wire import moment
from tests.support.intake import BED, NOW, small_site

SITE = small_site()
ALARM = Alarm(
    id="a", source="plant", key="k", ref="r", kind=Kind.TEAM, type="hjartlarm", priority=Priority.HIGH,
    place=BED, unit="201", raised_at=NOW, at=NOW + 1, policy="p", policy_version=1,
    answer_at=NOW + 15_000, callback="3010",
)  # fmt: skip


def test_names_stand_beside_ids() -> None:
    """Place and type by their labels, in the language asked for; unknown ones by what the source said."""
    view = shown(ALARM, SITE, "en")
    assert (view.place, view.place_label, view.type, view.type_label) == (
        BED, "sal 12 plats 2", "hjartlarm", "Cardiac arrest",
    )  # fmt: skip
    assert shown(ALARM, SITE, "sv").type_label == "Hjärtlarm"
    assert shown(replace(ALARM, place="sal 99"), SITE, "sv").place_label == "sal 99"


def test_the_next_step_is_shown_while_it_rings_only() -> None:
    """An accepted alarm rings nobody new, so it has no next step."""
    assert shown(ALARM, SITE, "sv").next_step_at == moment(NOW + 15_000)
    assert shown(replace(ALARM, phase=Phase.ACCEPTED), SITE, "sv").next_step_at is None


def test_acceptors_are_shown_with_their_names() -> None:
    """Somebody who has left the site file since is shown by id."""
    taken = (Acceptance("anna", NOW, "ssk", arrived_at=NOW + 9), Acceptance("gone", NOW))
    first, second = shown(replace(ALARM, acceptances=taken), SITE, "sv").accepted_by
    assert (first.staff, first.name, first.role, first.arrived_at) == (
        "anna",
        "Anna Lind",
        "ssk",
        moment(NOW + 9),
    )
    assert (second.name, second.arrived_at) == ("gone", None)


def test_a_time_line_gives_reasons_as_data_and_in_words() -> None:
    """In the order stored, in both languages."""
    reasons = [{"code": "accepted", "facts": {"staff": "anna", "late": False}}]
    entries = [
        TimelineEntry("e1", 1, NOW, NOW - 3, "raised", "ringing", {}, [], "h"),
        TimelineEntry("e2", 2, NOW + 5, NOW + 5, "answered", "accepted", {}, reasons, "h"),
    ]
    first, second = timeline(entries, SITE, "en")
    assert (first.type, first.phase, first.reasons) == ("raised", "ringing", ())
    assert (first.at, first.received_at) == (moment(NOW), moment(NOW - 3))
    [reason] = second.reasons
    assert (reason.code, reason.facts["staff"]) == ("accepted", "anna")
    assert "Anna Lind" in reason.text
    [swedish] = timeline(entries, SITE, "sv")[1].reasons
    assert swedish.text != reason.text


def test_the_callers_language_is_the_first_we_speak() -> None:
    """Accept-Language in its order, else the site's own."""
    assert language_of("de, en-GB;q=0.8, sv;q=0.5", SITE) == "en"
    assert language_of("sv-SE", SITE) == "sv"
    assert language_of("", SITE) == "sv"
    assert language_of("*, de", SITE) == "sv"
