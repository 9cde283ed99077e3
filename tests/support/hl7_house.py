"""A house with a nurse call gateway of IHE ACM in its site, and the settings of its line."""

from __future__ import annotations

import msgspec

from alarmhub.core.alarm import Alarm
from tests.support.hub import House

SITE = """
[[source]]
id = "gw"
name = "Nurse call gateway"
fallback_unit = "u0000"
protocol = "hl7"
reports = "each"
rules = [
  { address = '^U0000\\^R(?P<r>\\d)', text = 'NURSE_CALL', place = "u0000/r{r}/bed", type = "load-hold" },
]

[[source.samples]]
address = "U0000^R1^1"
text = "Nurse call [MDCX_EVT_NURSE_CALL 0]"
says_priority = "medium"
place = "u0000/r1/bed"
kind = "patient_call"
priority = "medium"
"""
GATEWAY = """
[[hl7]]
source = "gw"
listen = "127.0.0.1:{port}"
application = "ALARM_HUB^0012AAFFFE001122^EUI-64"
{more}
"""
"""Settings of the line; `more`: further settings."""


def house_with_gateway(dsn: str) -> House:
    """A small house, not entered yet."""
    return House(dsn, extra=SITE)


async def stored(house: House) -> list[Alarm]:
    """Every stored alarm of the gateway, oldest first."""
    rows = await house.sql("SELECT body FROM alarm WHERE source = 'gw' ORDER BY raised_at, id")
    return [msgspec.json.decode(row["body"], type=Alarm) for row in rows]
