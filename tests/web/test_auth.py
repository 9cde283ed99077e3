"""Who calls: bearer secrets, what is remembered of them, and what happens when nobody can say."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from alarmhub.ports import Token
from alarmhub.web import auth
from alarmhub.web.auth import Gate, permit
from alarmhub.web.problems import Failed
from alarmhub.web.routes import API, ROUTES
from tests.support.intake import Intake, Shelf
from tests.support.waiting import until


class SlowShelf(Shelf):
    """A store that answers a token lookup when told to."""

    def __init__(self) -> None:
        super().__init__(Intake())
        self.go = asyncio.Event()
        self.asking = 0

    async def token(self, digest: bytes) -> Token | None:
        """Answer when `go` is set."""
        self.asking += 1
        await self.go.wait()
        return await super().token(digest)


class OldAnswers(SlowShelf):
    """As it, but the answer is of the moment of the question."""

    async def token(self, digest: bytes) -> Token | None:
        """What was known when it was asked."""
        self.asking += 1
        self._answer_or_fail()
        known = self.tokens.get(digest)
        await self.go.wait()
        return known


def gate_over(shelf: Shelf) -> Gate:
    """A gate over a test's store."""
    return Gate(shelf)  # type: ignore[arg-type]


def age(gate: Gate, seconds: float) -> None:
    """Let what the gate remembers grow older."""
    for known in (*gate._known.values(), *gate._unknown.values()):
        known.at -= seconds


async def refused(gate: Gate, header: str) -> Failed:
    """What this header is refused with."""
    with pytest.raises(Failed) as caught:
        await gate.caller(header)
    return caught.value


async def test_a_known_secret_is_its_token_and_is_asked_for_once() -> None:
    """The store is asked at the first call only, until the answer grows old."""
    shelf = Shelf(Intake())
    secret = shelf.admit("s3cret", "source", "plant")
    gate = gate_over(shelf)
    for _ in range(3):
        assert (await gate.caller(f"Bearer {secret}")).subject == "plant"
    assert shelf.token_lookups == 1
    age(gate, auth.KNOWN_FOR_S)
    assert (await gate.caller(f"bearer  {secret} ")).subject == "plant"
    assert shelf.token_lookups == 2


async def test_a_revoked_secret_ends_with_forget() -> None:
    """Whoever revokes a token says so, and the next call fails."""
    shelf = Shelf(Intake())
    secret = shelf.admit("s3cret", "source", "plant")
    gate = gate_over(shelf)
    await gate.caller(f"Bearer {secret}")
    shelf.tokens.clear()
    gate.forget()
    assert (await refused(gate, f"Bearer {secret}")).status == 401


async def test_while_the_store_is_away_changed_secrets_take_no_known_one_out() -> None:
    """Somebody's secret was made as the database went: the boards on the walls still come back."""
    shelf = Shelf(Intake())
    secret = shelf.admit("s3cret", "board", "201")
    gate = gate_over(shelf)
    await gate.caller(f"Bearer {secret}")
    gate.forget()
    shelf.away = True
    assert (await gate.caller(f"Bearer {secret}")).subject == "201"
    shelf.away = False
    shelf.tokens.clear()
    assert (await refused(gate, f"Bearer {secret}")).status == 401
    shelf.away = True
    assert (await refused(gate, f"Bearer {secret}")).status == 401


async def test_a_phone_handed_over_is_nobodys_from_memory() -> None:
    """Whose it is now only the store can say; away, the last carrier does not count as this one."""
    shelf = Shelf(Intake())
    secret = shelf.admit("s3cret", "phone", "anna")
    other = shelf.admit("other", "phone", "bo")
    gate = gate_over(shelf)
    for one in (secret, other):
        await gate.caller(f"Bearer {one}")
    gate.carried(hashlib.sha256(secret.encode()).digest())
    shelf.away = True
    assert (await refused(gate, f"Bearer {secret}")).status == 503
    assert (await gate.caller(f"Bearer {other}")).subject == "bo"


