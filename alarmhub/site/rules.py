"""Types and policies: from entries to the core's values; none may ring lower than its kind's floor.

Policies for what the file does not name come from the table of kinds (`core.policies.built_in`). This
module refuses to choose a policy for an alarm.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from alarmhub.core.kinds import PRIORITY_RANK, RULES, AcceptRule, Kind, Priority, raised_to_floor
from alarmhub.core.policies import built_in
from alarmhub.core.routing import WARD_ROLE
from alarmhub.core.site import AlarmType, Policy, PolicyRule, Step, TeamRole
from alarmhub.site.entries import PolicyEntry, TypeEntry
from alarmhub.site.reading import Reading, as_list, numbered
from alarmhub.site.targets import compile_targets

FIRST_VERSION = 1
DEFAULT_PREFIX = "default/"


def compile_types(reading: Reading) -> None:
    """Fill `reading.types`."""
    for path, entry in numbered("type", reading.file.type):
        if entry.id in reading.types:
            reading.faults.add(f"{path}.id", f'"{entry.id}" is there twice')
            continue
        check_floor(entry.kind, entry.priority, f"{path}.priority", reading)
        reading.types[entry.id] = AlarmType(
            id=entry.id,
            kind=entry.kind,
            label=entry.label,
            label_en=entry.label_en,
            sound=entry.sound,
            priority=entry.priority,
            policy=entry.policy,
            team=tuple(_team(entry, path, reading)),
            leader=entry.leader,
        )
        if entry.leader is not None and not any(member.role == entry.leader for member in entry.team):
            reading.faults.add(f"{path}.leader", f'"{entry.leader}" is no role of the team')


def check_floor(kind: Kind, priority: Priority | None, path: str, reading: Reading) -> None:
    """A fault for a priority below the kind's floor (ward.md, never possible 4)."""
    if priority is not None and raised_to_floor(kind, priority) is not priority:
        reading.faults.add(path, f'"{priority}" is below the floor of {kind}, which is "{RULES[kind].floor}"')


def _team(entry: TypeEntry, path: str, reading: Reading) -> Iterator[TeamRole]:
    if entry.team and entry.kind is not Kind.TEAM:
        reading.faults.add(f"{path}.team", f"only the kind team has one, this is {entry.kind}")
    if not entry.team and entry.kind is Kind.TEAM:
        reading.faults.add(f"{path}.team", "is missing: name the roles of the team")
    for index, member in enumerate(entry.team):
        where = f"{path}.team[{index}]"
        if member.role != WARD_ROLE:
            reading.known("role", member.role, f"{where}.role")
        if member.deputy is not None and member.deputy != WARD_ROLE:
            reading.known("role", member.deputy, f"{where}.deputy")
        yield TeamRole(member.role, member.count, member.deputy)


def compile_policies(reading: Reading) -> tuple[dict[str, Policy], tuple[PolicyRule, ...]]:
    """The policies by name, the built-in ones included, and which alarms the file's own serve, in order."""
    policies = {policy.name: policy for policy in _built_in()}
    rules: list[PolicyRule] = []
    for path, entry in numbered("policy", reading.file.policy):
        if entry.name.startswith(DEFAULT_PREFIX):
            reading.faults.add(f"{path}.name", f'names under "{DEFAULT_PREFIX}" are the built-in policies')
        elif entry.name in policies:
            reading.faults.add(f"{path}.name", f'"{entry.name}" is there twice')
        if entry.name in policies:
            continue
        kind = _kind(entry, path, reading)
        _check_selection(entry, kind, path, reading)
        if kind is not None:
            policies[entry.name] = _policy(entry, kind, path, reading)
        if entry.kind is not None or entry.type is not None:
            rules.append(PolicyRule(entry.name, entry.kind, entry.type, entry.unit, entry.priority))
    _check_named_policies(policies, reading)
    return policies, tuple(rules)


