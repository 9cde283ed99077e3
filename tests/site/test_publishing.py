"""What publishing keeps, what it numbers, and what it refuses for the sake of open alarms."""

from __future__ import annotations

from pathlib import Path

from alarmhub.core.site import Site
from alarmhub.site import Fault, check, from_json, new_policies, publish, to_json

DEMO = (Path(__file__).parents[2] / "config" / "demo.toml").read_text()


def checked(text: str = DEMO) -> Site:
    """A file that has no faults."""
    site = check(text)
    assert isinstance(site, Site), [str(fault) for fault in site]
    return site


def published(previous: Site | None, text: str = DEMO) -> Site:
    """The next version after `previous`."""
    site = publish(previous, checked(text))
    assert isinstance(site, Site)
    return site


def slower(text: str = DEMO) -> str:
    """The demo site with one other clock in one policy."""
    assert text.count("return_after = 90") == 1
    return text.replace("return_after = 90", "return_after = 120")


def test_the_first_site_is_version_one_with_all_its_policies() -> None:
    """Everything is new."""
    first = published(None)
    assert first.version == 1
    assert set(first.newest.values()) == {1}
    assert {policy.name for policy in new_policies(None, first)} == set(first.policies)


def test_publishing_the_same_file_again_changes_nothing() -> None:
    """Not even the number of the site: the very same value comes back."""
    first = published(None)
    assert published(first) is first


def test_only_the_changed_policy_gets_a_new_version_and_keeps_the_old() -> None:
    """An open alarm finds the version it started with; new alarms find the new one."""
    first = published(None)
    second = published(first, slower())
    assert second.version == 2
    assert [(policy.name, policy.version) for policy in new_policies(first, second)] == [("sanglarm", 2)]
    assert second.policies["sanglarm"][1] == first.policies["sanglarm"][1]
    assert [second.policies["sanglarm"][n].return_s for n in (1, 2)] == [90, 120]
    assert second.newest["sanglarm"] == 2 and second.newest["blodkyl"] == 1


def test_going_back_is_a_third_version() -> None:
    """Numbers never return: what was published as 1 and again as 3 are two publications."""
    third = published(published(published(None), slower()))
    assert third.newest["sanglarm"] == 3
    assert [third.policies["sanglarm"][n].return_s for n in (1, 2, 3)] == [90, 120, 90]


def test_a_removed_policy_stays_for_the_alarms_that_started_with_it() -> None:
    """It serves no new alarm, and is still there by name and version."""
    first = published(None)
    text = DEMO[: DEMO.index('[[policy]]\nname = "palliativ')] + DEMO[DEMO.index("# --- Sources") :]
    second = published(first, text)
    assert second.policies["palliativ-patientkallelse"][1] == first.policies["palliativ-patientkallelse"][1]
    assert not any(rule.policy == "palliativ-patientkallelse" for rule in second.policy_rules)


def test_a_unit_with_an_open_alarm_cannot_be_taken_away() -> None:
    """Its alarm would have no last resort; with no alarm open it may go."""
    first = published(None)
    start = DEMO.index("# --- Hälsocentral Storvika")
    end = DEMO.index("# --- Cover")
    text = DEMO[:start] + DEMO[end:]
    without = checked("".join(line for line in text.splitlines(True) if '"tyra.forsberg"' not in line))
    refused = publish(first, without, ["201", "hc-storvika"])
    assert refused == [
        Fault("unit", 'unit "hc-storvika" has an open alarm, which would be left without a last resort')
    ]
    assert isinstance(publish(first, without, ["201"]), Site)


def test_the_database_gets_back_what_it_was_given() -> None:
    """JSON and back, policy versions, holidays and hours included."""
    second = published(published(None), slower())
    assert from_json(to_json(second)) == second