async def test_an_answer_older_than_a_change_is_asked_for_again() -> None:
    """It was under way when a secret was revoked: nobody remembers it."""
    shelf = OldAnswers()
    secret = shelf.admit("s3cret", "source", "plant")
    gate = gate_over(shelf)
    call = asyncio.create_task(gate.caller(f"Bearer {secret}"))  # noqa: TID251
    await until(lambda: shelf.asking == 1, "the lookup")
    shelf.tokens.clear()
    gate.forget()
    shelf.go.set()
    with pytest.raises(Failed) as caught:
        await call
    assert (caught.value.status, shelf.asking) == (401, 2)


async def test_a_crowd_that_waits_its_turn_lets_no_doubted_secret_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many ask, the database is there: only when it is known to be away may what changed be believed."""
    monkeypatch.setattr(auth, "ASKED_WITHIN_S", 0.05)
    shelf, is_away = SlowShelf(), False
    secret = shelf.admit("s3cret", "board", "201")
    gate = Gate(shelf, away=lambda: is_away)  # type: ignore[arg-type]
    shelf.go.set()
    await gate.caller(f"Bearer {secret}")
    shelf.tokens.clear()
    gate.forget()
    shelf.go.clear()
    assert (await refused(gate, f"Bearer {secret}")).status == 503
    is_away = True
    assert (await gate.caller(f"Bearer {secret}")).subject == "201"


async def test_what_the_store_has_revoked_is_believed_no_more_when_it_goes() -> None:
    """It said so, secrets changed again, and the second question found nobody."""
    shelf = OldAnswers()
    secret = shelf.admit("s3cret", "board", "201")
    shelf.go.set()
    gate = gate_over(shelf)
    await gate.caller(f"Bearer {secret}")
    shelf.tokens.clear()
    gate.forget()
    shelf.go.clear()
    call = asyncio.create_task(gate.caller(f"Bearer {secret}"))  # noqa: TID251
    await until(lambda: shelf.asking == 2, "the lookup")
    gate.forget()
    shelf.away = True
    shelf.go.set()
    with pytest.raises(Failed) as caught:
        await call
    assert caught.value.status == 503 and shelf.asking == 3


async def test_a_new_secret_works_soon_after_it_was_refused() -> None:
    """A refusal is remembered for two seconds only."""
    shelf = Shelf(Intake())
    gate = gate_over(shelf)
    await refused(gate, "Bearer new")
    shelf.admit("new", "source", "plant")
    age(gate, auth.UNKNOWN_FOR_S)
    assert (await gate.caller("Bearer new")).subject == "plant"


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ("", 'Bearer realm="alarmhub"'),
        ("Basic YTpi", 'Bearer realm="alarmhub", error="invalid_request"'),
        ("Bearer", 'Bearer realm="alarmhub", error="invalid_request"'),
        ("Bearer  ", 'Bearer realm="alarmhub", error="invalid_request"'),
        ("Bearer åäö", 'Bearer realm="alarmhub", error="invalid_request"'),
        ("Bearer " + "x" * 513, 'Bearer realm="alarmhub", error="invalid_request"'),
        ("Bearer wrong", 'Bearer realm="alarmhub", error="invalid_token"'),
    ],
)
async def test_no_secret_or_a_wrong_one_is_401_with_a_challenge(header: str, challenge: str) -> None:
    """RFC 6750 section 3: how to authenticate, and what was wrong with the attempt."""
    failed = await refused(gate_over(Shelf(Intake())), header)
    assert (failed.status, failed.headers) == (401, {"WWW-Authenticate": challenge})


async def test_many_callers_with_one_secret_ask_the_store_once() -> None:
    """A burst at the start is one lookup."""
    shelf = SlowShelf()
    shelf.admit("s3cret", "source", "plant")
    gate = gate_over(shelf)
    calls = [asyncio.create_task(gate.caller("Bearer s3cret")) for _ in range(50)]  # noqa: TID251
    await until(lambda: shelf.asking, "the lookup")
    shelf.go.set()
    assert {token.subject for token in await asyncio.gather(*calls)} == {"plant"}
    assert shelf.asking == 1


async def test_many_callers_while_the_store_is_away_fail_together() -> None:
    """Nobody waits for the others' time-outs in turn."""
    shelf = SlowShelf()
    shelf.away = True
    gate = gate_over(shelf)
    calls = [asyncio.create_task(gate.caller("Bearer s3cret")) for _ in range(50)]  # noqa: TID251
    await until(lambda: shelf.asking, "the lookup")
    shelf.go.set()
    failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [f.status for f in failures if isinstance(f, Failed)] == [503] * 50
    assert shelf.asking == 1


