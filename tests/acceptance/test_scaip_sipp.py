"""Social alarms from SIPp, an independent SIP implementation, through a whole hub to a phone and back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from alarmhub.core.alarm import Alarm, Phase
from tests.support.hub import House, Hub, free_ports
from tests.support.sipp import Sipp, asking, hearing, refused, registering
from tests.support.waiting import until

CID, PASSWORD = "4670000123", "hemligt"
SOURCE = f"""
[[source]]
id = "trygghet"
name = "Trygghetslarm"
fallback_unit = "u0000"
protocol = "scaip"
reports = "alarm"
rules = [{{ address = '^{CID}$', place = "u0000/r1/bed", type = "load-hold" }}]
"""
LINE = """[[scaip]]
source = "trygghet"
udp = "127.0.0.1:{port}"
tcp = "127.0.0.1:{port}"
users = {{ luc = "hemligt" }}
voice = 1
reply = "{reply}"
"""
PRESS = f"<mrq><ref>A1B2C3</ref><cid>{CID}</cid><dty>0003</dty><stc>0010</stc><lco>012</lco></mrq>"
RESET = f"<mrq><ref>A1B2C3</ref><mty>RE</mty><cid>{CID}</cid><dty>0003</dty></mrq>"
BEAT = f"<mrq><ref>H[call_number]</ref><mty>PI</mty><hbo>001</hbo><cid>{CID}</cid><dty>0002</dty></mrq>"
HELD = "<mrs><ref>A1B2C3</ref><snu>4</snu></mrs>"
HELD_OR_RETURNED = "<mrs><ref>A1B2C3</ref><snu>[45]</snu></mrs>"
"""Where nobody has a phone: which of them it is depends on the moment."""
RETURNED = "<mrs><ref>A1B2C3</ref><snu>5</snu></mrs>"
ACCEPTED = "<mrs><ref>A1B2C3</ref><snu>0</snu><mre>1</mre></mrs>"
DONE = "<mrs><ref>A1B2C3</ref><snu>0</snu></mrs>"


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A small house whose site knows the units."""
    async with House(database_dsn, extra=SOURCE) as one:
        yield one


@pytest.fixture
def sipp(house: House) -> Sipp:
    """SIPp, where it is installed."""
    return Sipp(house.folder)


async def hub_with_line(house: House, reply: str) -> tuple[Hub, int]:
    """A hub that listens for units."""
    (port,) = free_ports(1)
    hub = house.hub(config=LINE.format(port=port, reply=reply))
    await hub.start()
    return hub, port


async def stored(house: House) -> list[Alarm]:
    """Every alarm of the units, oldest first."""
    rows = await house.sql("SELECT body FROM alarm WHERE source = 'trygghet' ORDER BY raised_at")
    return [msgspec.json.decode(row["body"], type=Alarm) for row in rows]


async def reports_taken(house: House) -> None:
    """Wait until the units' line has heard all there is to hear."""

    async def taken() -> bool:
        return not await house.sql("SELECT 1 FROM outbox WHERE channel = 'report'")

    await until(taken, "the reports to be taken")


def said(mrq: str, answer: str | None) -> str:
    """A unit that knows its password."""
    return asking(mrq, answer=answer, user="luc", password=PASSWORD)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_alarm_is_held_accepted_and_reset(house: House, sipp: Sipp, transport: str) -> None:
    """Challenge and digest, the answer in the 200; asking again raises nothing more."""
    hub, port = await hub_with_line(house, "response")
    (own,) = free_ports(1)
    async with hub.phone(0) as phone:
        await sipp.run(said(PRESS, HELD), hub=port, port=own, transport=transport)
        shown = await phone.wait_alarm(5)
        assert (shown.place, shown.source_text) == (
            "load/u0000/r1/bed", "manuellt larm, bärbar knapp, sovrum [dty0003 stc0010 lco012]",
        )  # fmt: skip
        await sipp.run(said(PRESS, HELD), hub=port, port=own, transport=transport)
        assert (await phone.accept(shown.id)).ok

        await reports_taken(house)
        await sipp.run(said(PRESS, ACCEPTED), hub=port, port=own, transport=transport)
        await sipp.run(said(RESET, DONE), hub=port, port=own, transport=transport)
    assert [alarm.phase for alarm in await stored(house)] == [Phase.ENDED]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_answers_travel_as_messages_to_the_registered_contact(
    house: House, sipp: Sipp, transport: str
) -> None:
    """REGISTER with digest, hold at once, done as soon as somebody accepts, without being asked."""
    hub, port = await hub_with_line(house, "message")
    own, contact = free_ports(2)
    uri = f"sip:{CID}@127.0.0.1:{contact};transport={transport}"
    register = registering(uri, user="luc", password=PASSWORD)
    await sipp.run(register, hub=port, port=own, transport=transport)
    async with hub.phone(0) as phone:
        first = await sipp.begin(hearing(HELD), hub=None, port=contact, transport=transport)
        await sipp.run(said(PRESS, None), hub=port, port=own, transport=transport)
        await sipp.end(first)
        shown = await phone.wait_alarm(5)
        second = await sipp.begin(hearing(ACCEPTED), hub=None, port=contact, transport=transport)
        assert (await phone.accept(shown.id)).ok
        await sipp.end(second)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_heartbeats_of_many_units_at_once(house: House, sipp: Sipp, transport: str) -> None:
    """Forty within a second, each with its own challenge; none is a signal."""
    _, port = await hub_with_line(house, "response")
    (own,) = free_ports(1)
    done = "<snu>0</snu><hbi>5</hbi>"
    await sipp.run(said(BEAT, done), hub=port, port=own, transport=transport, calls=40)
    assert await stored(house) == []


async def test_strangers_get_nothing_in(house: House, sipp: Sipp) -> None:
    """A wrong password and an unknown user are both 403."""
    _, port = await hub_with_line(house, "response")
    (own,) = free_ports(1)
    for user, password in (("luc", "fel"), ("okand", PASSWORD)):
        scenario = refused(PRESS, status=403, user=user, password=password)
        await sipp.run(scenario, hub=port, port=own)
    assert await stored(house) == []


async def test_responsibility_is_returned_and_taken_back(house: House, sipp: Sipp) -> None:
    """5 when nobody can be reached; 0 when somebody comes and accepts after all."""
    hub, port = await hub_with_line(house, "response")
    (own,) = free_ports(1)
    await sipp.run(said(PRESS, HELD_OR_RETURNED), hub=port, port=own)
    await until(lambda: stored(house), "the alarm")
    await reports_taken(house)
    await sipp.run(said(PRESS, RETURNED), hub=port, port=own)
    async with hub.phone(0) as phone:
        assert (await phone.accept((await phone.wait_alarm(5)).id)).ok
        await reports_taken(house)
        await sipp.run(said(PRESS, ACCEPTED), hub=port, port=own)
    assert len(await stored(house)) == 1


async def test_what_was_answered_survives_the_hubs_death_and_is_there_once(house: House, sipp: Sipp) -> None:
    """The process is killed; the unit asks again and finds its alarm."""
    hub, port = await hub_with_line(house, "response")
    (own,) = free_ports(1)
    await sipp.run(said(PRESS, HELD_OR_RETURNED), hub=port, port=own)
    hub.kill()
    await hub.start()
    await sipp.run(said(PRESS, HELD_OR_RETURNED), hub=port, port=own)
    assert [alarm.ref for alarm in await stored(house)] == [f"{CID}/A1B2C3"]
