"""Whose token it is, remembered; and what happens when nobody can say."""

from __future__ import annotations

import asyncio

import pytest

from alarmhub.gateway.tokens import (
    ASKED_WITHIN_S,
    KNOWN_MS,
    LOOKUPS_AT_ONCE,
    UNKNOWN_MS,
    TokenDesk,
    digest_of,
)
from alarmhub.ports import StoreUnavailable, Token
from tests.support.clock import ManualClock
from tests.support.desk import Tokens
from tests.support.waiting import turns, until


def desk() -> tuple[TokenDesk, Tokens, ManualClock]:
    """A desk over a store that knows Anna."""
    clock, tokens = ManualClock(), Tokens()
    tokens.secret("anna")
    return TokenDesk(tokens, clock.now), tokens, clock


ANNA = digest_of("token-anna")
NOBODY = digest_of("wrong")


async def test_a_known_token_is_asked_for_once_a_minute() -> None:
    """Both sides of the minute."""
    tokens, source, clock = desk()
    assert tokens.remembered(ANNA) == (False, None)
    assert await tokens.staff(ANNA) == "anna"
    clock.advance((KNOWN_MS - 1) / 1000)
    assert tokens.remembered(ANNA) == (True, "anna")
    clock.advance(0.001)
    assert tokens.remembered(ANNA) == (False, None)
    assert await tokens.staff(ANNA) == "anna" and source.lookups == 2


async def test_an_unknown_token_is_asked_for_every_five_seconds_only() -> None:
    """A phone with an old secret must not keep the database busy; a new one is valid soon."""
    tokens, source, clock = desk()
    assert await tokens.staff(NOBODY) is None
    assert await tokens.staff(NOBODY) is None and source.lookups == 1
    clock.advance(UNKNOWN_MS / 1000)
    assert await tokens.staff(NOBODY) is None and source.lookups == 2


async def test_who_was_known_stays_known_while_the_store_is_away() -> None:
    """A stranger cannot be judged then."""
    tokens, source, clock = desk()
    await tokens.staff(ANNA)
    clock.advance(3600)
    source.away = True
    assert await tokens.staff(ANNA) == "anna"
    with pytest.raises(StoreUnavailable):
        await tokens.staff(NOBODY)


async def test_a_revoked_token_is_noticed_after_forget() -> None:
    """At once, not after the minute."""
    tokens, source, _clock = desk()
    await tokens.staff(ANNA)
    source.revoked.add("anna")
    assert await tokens.staff(ANNA) == "anna"
    tokens.forget()
    assert await tokens.staff(ANNA) is None


class OldAnswers(Tokens):
    """A store whose answers are of the moment of the question, and come when `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.read = False
        self.go = asyncio.Event()

    async def token(self, digest: bytes) -> Token | None:
        """What was so when it was asked."""
        token = await super().token(digest)
        self.read = True
        await self.go.wait()
        return token


@pytest.mark.parametrize(("said", "staff"), [("revoked", None), ("handed over", "bo")])
async def test_an_answer_older_than_a_change_is_not_remembered(said: str, staff: str | None) -> None:
    """It was under way when the phone was handed over, or its secret revoked by somebody else."""
    source = OldAnswers()
    source.secret("anna")
    tokens = TokenDesk(source, ManualClock().now)
    asked = asyncio.create_task(tokens.staff(ANNA))  # noqa: TID251
    await until(lambda: source.read, "the lookup")
    if staff is None:
        source.revoked.add("anna")
        tokens.forget()
    else:
        source.carried["anna"] = staff
        tokens.carried(ANNA, staff)
    source.go.set()
    assert await asked == staff
    assert tokens.remembered(ANNA) == (True, staff)


async def test_what_the_store_has_revoked_is_nobodys_when_it_goes() -> None:
    """It said so, secrets changed again, and the second question found nobody."""
    source = OldAnswers()
    source.secret("anna")
    source.go.set()
    tokens = TokenDesk(source, ManualClock().now)
    assert await tokens.staff(ANNA) == "anna"
    source.revoked.add("anna")
    tokens.forget()
    source.go.clear()
    source.read = False
    asked = asyncio.create_task(tokens.staff(ANNA))  # noqa: TID251
    await until(lambda: source.read, "the lookup")
    tokens.forget()
    source.away = True
    source.go.set()
    with pytest.raises(StoreUnavailable):
        await asked
    assert source.lookups == 3


async def test_other_phones_that_are_handed_over_hold_up_no_look_up() -> None:
    """Hundreds at a change of shift, while the database is slow."""
    source = OldAnswers()
    source.secret("anna")
    tokens = TokenDesk(source, ManualClock().now)
    asked = asyncio.create_task(tokens.staff(ANNA))  # noqa: TID251
    await until(lambda: source.read, "the lookup")
    tokens.carried(digest_of("token-bo"), "siv")
    source.go.set()
    assert await asked == "anna" and source.lookups == 1


async def test_only_phone_tokens_open_the_phone_socket() -> None:
    """A source's secret and an API secret are nobody's here."""
    tokens, source, _clock = desk()
    source.kinds["anna"] = "api"
    assert await tokens.staff(ANNA) is None


async def test_a_crowd_asks_a_few_at_a_time() -> None:
    """The store's connections are for alarms first."""

    class Slow:
        def __init__(self) -> None:
            self.now = self.most = 0

        async def token(self, digest: bytes) -> Token | None:
            self.now += 1
            self.most = max(self.most, self.now)
            await turns()
            self.now -= 1
            return Token(digest=digest, kind="phone", subject="anna")

    slow = Slow()
    tokens = TokenDesk(slow, ManualClock().now)
    found = await asyncio.gather(*(tokens.staff(digest_of(str(n))) for n in range(100)))
    assert set(found) == {"anna"} and slow.most == LOOKUPS_AT_ONCE


class Hanging(Tokens):
    """A store that does not answer while `hangs`."""

    hangs = False

    async def token(self, digest: bytes) -> Token | None:
        """As Tokens, or never."""
        if self.hangs:
            await asyncio.Event().wait()
        return await super().token(digest)


async def test_while_the_database_hangs_a_whole_hospital_can_come_back() -> None:
    """Who was known is let in at once; a stranger is told that nobody can say: after 2 s as long as the loss
    is not noticed, and at once from then on."""
    clock, source, away = ManualClock(), Hanging(), False
    tokens = TokenDesk(source, clock.now, away=lambda: away)
    crowd = [digest_of(source.secret(f"nurse{n}")) for n in range(100)]
    for digest in crowd:
        await tokens.staff(digest)
    clock.advance(3600)
    source.hangs = True
    async with asyncio.timeout(ASKED_WITHIN_S + 1):
        assert await tokens.staff(crowd[0]) == "nurse0"
    away = True
    assert all(tokens.remembered(digest)[0] for digest in crowd)
    async with asyncio.timeout(0.5):
        strangers = [digest_of(str(n)) for n in range(100)]
        said = await asyncio.gather(*map(tokens.staff, strangers), return_exceptions=True)
    assert all(isinstance(one, StoreUnavailable) for one in said)
