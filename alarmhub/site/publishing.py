"""From a checked site to a published one: versions rise for what changed, old versions stay.

An open alarm keeps the policy version it started with, and is never left without a last resort (ward.md,
never possible 10). This module refuses to store: it returns the value that is to be stored.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from alarmhub.core.site import Policy, Site
from alarmhub.site.faults import Fault


def publish(previous: Site | None, checked: Site, open_units: Collection[str] = ()) -> Site | list[Fault]:
    """The site to publish after `previous`: `checked` with version numbers, and all policy versions so far.

    `open_units`: the units of open alarms. Returns `previous` itself when nothing changed, and faults for
    each unit with an open alarm that `checked` does not have or leaves without a last resort.
    """
    faults = [
        Fault("unit", f'unit "{unit}" has an open alarm, which would be left without a last resort')
        for unit in sorted(set(open_units))
        if unit not in checked.units or not checked.units[unit].last_resort
    ]
    if faults:
        return faults
    policies, newest = _merged(previous, checked)
    version = previous.version if previous is not None else 0
    site = replace(checked, version=version, policies=policies, newest=newest)
    return previous if previous is not None and site == previous else replace(site, version=version + 1)


def to_json(site: Site) -> bytes:
    """A site as stored."""
    return msgspec.json.encode(site)


def from_json(body: bytes) -> Site:
    """Read what `to_json` wrote. Raises msgspec.DecodeError for anything else."""
    return msgspec.json.decode(body, type=Site)


def new_policies(previous: Site | None, published: Site) -> list[Policy]:
    """The policy versions that `published` has and `previous` had not, by name."""
    known = previous.policies if previous is not None else {}
    return [
        policy
        for name in sorted(published.policies)
        for version, policy in sorted(published.policies[name].items())
        if version not in known.get(name, {})
    ]


def _merged(previous: Site | None, checked: Site) -> tuple[dict[str, dict[int, Policy]], dict[str, int]]:
    """All policy versions ever published, and the newest of each name, removed ones included."""
    policies = {name: dict(versions) for name, versions in previous.policies.items()} if previous else {}
    newest = dict(previous.newest) if previous else {}
    for name, number in checked.newest.items():
        policy = checked.policies[name][number]
        known = policies.setdefault(name, {})
        last = newest.get(name, 0)
        if last not in known or replace(policy, version=last) != known[last]:
            last += 1
            known[last] = replace(policy, version=last)
        newest[name] = last
    return policies, newest