async def test_while_the_store_is_away_known_secrets_still_count() -> None:
    """Reads and refusals go on for ten minutes; an unknown secret gets 503, not 401: nobody can say."""
    shelf = Shelf(Intake())
    secret = shelf.admit("s3cret", "phone", "anna")
    gate = gate_over(shelf)
    await gate.caller(f"Bearer {secret}")
    shelf.away = True
    age(gate, auth.KNOWN_FOR_S)
    assert (await gate.caller(f"Bearer {secret}")).subject == "anna"
    assert (await refused(gate, "Bearer other")).status == 503
    age(gate, auth.STALE_FOR_S)
    assert (await refused(gate, f"Bearer {secret}")).status == 503


async def test_guessing_pushes_no_good_secret_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of wrong secrets is bounded, and apart from the good ones."""
    monkeypatch.setattr(auth, "REMEMBERED", 4)
    shelf = Shelf(Intake())
    secret = shelf.admit("s3cret", "source", "plant")
    gate = gate_over(shelf)
    await gate.caller(f"Bearer {secret}")
    for guess in range(20):
        await refused(gate, f"Bearer guess{guess}")
    assert len(gate._unknown) == 4
    asked = shelf.token_lookups
    await gate.caller(f"Bearer {secret}")
    assert shelf.token_lookups == asked


async def test_a_token_of_another_digest_is_nobody() -> None:
    """Even a store that finds the wrong row opens nothing."""
    shelf = Shelf(Intake())
    digest = hashlib.sha256(b"s3cret").digest()
    shelf.tokens[digest] = Token(digest=hashlib.sha256(b"other").digest(), kind="source", subject="plant")
    assert (await refused(gate_over(shelf), "Bearer s3cret")).status == 401


def test_an_api_token_needs_the_routes_own_scope() -> None:
    """A scope opens what it names and nothing else."""
    for route in ROUTES:
        if API not in route.kinds:
            continue
        permit(Token(b"", "api", "board", (route.scope,)), route)
        for scopes in ((), tuple({r.scope for r in ROUTES} - {route.scope})):
            with pytest.raises(Failed) as caught:
                permit(Token(b"", "api", "board", scopes), route)
            assert (caught.value.status, caught.value.problem.error) == (403, "insufficient_scope")


def test_a_token_of_an_unknown_kind_opens_nothing() -> None:
    """A kind this version does not know, from a newer one's database."""
    for route in ROUTES:
        if route.kinds:
            with pytest.raises(Failed):
                permit(Token(b"", "robot", "x", tuple(r.scope for r in ROUTES)), route)


async def test_while_the_database_hangs_a_known_secret_waits_for_nobody() -> None:
    """A press has two seconds in all: who was known is let through at once, a stranger hears it in two."""
    shelf, away = SlowShelf(), False
    secret = shelf.admit("s3cret", "source", "plant")
    gate = Gate(shelf, away=lambda: away)  # type: ignore[arg-type]
    shelf.go.set()
    await gate.caller(f"Bearer {secret}")
    age(gate, auth.KNOWN_FOR_S)
    shelf.go.clear()
    away = True
    async with asyncio.timeout(0.2):
        assert (await gate.caller(f"Bearer {secret}")).subject == "plant"
    assert shelf.asking == 1
    async with asyncio.timeout(auth.ASKED_WITHIN_S + 1):
        assert (await refused(gate, "Bearer other")).status == 503
