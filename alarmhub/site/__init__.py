"""The site file: reading and checking it as a whole, publishing what changed, writing it out again.

    check(text)                               -> Site, or every fault with its path
    publish(previous, checked, open_units)    -> the Site to store, or what would orphan an open alarm
    dump(site)                                -> text that checks back to an equal site
    to_json(site), from_json(body)            -> for the database

The compiled values are `alarmhub.core.site`. This package refuses to store, to ask a clock, and to accept
a part of a file: one fault refuses all of it.
"""

from __future__ import annotations

from alarmhub.site.checking import check
from alarmhub.site.dumping import dump
from alarmhub.site.faults import Fault
from alarmhub.site.publishing import from_json, new_policies, publish, to_json

__all__ = ["Fault", "check", "dump", "from_json", "new_policies", "publish", "to_json"]
