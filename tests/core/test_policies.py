"""Which policy an alarm follows: its type's, the first matching rule's, else the table's; and pinned."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.core.kinds import RULES, AcceptRule, Kind, Priority
from alarmhub.core.policies import BUILT_IN_VERSION, built_in, choose, default_name, pinned
from alarmhub.core.site import AlarmType, Policy, PolicyRule, Step
from tests.support.ward import Ward

STEPS = (Step(("unit",), 20, 5),)


def test_the_built_in_policy_of_every_kind_is_its_row() -> None:
    """Steps, clocks and the number needed, under a name that says what it is."""
    for kind in Kind:
        policy = built_in(kind, Priority.HIGH)
        rules = RULES[kind]
        assert policy.version == BUILT_IN_VERSION and policy.name == default_name(kind, Priority.HIGH)
        assert [s.targets for s in policy.steps] == [tuple(words.split()) for words, _ in rules.steps]
        assert {s.reach_s for s in policy.steps} == {rules.reach_s}
        assert (policy.remind_s, policy.lapse_s) == (rules.remind_s, rules.lapse_s)
        assert policy.enough == (rules.enough if rules.accept is AcceptRule.ENOUGH else 1)


def test_a_type_comes_before_a_rule_and_the_first_rule_before_the_next() -> None:
    """Unset fields of a rule match all; a set one must match."""
    ward = Ward()
    for name in ("typed", "first", "second"):
        ward.publish(Policy(name, 1, STEPS, 60, 60, 60, 60))
    ward.rule(
        PolicyRule("first", kind=Kind.CLINICAL, unit="201", priority=Priority.HIGH),
        PolicyRule("second", kind=Kind.CLINICAL),
    )
    ward.change_site(types={"t": AlarmType("t", Kind.CLINICAL, "T", policy="typed")})

    def name(type_id: str, unit: str, priority: Priority) -> str:
        return choose(ward.site, Kind.CLINICAL, type_id, unit, priority).name

    assert name("t", "201", Priority.HIGH) == "typed"
    assert name("", "201", Priority.HIGH) == "first"
    assert name("", "202", Priority.HIGH) == "second"
    assert name("", "201", Priority.LOW) == "second"
    assert choose(ward.site, Kind.DOOR, "", "201", Priority.LOW).name == "default/door"


def test_a_site_may_publish_its_own_default() -> None:
    """Under the built-in's name; what started with the built-in keeps it."""
    ward = Ward()
    call = ward.press("12/1")
    ward.publish(Policy("default/patient_call", 1, STEPS, 60, 60, 60, 60))
    assert choose(ward.site, Kind.PATIENT_CALL, "", "201", Priority.LOW).version == 1
    assert pinned(ward.site, call.alarm) == built_in(Kind.PATIENT_CALL, Priority.LOW)


def test_a_named_policy_nobody_published_falls_back_to_the_table() -> None:
    """Better the ward.md default than none."""
    ward = Ward()
    ward.rule(PolicyRule("nowhere"))
    assert choose(ward.site, Kind.DOOR, "", "201", Priority.LOW) == built_in(Kind.DOOR, Priority.LOW)


def test_the_pinned_version_is_that_very_version() -> None:
    """Also when newer ones exist; an unknown one falls back to the newest."""
    ward = Ward()
    one, two = (Policy("p", v, STEPS * v, 60, 60, 60, 60) for v in (1, 2))
    ward.publish(one)
    ward.rule(PolicyRule("p"))
    alarm = ward.press("12/1").alarm
    ward.publish(two)
    assert pinned(ward.site, alarm) == one
    assert pinned(ward.site, replace(alarm, policy_version=7)) == two


def test_a_monitor_alarm_keeps_the_built_in_it_started_with_when_its_priority_falls() -> None:
    """The name carries the priority, not the alarm of now."""
    ward = Ward()
    alarm = ward.press("12/1", Kind.CLINICAL, priority=Priority.HIGH).alarm
    fallen = replace(alarm, priority=Priority.LOW)
    assert pinned(ward.site, fallen) == built_in(Kind.CLINICAL, Priority.HIGH)


def test_a_drill_follows_no_policy_of_a_site() -> None:
    """Not by rule and not by type: it must never escalate."""
    ward = Ward()
    ward.publish(Policy("p", 1, STEPS * 3, 5, 5, 5, 5))
    ward.rule(PolicyRule("p"))
    ward.change_site(types={"t": AlarmType("t", Kind.DRILL, "T", policy="p")})
    drill = choose(ward.site, Kind.DRILL, "t", "201", Priority.HIGH)
    assert drill.last_resort_s is None and drill.name == "default/drill"
