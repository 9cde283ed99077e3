"""The gateway as a whole, over real sockets: who gets in, what is shown, who is noticed missing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.exceptions import InvalidHandshake, InvalidStatus

from alarmhub.core.alarm import Phase
from alarmhub.core.reach import Reach
from alarmhub.core.site import Staff
from alarmhub.gateway import entrance, server
from alarmhub.gateway.server import DEVICE_SCOPE, GatewaySettings
from alarmhub.ports import FactRow
from protocols.phone import State
from tests.support.clock import ManualClock
from tests.support.desk import PEOPLE, Engine, call, ward
from tests.support.phone import Hub, Phone, running
from tests.support.waiting import until


async def test_a_call_rings_and_is_accepted() -> None:
    """Welcome, synced, the alarm, rang, accept, result; the others hear who took it."""
    async with running() as hub:
        anna, bo = await hub.phone("anna"), await hub.phone("bo")
        hub.engine.put(call("a1", "anna", "bo", at=hub.clock.now()))
        shown = await anna.alarm()
        assert (shown.id, shown.phase, shown.rings) == ("a1", "ringing", True)
        await bo.alarm()
        await anna.say(type="rang", alarm="a1", rev=1)
        await anna.ask("accept", "a1", 1, "r1")
        assert (await anna.alarm()).phase == "accepted"
        assert (await anna.result()).ok
        gone = await bo.gone()
        assert (gone.reason, gone.text, gone.rev) == ("taken", "Anna Lind tar den", 2)
        assert hub.engine.receipts == [("anna", "anna-phone", "a1", 1, False)]
        hub.engine.change("a1", phase=Phase.ENDED, ended_by="source", told=())
        assert (await anna.gone()).reason == "reset"


async def beat(phone: Phone) -> None:
    """A beat, and its answer."""
    await phone.hears_nothing_before_beat()


async def test_a_dead_phone_is_noticed_within_10_s() -> None:
    """After 9 s of silence and not before; whoever beats lives."""
    async with running() as hub:
        await hub.phone("anna")
        bo = await hub.phone("bo")
        for _ in range(2):
            hub.tick(8)
            await beat(bo)
        hub.tick()
        assert hub.gateway.live == 2
        hub.tick()
        assert hub.gateway.live == 1 and hub.gateway.counters.closed_dead == 1
        assert hub.engine.contacts[-1] == ("anna", "anna-phone", Reach.RECENT)


async def test_a_lost_phone_is_recent_for_30_s_then_none() -> None:
    """Both told to the engine, once."""
    async with running() as hub:
        anna = await hub.phone("anna")
        anna.socket.transport.abort()
        await until(lambda: hub.gateway.live == 0)
        hub.tick(59)
        assert [reach for _s, _d, reach in hub.engine.contacts] == [Reach.LIVE, Reach.RECENT]
        hub.tick(2)
        assert [reach for _s, _d, reach in hub.engine.contacts] == [Reach.LIVE, Reach.RECENT, Reach.NONE]
        assert hub.gateway.recent == 0


def crowded(clock: ManualClock) -> Engine:
    """Ten people on one ward."""
    people = {f"s{n}": Staff(id=f"s{n}", name=f"Person {n}", units=("201",)) for n in range(10)}
    return Engine(clock, ward(people))


async def test_a_failed_network_grants_the_grace_and_is_news_on_the_ward() -> None:
    """Half of the phones vanish: more than a fifth, so nobody recent is skipped; half, so it is told."""
    async with running(crowded) as hub:
        phones = [await hub.phone(f"s{n}") for n in range(10)]
        for phone in phones[:5]:
            phone.socket.transport.abort()
        await until(lambda: hub.gateway.live == 5)
        hub.tick()
        assert hub.engine.lost_many_at == [hub.clock.now()]
        assert [(u.unit, u.silent, u.lost, u.total) for u in hub.units] == [("201", True, 5, 10)]


async def test_two_of_ten_lost_is_no_failed_network() -> None:
    """A fifth is not more than a fifth."""
    async with running(crowded) as hub:
        phones = [await hub.phone(f"s{n}") for n in range(10)]
        for phone in phones[:2]:
            phone.socket.transport.abort()
        await until(lambda: hub.gateway.live == 8)
        hub.tick(11)
        assert hub.engine.lost_many_at == [] and hub.units == []


async def test_a_shift_that_signs_off_is_no_failed_network_on_its_ward() -> None:
    """Phones that say goodbye are lost, but nobody is called to look for them."""
    async with running(crowded) as hub:
        phones = [await hub.phone(f"s{n}") for n in range(10)]
        for phone in phones[:6]:
            await phone.socket.close(1000)
        await until(lambda: hub.gateway.live == 4)
        hub.tick()
        assert hub.units == [] and hub.gateway.recent == 6


async def test_last_seen_is_handed_out_on_connect_on_loss_and_every_five_minutes() -> None:
    """Enough for the next start to know who was here lately."""
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.tick()
        assert [(f.scope, f.key) for f in hub.seen] == [(DEVICE_SCOPE, "anna/anna-phone")]
        hub.seen.clear()
        for _ in range(75):
            hub.tick(8)
            await beat(anna)
        assert [f.key for f in hub.seen] == ["anna/anna-phone"]
        await anna.socket.close()
        await until(lambda: hub.gateway.live == 0)
        hub.tick()
        assert len(hub.seen) == 2 and hub.seen[-1].at > hub.seen[0].at


async def test_after_a_start_everybody_seen_lately_is_recent() -> None:
    """Ten minutes back, not eleven; forgotten and foreign facts are none."""
    async with running() as hub:
        await hub.phone("anna")
        hub.tick()
        now, fact = hub.clock.now(), hub.seen[0]
    async with running() as next_hub:
        bo = replace(fact, key="bo/x", body=b'["bo","x"]', at=now - 601_000)
        lost = replace(fact, key="cia/y", body=None)
        foreign = FactRow(scope="presence", key="k", at=now, body=b"{}")
        next_hub.gateway.seed([fact, bo, lost, foreign])
        assert next_hub.engine.contacts == [("anna", "anna-phone", Reach.RECENT)]
        next_hub.tick(60)
        assert next_hub.engine.contacts[-1] == ("anna", "anna-phone", Reach.NONE)


async def test_every_phone_is_told_when_answers_cannot_be_stored() -> None:
    """And when they can again; who connects meanwhile is told after synced."""
    async with running() as hub:
        anna, bo = await hub.phone("anna"), await hub.phone("bo")
        for storing in (False, True):
            hub.engine.is_storing = storing
            hub.gateway.storing(storing)
            for phone in (anna, bo):
                assert await phone.expect(State) == State(storing=storing, at=hub.clock.now())


async def test_the_newest_word_on_storing_wins() -> None:
    """Even when it changes while it is being told."""
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.gateway.storing(False)
        hub.gateway.storing(True)
        said = [(await anna.expect(State)).storing]
        while not said[-1]:
            said.append((await anna.expect(State)).storing)
        await beat(anna)


async def test_a_stop_closes_with_1012_and_loses_nobody() -> None:
    """The phones come back at once, and the next process takes them for recent."""
    async with running() as hub:
        anna, mute = await hub.phone("anna"), await hub.socket()
        port = hub.gateway.port
        await hub.gateway.stop()
        assert await anna.closing() == (1012, "the hub restarts")
        assert (await mute.closing())[0] == 1012
        assert hub.engine.contacts == [("anna", "anna-phone", Reach.LIVE)]
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_revoked_token_closes_its_phone() -> None:
    """When the hub hears of it, the others stay; while the store is away it waits."""
    async with running() as hub:
        anna, bo = await hub.phone("anna"), await hub.phone("bo")
        hub.tokens.revoked.add("anna")
        await hub.gateway.tokens_changed()
        assert await anna.closing() == (4401, "this token is no longer valid")
        await beat(bo)


async def test_a_revoked_token_is_closed_once_the_store_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is sent away while nobody can say, and nobody is forgotten."""
    monkeypatch.setattr(server, "ASK_AGAIN_S", 0)
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.tokens.revoked.add("anna")
        hub.tokens.away = True
        asked = asyncio.gather(hub.gateway.tokens_changed())
        await beat(anna)
        hub.tokens.away = False
        await asked
        assert (await anna.closing())[0] == 4401


