"""Whole hubs that text through a centre others made (smpp34), and octets read by a third (aiosmpplib).

Texted and told, receipts, replies, throttling, a centre that restarts in mid-flight, a hub that is killed
between its commit and the message.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from alarmhub.core.alarm import Alarm, told_of
from load.site import staff_id
from protocols.smpp_pdu import (
    HEADER,
    Address,
    Command,
    Delivery,
    Login,
    Pdu,
    Submit,
    bind_body,
    encode,
    read_delivery,
    submit_body,
)
from protocols.smpp_text import from_gsm7, gsm7, receipt, split_header
from tests.support.hub import ROOT, House, Hub, free_ports
from tests.support.smsc import Smsc
from tests.support.waiting import until

smpp34 = pytest.importorskip("smpp34", reason="smpp34, the message centre of these tests, is not installed")
aiosmpplib = pytest.importorskip("aiosmpplib", reason="aiosmpplib, the cross-check, is not installed")

NURSE, COLLEAGUE = staff_id(0), staff_id(1)
NUMBERS = {NURSE: "46701740605", COLLEAGUE: "46701740606"}
HUB_NUMBER = "46700000000"
CONFIG = """
[[smpp]]
source = "operator"
connect = "127.0.0.1:{port}"
system_id = "hub"
password = "orgelpipa"
sender = "{sender}"
{more}
"""
THROTTLED = 0x58


class Text:
    """One message as the centre was given it."""

    def __init__(self, to: str, words: str, id: str) -> None:
        self.to, self.words, self.id = to, words, id

    @property
    def code(self) -> str:
        """What a reply names."""
        found = re.search(r"\b[0-9]{4}\b", self.words)
        assert found is not None, self.words
        return found[0]


class Wire:
    """The way to the centre: one port that stays while the other side is exchanged, or cut."""

    def __init__(self) -> None:
        self.port, self.far_port = free_ports(2)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Let calls through."""
        self._server = await asyncio.start_server(self._through, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Every connection, without a word; calls are refused."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self.far_port)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pass_on(reader, far))
                both.create_task(_pass_on(far_reader, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, far):
                if one is not None:
                    one.transport.abort()
            self._tasks.discard(task)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(4096):
        writer.write(data)
    raise ConnectionResetError


class Center:
    """smpp34's server, which can go and come back. `verdict`: how a message is answered."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.port = self.wire.port
        self.texts: list[Text] = []
        self.tries = 0
        self.verdict: Callable[[int], int | None] = lambda tries: 0
        self._sessions: dict[str, Any] = {}
        self._held: list[Any] = []
        self._server: Any = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take binds."""
        (self.wire.far_port,) = free_ports(1)  # the old one may still be closing
        self._server = smpp34.Server("127.0.0.1", self.wire.far_port, system_id="CENTER")
        await self._server.start()
        await self.wire.open()
        self._task = asyncio.get_running_loop().create_task(self._run(self._server))

    async def stop(self) -> None:
        """Gone, with its sessions."""
        assert self._task is not None
        await self.wire.cut()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._sessions.clear()
        self._held.clear()
        await self._server.stop()
        self._server = None

    @property
    def bound(self) -> bool:
        """Somebody is in."""
        return bool(self._sessions)

    async def says(self, to: str, words: bytes, **more: Any) -> int:
        """A reply from this number; the status the hub answered with."""
        session = list(self._sessions.values())[-1]
        answer = await session.deliver_sm(
            HUB_NUMBER, words, source_addr=to, source_addr_ton=1, source_addr_npi=1, **more
        )
        return int(answer.command_status)

    async def receipt(self, text: Text, stat: str) -> int:
        """The usual receipt of a message."""
        words = (
            f"id:{text.id} sub:001 dlvrd:001 submit date:2611240900 done date:2611240901 stat:{stat} err:000"
        )
        return await self.says(text.to, words.encode(), esm_class=4)

    def to(self, staff: str) -> list[Text]:
        """What was sent to somebody."""
        return [text for text in self.texts if text.to == NUMBERS[staff]]

    async def _run(self, server: Any) -> None:
        while True:
            event = await server.next()
            if isinstance(event, smpp34.Esme):
                self._sessions[event.session_id] = event
            elif isinstance(event, smpp34.Unbound):
                self._sessions.pop(event.session_id, None)
            elif isinstance(event, smpp34.SubmitSmEvent):
                self._submitted(event)

    def _submitted(self, event: Any) -> None:
        self.tries += 1
        status = self.verdict(self.tries)
        if status is None:
            self._held.append(event)
        elif status:
            event.reject(status)
        else:
            id = f"MSG{self.tries:04d}"
            self.texts.append(Text(event.destination_addr, from_gsm7(bytes(event.short_message)), id))
            event.accept(id)


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """Four nurses; the two of the first bed have numbers, and no phone is ever connected."""
    one = House(database_dsn, phones=4)
    for staff, number in NUMBERS.items():
        named = f'id = "{staff}"\n'
        assert named in one.site_text
        one.site_text = one.site_text.replace(named, f'{named}sms = "+{number}"\n', 1)
    async with one:
        yield one


@pytest.fixture
async def center() -> AsyncIterator[Center]:
    """A centre at work."""
    one = Center()
    await one.start()
    yield one
    if one._server is not None:
        await one.stop()


async def texting(house: House, center: Center, more: str = "") -> Hub:
    """A hub bound to the centre."""
    hub = house.hub(config=CONFIG.format(port=center.port, sender=HUB_NUMBER, more=more))
    await hub.start()
    await until(lambda: center.bound, "the hub is bound", within_s=10)
    return hub


async def alarm_of(house: House, ref: str) -> Alarm:
    """As the database has it."""
    return (await house.alarms())[ref]


def until_alarm(house: House, ref: str, holds: Callable[[Alarm], bool], what: str) -> Awaitable[bool]:
    """Wait for it to be so."""

    async def look() -> bool:
        return holds(await alarm_of(house, ref))

    return until(look, what, within_s=10)


async def test_a_nurse_without_data_is_texted_replies_and_is_told(house: House, center: Center) -> None:
    """Receipts are recorded and ring nothing; an accept from afar is noted, a decline counts, and who did not
    decline hears the end. A request needs no hands: there her accept is one."""
    hub = await texting(house, center)
    assert (await hub.press("r1")).status == 201
    await until(lambda: center.to(NURSE) and center.to(COLLEAGUE), "both are texted", within_s=10)
    (mine,), (hers,) = center.to(NURSE), center.to(COLLEAGUE)
    assert mine.words == (
        f"Alarmhub: larm, prioritet låg. Svara 1 {mine.code} = jag tar den, 2 {mine.code} = kan inte"
    )
    assert await center.receipt(mine, "DELIVRD") == 0
    alarm = await alarm_of(house, "r1")
    told = told_of(alarm, NURSE)
    assert told is not None and told.texted is not None and told.texted.delivered_at is not None
    assert (told.rang_at, alarm.paged, str(alarm.phase)) == (None, False, "ringing")

    assert await center.says(mine.to, f"1 {mine.code}".encode()) == 0
    assert (await alarm_of(house, "r1")).noted == (NURSE,)
    await until(lambda: len(center.to(NURSE)) == 2, "she is told")
    assert "noterat, men det ringer vidare" in center.to(NURSE)[-1].words

    assert await center.says(mine.to, f"2 {hers.code}".encode()) == 0  # not her code, or not of this alarm
    assert await center.says(hers.to, f"2 {hers.code} sorry".encode("utf-16-be"), data_coding=8) == 0
    declined = told_of(await alarm_of(house, "r1"), COLLEAGUE)
    assert declined is not None and declined.answer == "declined"

    await hub.press("r1", event="end")
    await until(lambda: len(center.to(NURSE)) == 3, "she hears the end")
    assert center.to(NURSE)[-1].words == f"Alarmhub {mine.code}: avslutat"
    assert len(center.to(COLLEAGUE)) == 1
    assert await center.says(mine.to, f"1 {mine.code}".encode()) == 0  # late: taken, and changes nothing

    request_of = {"ref": "r2", "event": "start", "place": house.layout.place(0), "kind": "request"}
    assert (await hub.call("POST", "/api/v1/signals", json=request_of)).status == 201
    await until(lambda: len(center.to(COLLEAGUE)) == 2, "she is texted of the request")
    assert await center.says(hers.to, f"1 {center.to(COLLEAGUE)[-1].code}".encode()) == 0
    request = await alarm_of(house, "r2")
    assert (str(request.phase), [a.staff for a in request.acceptances]) == ("accepted", [COLLEAGUE])
    told_so = await house.sql("SELECT reasons FROM event WHERE alarm = $1", alarm.id)
    assert sum('"text_delivered"' in str(row["reasons"]) for row in told_so) == 1
    await hub.stop()


async def test_what_cannot_be_delivered_passes_the_step(house: House, center: Center) -> None:
    """An hour to answer, and nobody left to hope for: the next ones ring at once."""
    hub = await texting(house, center)
    await hub.press("r1")
    await until(lambda: len(center.texts) == 2, "both are texted", within_s=10)
    before = await alarm_of(house, "r1")
    for text in list(center.texts):
        assert await center.receipt(text, "UNDELIV") == 0
    await until_alarm(house, "r1", lambda a: a.step > before.step, "the step is passed")
    await hub.stop()


async def test_a_centre_that_throttles_gets_it_again(house: House, center: Center) -> None:
    """Within the alarm's time; each once."""
    center.verdict = lambda tries: THROTTLED if tries <= 3 else 0
    hub = await texting(house, center)
    await hub.press("r1")
    await until(lambda: len(center.texts) == 2, "both are texted", within_s=20)
    assert {text.to for text in center.texts} == set(NUMBERS.values())
    assert center.tries >= 5
    await hub.stop()


async def test_a_centre_that_restarts_in_mid_flight(house: House, center: Center) -> None:
    """What it had not answered is sent again to the one that comes; receipts of before are still known."""
    hub = await texting(house, center)
    await hub.press("r1")
    await until(lambda: len(center.texts) == 2, "both are texted", within_s=10)
    first = center.to(NURSE)[0]
    center.verdict = lambda tries: None
    await hub.press("r1", event="end")
    await until(lambda: center.tries == 4, "the ends are under way", within_s=10)
    await center.stop()
    center.verdict = lambda tries: 0
    await center.start()
    await until(lambda: len(center.to(NURSE)) == 2, "the end arrives", within_s=30)
    assert center.to(NURSE)[-1].words == f"Alarmhub {first.code}: avslutat"
    assert await center.receipt(first, "DELIVRD") == 0
    await hub.stop()


@pytest.mark.parametrize("under_way", [False, True], ids=["before it was sent", "before it was answered"])
async def test_a_hub_killed_between_the_commit_and_the_message(
    house: House, center: Center, under_way: bool
) -> None:
    """The next hub sends it, with the code that was committed, and a reply to it finds the alarm."""
    hub = await texting(house, center)
    center.verdict = lambda tries: None
    if not under_way:
        await center.stop()
    await hub.press("r1")
    if under_way:
        await until(lambda: center.tries == 2, "they are under way", within_s=10)
    hub.kill()
    rows = await house.sql("SELECT body FROM outbox WHERE channel = 'sms'")
    assert len(rows) == 2
    if not under_way:
        await center.start()
    center.verdict = lambda tries: 0
    await hub.start()
    await until(lambda: center.to(NURSE), "she is texted", within_s=20)
    codes = await house.sql("SELECT body FROM fact WHERE scope = 'sms_code' AND key = $1", "+46701740605")
    assert center.to(NURSE)[0].code in str(codes[0]["body"])
    assert await center.says(NUMBERS[NURSE], f"1 {center.to(NURSE)[0].code}".encode()) == 0
    assert (await alarm_of(house, "r1")).noted == (NURSE,)
    await hub.stop()


async def test_a_reply_that_cannot_be_stored_is_asked_for_again(house: House, center: Center) -> None:
    """While the database's table is locked: ESME_RX_T_APPN, and taken afterwards."""
    hub = await texting(house, center)
    await hub.press("r1")
    await until(lambda: len(center.texts) == 2, "both are texted", within_s=10)
    mine = center.to(NURSE)[0]
    connection = await asyncpg.connect(house.dsn)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE event IN ACCESS EXCLUSIVE MODE")
            assert await center.says(mine.to, f"1 {mine.code}".encode()) == 0x64
    finally:
        await connection.close()

    async def taken() -> bool:
        return await center.says(mine.to, f"1 {mine.code}".encode()) == 0

    await until(taken, "it is stored", within_s=20)
    assert (await alarm_of(house, "r1")).noted == (NURSE,)
    await hub.stop()


# Octets, read by the two others.


TEXT = "Alarmhub: larm, prioritet hög. Svara 1 4711 = jag tar den, 2 4711 = kan inte"
OURS = Submit(
    Address(HUB_NUMBER, 1, 1), Address("46701740605", 1, 1), gsm7(TEXT) or b"", priority=1,
    validity="000000000500000R", receipt=True,
)  # fmt: skip


def test_our_messages_are_read_by_both() -> None:
    """Number, text, wish for a receipt."""
    wire = encode(Pdu(Command.SUBMIT_SM, 0, 7, submit_body(OURS)))
    theirs = smpp34.decode(wire)
    assert (theirs.source_addr, theirs.destination_addr) == (HUB_NUMBER, "46701740605")
    assert (bytes(theirs.short_message), theirs.registered_delivery) == (OURS.text, 1)
    assert (theirs.validity_period, theirs.priority_flag) == ("000000000500000R", 1)
    header = aiosmpplib.protocol.SmppMessage.parse_header(wire[:16])
    read = aiosmpplib.SubmitSm.from_pdu(wire, header, "gsm0338")
    assert (read.short_message, read.destination.number, read.registered_delivery) == (TEXT, "46701740605", 1)


def test_our_bind_is_read_by_the_other() -> None:
    """Name, password and version."""
    wire = encode(Pdu(Command.BIND_TRANSCEIVER, 0, 1, bind_body(Login("hub", "secret", "x"))))
    header = aiosmpplib.protocol.SmppMessage.parse_header(wire[:16])
    read = aiosmpplib.protocol.BindTransceiver.from_pdu(wire, header)
    assert (read.system_id, read.password, read.system_type) == ("hub", "secret", "x")


def deliveries() -> list[tuple[str, bytes]]:
    """A reply and a receipt from each of the two."""
    PhoneNumber, DeliverSm = aiosmpplib.PhoneNumber, aiosmpplib.DeliverSm
    text = "id:MSG0001 sub:001 dlvrd:001 submit date:2611240900 done date:2611240901 stat:DELIVRD err:000"
    made = []
    for name, words, esm_class, encoding in (
        ("reply", "1 4711 å", 0, "gsm0338"),
        ("ucs2", "1 4711 日", 0, "ucs2"),
        ("receipt", text, 4, "gsm0338"),
    ):
        pdu = DeliverSm(
            sequence_num=3, short_message=words, source=PhoneNumber("46701740605"),
            destination=PhoneNumber(HUB_NUMBER), esm_class=esm_class, encoding=encoding,
        )  # fmt: skip
        made.append((f"aiosmpplib {name}", pdu.pdu()))
        data = words.encode("utf-16-be") if encoding == "ucs2" else gsm7(words)
        theirs = smpp34.DeliverSm(
            "46701740605", HUB_NUMBER, data, esm_class=esm_class, data_coding=8 if encoding == "ucs2" else 0,
            sequence_number=3,
        )  # fmt: skip
        made.append((f"smpp34 {name}", theirs.encode()))
    return made


@pytest.mark.parametrize(("name", "wire"), deliveries(), ids=[name for name, _ in deliveries()])
def test_their_deliveries_are_read_by_us(name: str, wire: bytes) -> None:
    """The same number and the same words, whoever wrote them."""
    length, command, _, sequence = HEADER.unpack_from(wire)
    assert (length, command, sequence) == (len(wire), Command.DELIVER_SM, 3)
    found = read_delivery(Command.DELIVER_SM, wire[HEADER.size :])
    assert isinstance(found, Delivery) and found.source.text == "46701740605"
    if name.endswith("ucs2"):
        assert found.text.decode("utf-16-be") == "1 4711 日"
    elif name.endswith("reply"):
        assert from_gsm7(found.text) == "1 4711 å"
    else:
        said = receipt(from_gsm7(found.text))
        assert said is not None and (said.id, said.stat) == ("MSG0001", "DELIVRD")
    assert split_header(b"\x00" + found.text)[0] == found.text


# What an engineer sees.


async def test_doctor_finds_wrong_credentials_before_an_alarm_does(house: House) -> None:
    """In one line, with the centre's reason and without the password."""
    smsc = Smsc(password="another")
    port = await smsc.start()
    hub = house.hub(config=CONFIG.format(port=port, sender=HUB_NUMBER, more="down_s = 0.5"))
    await hub.start()
    await until(lambda: smsc.heard, "a bind is tried", within_s=10)

    async def found() -> bool:
        said = await doctor(hub)
        return "sms operator" in said and "link down" in said and "wrong password (0x0E)" in said

    await until(found, "doctor says so", within_s=20)
    assert "orgelpipa" not in await doctor(hub) + hub.log()
    await hub.stop()
    await smsc.stop()


async def doctor(hub: Hub) -> str:
    """What `alarmhub doctor` prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "alarmhub", "doctor", "--config", str(hub.config), cwd=ROOT,
        env={**os.environ, **hub.environment, "COLUMNS": "300"}, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return said.decode()
