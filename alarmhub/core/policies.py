"""Which policy an alarm follows, and the built-in ones made from the table of kinds.

A policy is pinned to an alarm by name and version when it starts, or when its kind or priority rises.
From the last resort on the newest published version applies. This module refuses to start turns.
"""

from __future__ import annotations

from alarmhub.core.alarm import Alarm
from alarmhub.core.events import HUB_SOURCE, Signal
from alarmhub.core.kinds import (
    CLINICAL_LAST_RESORT_S,
    CLINICAL_STEPS_S,
    RULES,
    AcceptRule,
    Kind,
    Priority,
)
from alarmhub.core.site import Policy, Site, Step

BUILT_IN_VERSION = 0
"""Version of a policy that comes from the table of kinds and was never published."""


def default_name(kind: Kind, priority: Priority) -> str:
    """The name of the policy that serves a kind where the site says nothing."""
    return f"default/{kind}-{priority}" if kind is Kind.CLINICAL else f"default/{kind}"


def built_in(kind: Kind, priority: Priority) -> Policy:
    """ward.md's table as a policy."""
    return _BUILT_IN[default_name(kind, priority)]


def _made(kind: Kind, priority: Priority) -> Policy:
    rules = RULES[kind]
    steps = rules.steps
    last_resort_s = rules.last_resort_s
    if kind is Kind.CLINICAL:
        seconds = CLINICAL_STEPS_S[priority]
        steps = tuple((targets, s) for (targets, _), s in zip(rules.steps, seconds, strict=False))
        last_resort_s = CLINICAL_LAST_RESORT_S[priority]
    return Policy(
        name=default_name(kind, priority),
        version=BUILT_IN_VERSION,
        steps=tuple(Step(tuple(t.split()), s, rules.reach_s) for t, s in steps),
        last_resort_s=last_resort_s,
        return_s=rules.return_s,
        remind_s=rules.remind_s,
        lapse_s=rules.lapse_s,
        enough=rules.enough if rules.accept is AcceptRule.ENOUGH else 1,
    )


QUIET = "default/quiet"
"""The policy of what the hub says of phones: it rings whom it names, once, and troubles nobody else."""
QUIET_TYPES = "phone_"
"""How the types begin that have it."""
QUIET_S = 120

_BUILT_IN: dict[str, Policy] = {
    policy.name: policy for kind in Kind for policy in (_made(kind, priority) for priority in Priority)
} | {
    QUIET: Policy(
        name=QUIET,
        version=BUILT_IN_VERSION,
        steps=(Step(("shift_leader",), QUIET_S, RULES[Kind.REQUEST].reach_s),),
        last_resort_s=None,
        return_s=None,
        remind_s=None,
        lapse_s=None,
    )
}


def built_in_named(name: str) -> Policy:
    """A built-in policy by its name. Raises KeyError for any other."""
    return _BUILT_IN[name]


def quiet(signal: Signal, kind: Kind, type_id: str) -> bool:
    """Whether it is one of the hub's own notices about a phone. No source can say so of its own alarms."""
    return signal.source == HUB_SOURCE and kind is Kind.REQUEST and type_id.startswith(QUIET_TYPES)


def _chosen_name(site: Site, kind: Kind, type_id: str, unit: str, priority: Priority) -> str | None:
    alarm_type = site.types.get(type_id)
    if alarm_type is not None and alarm_type.policy is not None:
        return alarm_type.policy
    for rule in site.policy_rules:
        if (
            rule.kind in (None, kind)
            and rule.type in (None, type_id)
            and rule.unit in (None, unit)
            and rule.priority in (None, priority)
        ):
            return rule.policy
    return None


def choose(site: Site, kind: Kind, type_id: str, unit: str, priority: Priority) -> Policy:
    """The newest policy for such an alarm: the type's, else the first matching rule's, else the built-in.

    A drill follows the built-in one alone: no site may let it escalate or trouble a last resort (ward.md).
    """
    if kind is Kind.DRILL:
        return built_in(kind, priority)
    name = _chosen_name(site, kind, type_id, unit, priority) or default_name(kind, priority)
    version = site.newest.get(name)
    if version is None:
        return built_in(kind, priority)
    return site.policies[name][version]


def pinned(site: Site, alarm: Alarm) -> Policy:
    """The very version this alarm started with; a version nobody knows any more falls back to the newest."""
    policy = site.policies.get(alarm.policy, {}).get(alarm.policy_version)
    if policy is not None:
        return policy
    if alarm.policy_version == BUILT_IN_VERSION and alarm.policy in _BUILT_IN:
        return _BUILT_IN[alarm.policy]
    return choose(site, alarm.kind, alarm.type, alarm.unit, alarm.priority)


def last_resort_s(alarm: Alarm, policy: Policy) -> int | None:
    """How often the last resort rings. A policy may set another time, but not do without where the kind has
    one: only what the hub says of a phone does."""
    if alarm.policy == QUIET:
        return None
    return policy.last_resort_s if policy.last_resort_s is not None else RULES[alarm.kind].last_resort_s