async def test_only_so_many_connections_are_let_in() -> None:
    """One more is refused with 503, and let in when there is room again."""
    async with running(connections_max=2) as hub:
        anna = await hub.phone("anna")
        await hub.phone("bo")
        with pytest.raises(InvalidStatus) as refused:
            await hub.phone("cia")
        assert refused.value.response.status_code == 503
        await anna.socket.close()
        await until(lambda: hub.gateway.connections == 1)
        await beat(await hub.phone("cia"))


async def test_an_address_that_knocks_too_fast_is_refused_for_a_while() -> None:
    """With 429; those inside notice nothing."""
    async with running(handshakes_burst=1, handshakes_per_s=2.0) as hub:
        anna = await hub.phone("anna")
        with pytest.raises(InvalidStatus) as refused:
            await hub.phone("bo")
        assert refused.value.response.status_code == 429
        await beat(anna)
        hub.tick()
        await beat(await hub.phone("bo"))


async def test_two_hundred_phones_ring_at_once() -> None:
    """One broadcast, two hundred frames, none twice."""

    def engine(clock: ManualClock) -> Engine:
        people = {f"s{n}": replace(PEOPLE["anna"], id=f"s{n}") for n in range(200)}
        return Engine(clock, ward(people))

    async with running(engine) as hub:
        phones = [await hub.phone(f"s{n}") for n in range(200)]
        hub.engine.put(call("a1", *(f"s{n}" for n in range(200)), at=hub.clock.now()))
        shown = await asyncio.gather(*(phone.alarm() for phone in phones))
        assert {alarm.id for alarm in shown} == {"a1"}
        assert hub.written == [("a1", hub.clock.now(), 200)]
        await asyncio.gather(*(beat(phone) for phone in phones))


