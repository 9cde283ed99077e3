"""Enrolled phones on real sockets: named by their secret, handed over, put back, lost."""

from __future__ import annotations

import asyncio

import pytest

from alarmhub.core.reach import Reach
from alarmhub.gateway import server
from alarmhub.gateway.server import DEVICE_SCOPE
from alarmhub.gateway.tokens import digest_of
from protocols.phone import Candidate, Welcome
from tests.support.desk import call
from tests.support.phone import Hub, running
from tests.support.waiting import until

DEVICE = "d-7"
SECRET = digest_of("token-anna")


async def enrolled(hub: Hub) -> None:
    """Anna's secret is that of an enrolled phone."""
    hub.tokens.secret("anna")
    hub.tokens.devices["anna"] = DEVICE


def carry(hub: Hub, staff: str | None) -> None:
    """Committed: from now on it is this person's, nobody's, or revoked."""
    if staff is None:
        hub.tokens.revoked.add("anna")
    else:
        hub.tokens.carried["anna"] = staff


async def test_an_enrolled_phone_is_named_by_its_secret_whatever_it_says() -> None:
    """Another installation on the same phone, or a liar, is the same device: the newest wins."""
    async with running() as hub:
        await enrolled(hub)
        first = await hub.phone("anna", "me")
        assert hub.engine.contacts == [("anna", DEVICE, Reach.LIVE)]
        second = await hub.phone("anna", "somebody-else")
        assert (await first.closing())[0] == 4409
        await second.hears_nothing_before_beat()


async def test_on_a_phone_nobody_carries_nobody_is_let_in() -> None:
    """4403: sign in on it. It is no wrong secret."""
    async with running() as hub:
        await enrolled(hub)
        carry(hub, "")
        phone = await hub.socket()
        await phone.say(type="hello", token="token-anna", device="x")
        assert await phone.closing() == (4403, "nobody is signed in on this phone")
        assert hub.engine.contacts == []


@pytest.mark.parametrize(("staff", "code"), [("bo", 4411), ("", 4403), (None, 4401)])
async def test_a_phone_given_away_put_back_or_lost_closes_at_once(staff: str | None, code: int) -> None:
    """Told by this very process: no waiting for anything. Its person cannot be reached on it, not as one who
    was lost a moment ago either, and a restart does not believe so."""
    async with running() as hub:
        await enrolled(hub)
        phone, bo = await hub.phone("anna"), await hub.phone("bo")
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        await phone.alarm()
        carry(hub, staff)
        hub.gateway.carried(DEVICE, SECRET, staff)
        assert (await phone.closing())[0] == code
        assert hub.engine.contacts[-1] == ("anna", DEVICE, Reach.NONE)
        hub.tick()
        assert not [f for f in hub.seen if f.key == f"anna/{DEVICE}" and f.body is not None]
        assert [f.body for f in hub.seen if (f.scope, f.key) == (DEVICE_SCOPE, f"anna/{DEVICE}")][-1] is None
        await bo.hears_nothing_before_beat()
        hub.tick(5)
        assert hub.engine.contacts[-1] == ("anna", DEVICE, Reach.NONE)
        assert hub.units == [] and hub.engine.lost_many_at == [] and hub.gateway.recent == 0


async def test_a_phone_handed_over_says_hello_again_as_its_new_person() -> None:
    """With the same secret, at once, and shows what concerns that person only."""
    async with running() as hub:
        await enrolled(hub)
        phone = await hub.phone("anna")
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        await phone.alarm()
        carry(hub, "bo")
        hub.gateway.carried(DEVICE, SECRET, "bo")
        assert (await phone.closing())[0] == 4411
        again = await hub.socket()
        await again.say(type="hello", token="token-anna", device="x")
        welcome = await again.expect(Welcome)
        assert welcome.staff == "bo"
        assert hub.engine.contacts[-1] == ("bo", DEVICE, Reach.LIVE)


async def test_another_hubs_word_closes_it_with_one_question_for_hundreds_of_phones() -> None:
    """As this process hears with the lease that tokens changed."""
    async with running() as hub:
        await enrolled(hub)
        phone = await hub.phone("anna")
        others = [await hub.phone(staff) for staff in ("bo", "cia")]
        carry(hub, "bo")
        await hub.gateway.tokens_changed()
        assert (await phone.closing())[0] == 4411 and hub.tokens.questions == 1
        for other in others:
            await other.hears_nothing_before_beat()


async def test_a_phone_that_was_lost_a_moment_before_it_was_given_away_is_not_waited_for() -> None:
    """Its person was recent; with the phone in other hands she is not."""
    async with running() as hub:
        await enrolled(hub)
        phone = await hub.phone("anna")
        phone.socket.transport.abort()
        await until(lambda: hub.gateway.live == 0)
        assert hub.engine.contacts[-1] == ("anna", DEVICE, Reach.RECENT)
        hub.gateway.carried(DEVICE, SECRET, "bo")
        assert hub.engine.contacts[-1] == ("anna", DEVICE, Reach.NONE) and hub.gateway.recent == 0


async def test_given_to_who_has_it_nothing_closes() -> None:
    """A repeated hand-over."""
    async with running() as hub:
        await enrolled(hub)
        phone = await hub.phone("anna")
        hub.gateway.carried(DEVICE, SECRET, "anna")
        await hub.gateway.tokens_changed()
        await phone.hears_nothing_before_beat()


async def test_a_revoked_phone_is_refused_at_once_although_it_was_known() -> None:
    """What was remembered of its secret is not believed for another minute."""
    async with running() as hub:
        await enrolled(hub)
        phone = await hub.phone("anna")
        carry(hub, None)
        hub.gateway.carried(DEVICE, SECRET, None)
        assert (await phone.closing())[0] == 4401
        again = await hub.socket()
        await again.say(type="hello", token="token-anna", device="x")
        assert (await again.closing())[0] == 4401


async def test_while_the_database_is_away_a_hand_over_elsewhere_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody is sent away while nobody can say."""
    monkeypatch.setattr(server, "ASK_AGAIN_S", 0)
    async with running() as hub:
        await enrolled(hub)
        phone = await hub.phone("anna")
        carry(hub, "bo")
        hub.tokens.away = True
        asked = asyncio.gather(hub.gateway.tokens_changed())
        await phone.hears_nothing_before_beat()
        hub.tokens.away = False
        await asked
        assert (await phone.closing())[0] == 4411


async def test_the_last_one_is_told_who_could_stand_in_and_names_one() -> None:
    """Names beside ids, unknown ones left out."""
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.engine.needs_substitute = True
        await anna.say(type="availability", state="break", req="r1")
        result = await anna.result()
        assert (result.ok, result.error, result.retry) == (False, "last_one", False)
        assert result.candidates == (Candidate("bo", "Bo Ek"),) and result.text
        await anna.say(type="availability", state="break", req="r2", substitute="bo")
        assert (await anna.result()).ok and hub.engine.availabilities == [("anna", "break")]