def _built_in() -> Iterator[Policy]:
    for kind in Kind:
        for priority in Priority if kind is Kind.CLINICAL else (RULES[kind].floor,):
            yield replace(built_in(kind, priority), version=FIRST_VERSION)


def _kind(entry: PolicyEntry, path: str, reading: Reading) -> Kind | None:
    """The one kind a policy serves: its own, its type's, or that of the types that name it."""
    if entry.kind is not None:
        return entry.kind
    if entry.type is not None:
        known = reading.types.get(entry.type)
        return known.kind if known is not None else None
    kinds = {known.kind for known in reading.types.values() if known.policy == entry.name}
    if not kinds:
        reading.faults.add(path, "serves no alarm: give a kind or a type, or name it in a [[type]]")
    elif len(kinds) > 1:
        reading.faults.add(path, f"types of several kinds name it: {', '.join(sorted(kinds))}")
    return next(iter(kinds), None)


def _check_selection(entry: PolicyEntry, kind: Kind | None, path: str, reading: Reading) -> None:
    if entry.type is not None and reading.known("type", entry.type, f"{path}.type"):
        known = reading.types.get(entry.type)
        if known is not None and entry.kind not in (None, known.kind):
            reading.faults.add(f"{path}.kind", f'type "{entry.type}" is {known.kind}, not {entry.kind}')
    if entry.unit is not None:
        reading.known("unit", entry.unit, f"{path}.unit")
    if kind is None:
        return
    check_floor(kind, entry.priority, f"{path}.priority", reading)
    if (entry.enough or 1) > 1 and RULES[kind].accept is not AcceptRule.ENOUGH:
        reading.faults.add(f"{path}.enough", f"means nothing for {kind}")


def _check_named_policies(policies: dict[str, Policy], reading: Reading) -> None:
    by_kind = {entry.name: entry.kind for _, entry in numbered("policy", reading.file.policy)}
    for path, entry in numbered("type", reading.file.type):
        if entry.policy is None:
            continue
        written = by_kind.get(entry.policy)
        if entry.policy not in policies and entry.policy not in by_kind:
            reading.faults.unknown(f"{path}.policy", "policy", entry.policy, policies)
        elif written not in (None, entry.kind):
            reading.faults.add(f"{path}.policy", f'"{entry.policy}" is for {written}, not {entry.kind}')


def _policy(entry: PolicyEntry, kind: Kind, path: str, reading: Reading) -> Policy:
    default = built_in(kind, _rank_floor(kind, entry.priority))
    return Policy(
        name=entry.name,
        version=FIRST_VERSION,
        steps=tuple(_steps(entry, kind, path, reading)),
        last_resort_s=entry.last_resort_every or default.last_resort_s,
        return_s=entry.return_after or default.return_s,
        remind_s=entry.remind_after or default.remind_s,
        lapse_s=entry.ring_next_after or default.lapse_s,
        enough=entry.enough or default.enough,
    )


def _rank_floor(kind: Kind, priority: Priority | None) -> Priority:
    """The priority whose built-in clocks fill the gaps: the strictest when the policy serves all."""
    return (
        priority
        if priority is not None
        else max(RULES[kind].floor, Priority.HIGH, key=PRIORITY_RANK.__getitem__)
    )


def _steps(entry: PolicyEntry, kind: Kind, path: str, reading: Reading) -> Iterator[Step]:
    if not entry.steps:
        reading.faults.add(f"{path}.steps", "a policy has at least one step")
    for index, step in enumerate(entry.steps):
        where = f"{path}.steps[{index}]"
        words = [word for text in as_list(step.to) for word in text.split()]
        if not words:
            reading.faults.add(f"{where}.to", "a step without targets rings nobody")
        if step.reach_within is not None and step.reach_within > step.answer_within:
            reading.faults.add(f"{where}.reach_within", "is longer than answer_within")
        reach_s = step.reach_within or min(RULES[kind].reach_s, step.answer_within)
        targets = compile_targets(((f"{where}.to[{i}]", word) for i, word in enumerate(words)), reading)
        yield Step(targets, step.answer_within, reach_s)
