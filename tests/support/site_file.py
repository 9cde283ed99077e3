"""A small site file without faults, and what is said of it once something in it is broken."""

from __future__ import annotations

from alarmhub.core.site import Site
from alarmhub.site import Fault, check

GOOD = """
site = "f"
name = "Fjäll"
holidays = [2026-12-24]

[[unit]]
id = "201"
name = "Medicin 201"
last_resort = ["vaxeln"]
neighbours = ["202"]

[[unit]]
id = "202"
name = "Medicin 202"
last_resort = ["role:guard", "unit:201"]

[[place]]
unit = "201"
rooms = "1-3"
beds = 2
wc = true

[[place]]
unit = "201"
id = "blodkyl"
point = "equipment"
label = "blodkyl"

[[place]]
unit = "202"
rooms = [7]
add_attend = 180

[[role]]
id = "ssk"
name = "sjuksköterska"
deputy = "guard"

[[role]]
id = "guard"
name = "väktare"

[[staff]]
id = "vaxeln"
name = "Växeln"
desk = true

[[staff]]
id = "anna"
name = "Anna Berg"
units = ["201"]
pager = "1042"
grants = ["shift_leader:201"]

[[staff]]
id = "bo"
name = "Bo Ek"
pager = "1043"

[[duty]]
staff = "anna"
unit = ["201", "202"]
roles = ["ssk"]
hours = ["daily 21:00-07:00 not on holidays", "Fri 16:00 - Mon 07:00"]

[[duty]]
staff = "bo"
unit = "201"
roles = ["guard"]
hours = "always"
beds = ["1", "2-3"]

[[cover]]
by = "202"
unit = "201"
hours = "2026-12-24 07:00 .. 2026-12-24 21:00"

[[cover]]
by = "202"
place = "201/3"
hours = "always"

[[type]]
id = "hjart"
kind = "team"
label = "Hjärtlarm"
leader = "guard"
team = [{ role = "ward", count = 2 }, { role = "guard", deputy = "ssk" }]
policy = "hjart"

[[type]]
id = "wc"
kind = "toilet_call"
label = "WC"

[[policy]]
name = "hjart"
steps = [{ to = "team unit", answer_within = 15 }]

[[policy]]
name = "natt"
kind = "patient_call"
unit = "201"
last_resort_every = 45
steps = [
  { to = ["care_team"], answer_within = 45, reach_within = 10 },
  { to = ["unit", "anna"], answer_within = 60 },
]

[[source]]
id = "plant"
name = "Anläggning"
fallback_unit = "201"
protocol = "espa"
rules = [
  { address = '^2010$', text = 'Sal (?P<room>\\d+) WC', place = "201/{room}/wc", type = "wc" },
  { address = '^2010$', text = 'Sal (?P<room>\\d+) plats (?P<bed>\\d)', place = "201/{room}/{bed}" },
]
samples = [
  { address = "2010", text = "Sal 2 plats 1", place = "201/2/1", kind = "patient_call", priority = "low" },
  { address = "2010", text = "Sal 2 WC", place = "201/2/wc", kind = "toilet_call", priority = "medium" },
]
"""


def good() -> Site:
    """The unbroken file, compiled."""
    site = check(GOOD)
    assert isinstance(site, Site), [str(fault) for fault in site]
    return site


def faults_of(text: str) -> list[Fault]:
    """All faults of a file that has some."""
    found = check(text)
    assert not isinstance(found, Site), "the file was accepted"
    return found


def assert_one_fault(old: str, new: str, path: str, message: str) -> None:
    """One change to the good file makes one fault, at its path, in words that say what is wrong."""
    assert old in GOOD
    found = faults_of(GOOD.replace(old, new, 1))
    assert [fault.path for fault in found] == [path], [str(fault) for fault in found]
    assert message in found[0].message, str(found[0])
