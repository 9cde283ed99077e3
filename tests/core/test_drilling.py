"""What a drill expects, what counts, and which changes a unit is drilled for."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.drilling import (
    DrillLine,
    Outcome,
    Result,
    State,
    Ways,
    Why,
    changed,
    closed,
    counted,
    cut_off,
    expected,
    prints_of,
    settled,
)
from alarmhub.core.kinds import Kind
from alarmhub.core.site import Policy, PolicyRule, Step
from tests.support.ward import Ward

ANNA = "anna"


def phone(device: str = "a", *, live: bool = False, newest: bool = True, ways: tuple[str, ...] = ()) -> Ways:
    """A phone of Anna's."""
    return Ways(device, live, ways, newest)


def seen(*phones: Ways, pager: bool = False, sms: bool = False, heard: bool = False) -> set[tuple[str, ...]]:
    """Device, channel, outcome and why of what is expected."""
    lines = expected(ANNA, phones, pager=pager, sms=sms, heard=heard)
    return {(n.device, n.channel, str(n.outcome), n.why) for n in lines}


def test_every_way_to_a_phone_is_waited_for() -> None:
    """The socket while it is open, each push it has."""
    assert seen(phone(live=True, ways=("webpush", "fcm"))) == {
        ("a", "socket", "waiting", ""), ("a", "webpush", "waiting", ""), ("a", "fcm", "waiting", ""),
    }  # fmt: skip
    assert seen(phone(ways=("apns",))) == {("a", "apns", "waiting", "")}


def test_a_phone_without_any_way_has_failed_already() -> None:
    """The one she uses; an old one in a drawer is not waited for."""
    assert seen(phone()) == {("a", "socket", "failed", Why.NO_CONTACT)}
    assert seen(phone(live=True), phone("old", newest=False)) == {("a", "socket", "waiting", "")}
    assert seen() == {("", "", "failed", Why.NO_PHONE)}


def test_what_cannot_be_silent_is_not_drilled_in_silence() -> None:
    """A pager never confirms; a text counts in a heard drill, and only where no socket is open."""
    assert seen(pager=True) == {("", "pager", "cannot", Why.ONE_WAY)}
    assert seen(sms=True) == {("", "sms", "cannot", Why.SOUNDS)}
    assert seen(sms=True, heard=True) == {("", "sms", "waiting", "")}
    assert seen(phone(live=True), sms=True, heard=True) == {("a", "socket", "waiting", "")}


def test_nothing_takes_a_receipt_back() -> None:
    """A receipt counts late and against what was thought; a failure after it counts for nothing."""
    rang = settled(DrillLine(ANNA, "a", "fcm"), Outcome.RANG, after_ms=7)
    assert (rang.outcome, rang.after_ms) == (Outcome.RANG, 7)
    assert settled(rang, Outcome.FAILED, Why.NOT_TAKEN) == rang
    assert settled(rang, Outcome.RANG, after_ms=9) == rang
    refused = settled(DrillLine(ANNA, "a", "fcm"), Outcome.FAILED, Why.NOT_TAKEN)
    assert settled(refused, Outcome.RANG, after_ms=8).outcome is Outcome.RANG
    pager = DrillLine(ANNA, "", "pager", Outcome.CANNOT, Why.ONE_WAY)
    assert settled(pager, Outcome.FAILED) == pager


def test_only_a_whole_drill_is_green() -> None:
    """What waits at the end has failed, or was cut; a pager is neither; nobody at all is red."""
    rang, waits = DrillLine(ANNA, "a", "socket", Outcome.RANG), DrillLine("bo", "b", "socket")
    pager = DrillLine("rut", "", "pager", Outcome.CANNOT)
    assert counted([rang, waits]).state is State.RUNNING
    assert closed([rang, pager], "1", cut=False) == Result(State.OK, 1, 0, 1, "1", (rang, pager))
    over = closed([rang, waits], "1", cut=False)
    assert (over.state, over.red, over.lines[1].why) == (State.FAILED, 1, "no_receipt")
    cut = closed([rang, waits], "1", cut=True)
    assert (cut.state, cut.good, cut.red, cut.open) == (State.INTERRUPTED, 1, 0, 1)
    failed = DrillLine("cia", "c", "socket", Outcome.FAILED)
    assert closed([failed, waits], "1", cut=True).state is State.FAILED
    assert closed([], "1", cut=False).state is State.FAILED


def test_a_drill_that_a_crash_cut_off_is_never_green() -> None:
    """Not even when every phone had confirmed."""
    whole = counted([DrillLine(ANNA, "a", "socket", Outcome.RANG)], "1")
    assert cut_off(whole).state is State.INTERRUPTED
    waited = cut_off(counted([DrillLine(ANNA, "a", "socket")], "1"))
    assert waited.lines[0].outcome is Outcome.INTERRUPTED
    assert cut_off(Result()).state is State.INTERRUPTED


def test_equal_sites_have_equal_prints() -> None:
    """Whatever is republished; a new person or duty is no change of policy or source."""
    site = Ward().site
    again = replace(site, version=9, duties=site.duties[:3], staff={})
    assert prints_of(site) == prints_of(again)
    assert changed(prints_of(site), prints_of(again)) == {}


def test_a_policy_concerns_the_units_it_serves() -> None:
    """By its rule; a new version of it as well as another choice; a last resort too."""
    site = Ward().site
    one = Policy("fast", 1, (Step(("unit",), 20, 10),), 60, 180, None, None)
    ruled = replace(
        site, policies={"fast": {1: one}}, newest={"fast": 1},
        policy_rules=(PolicyRule("fast", kind=Kind.PATIENT_CALL, unit="201"),),
    )  # fmt: skip
    assert changed(prints_of(site), prints_of(ruled)) == {"201": "policy"}
    two = replace(one, version=2, steps=(Step(("unit",), 30, 10),))
    newer = replace(ruled, policies={"fast": {1: one, 2: two}}, newest={"fast": 2})
    assert changed(prints_of(ruled), prints_of(newer)) == {"201": "policy"}
    units = {**site.units, "202": replace(site.units["202"], last_resort=("staff:vera",))}
    assert changed(prints_of(site), prints_of(replace(site, units=units))) == {"202": "policy"}


def test_a_source_concerns_the_units_it_serves() -> None:
    """Old and new ones; a unit nobody knew before has no change to be drilled for."""
    site = Ward().site
    sources = {**site.sources, "words": replace(site.sources["words"], units=("202",))}
    moved = replace(site, sources=sources)
    assert changed(prints_of(site), prints_of(moved)) == {"201": "source", "202": "source"}
    units = {**site.units, "new": replace(site.units["201"], id="new")}
    assert changed(prints_of(site), prints_of(replace(site, units=units))) == {}