async def test_phones_that_come_at_once_wait_for_their_turn_and_all_get_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Waiting in line is no missing hello, however long; what they have said meanwhile is not lost."""
    monkeypatch.setattr(entrance, "AT_ONCE", 1)
    monkeypatch.setattr(entrance, "EVERY_S", 0.2)
    async with running() as hub:
        knocking = [asyncio.ensure_future(hub.phone(who)) for who in ("anna", "bo", "cia")]  # noqa: TID251
        await until(lambda: hub.gateway.live == 1, "the first is in")
        hub.tick(12)
        assert hub.gateway.counters.no_hello == 0
        anna, bo, cia = await asyncio.gather(*knocking)
        assert hub.gateway.live == 3
        hub.engine.put(call("a1", "anna", "bo", "cia", at=hub.clock.now()))
        assert {(await phone.alarm()).id for phone in (anna, bo, cia)} == {"a1"}


async def test_a_stop_does_not_wait_for_who_stands_in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are broken off, and come to the next hub."""
    monkeypatch.setattr(entrance, "AT_ONCE", 1)
    monkeypatch.setattr(entrance, "EVERY_S", 30.0)
    async with running() as hub:
        await hub.phone("anna")
        knocking = asyncio.ensure_future(hub.socket())  # noqa: TID251
        await until(lambda: hub.gateway.connections == 2, "the second stands in line")
        await hub.gateway.stop()
        with pytest.raises((OSError, InvalidHandshake, EOFError)):
            await knocking
        assert hub.gateway.connections == 0


async def test_a_phone_that_breaks_off_in_the_middle_of_a_fan_out_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its end while others are written to changes nothing for them."""
    async with running() as hub:
        anna, bo = await hub.phone("anna"), await hub.phone("bo")
        anna.socket.transport.abort()
        hub.engine.put(call("a1", "anna", "bo", at=hub.clock.now()))
        assert (await bo.alarm()).id == "a1"


async def test_the_live_sweep_runs_by_itself() -> None:
    """Without a test that ticks: a phone without a hello is closed in real time."""
    async with running(hello_within_s=0.5, tick_s=0.02) as hub:
        mute = await hub.socket()
        assert (await mute.closing())[0] == 4408


def test_patience_may_not_exceed_the_promise() -> None:
    """A dead phone is noticed within 10 s whatever the settings say: the defaults keep it."""
    given: Any = GatewaySettings()
    assert given.dead_after_s <= 9 and given.beat_s * 2 < given.dead_after_s


async def test_the_port_is_known_only_after_the_start() -> None:
    """And a second start on the same port fails aloud."""
    async with running() as hub:
        with contextlib.suppress(OSError):
            async with running(port=hub.gateway.port):
                raise AssertionError("two gateways on one port")
        assert isinstance(hub, Hub)
