"""Passkeys over real HTTP, with a key in software: kept, used once a challenge, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from alarmhub.web import passkey_door
from alarmhub.web.passkey_door import CHALLENGE_LIVES_MS, PASSKEYS_EACH, Challenges
from alarmhub.web.sessions import FRESH_MS
from alarmhub.web.sign_in_settings import SignIn
from tests.support.authenticator import Authenticator
from tests.support.intake import NOW
from tests.support.web import Answer, Caller, Hub, Signed, running

NAME = {"Host": "alarm.example"}
ORIGIN = "http://alarm.example"
SETTINGS: dict[str, Any] = {"hosts": ("alarm.example",)}


def key(**more: Any) -> Authenticator:
    """A key of this site."""
    return Authenticator("alarm.example", ORIGIN, **more)


async def kept(call: Caller, signed: Signed, made: Authenticator, label: str = "Min mobil") -> Answer:
    """Make a key and hand it in."""
    options = await call("POST", "/api/v1/me/passkey-options", signed=signed, headers=NAME, json={})
    assert options.status == 200, options.raw
    body = {"credential": made.create(options.body), "label": label}
    return await call("POST", "/api/v1/me/passkeys", signed=signed, headers=NAME, json=body)


async def options_of(call: Caller) -> dict[str, Any]:
    """What the sign-in page gets."""
    answer = await call("POST", "/api/v1/session/passkey-options", secret=None, headers=NAME, json={})
    assert answer.status == 200
    return dict(answer.body)


async def entered(call: Caller, credential: dict[str, Any], **more: Any) -> Answer:
    """Hand in a proof."""
    body = {"credential": credential} | more
    return await call("POST", "/api/v1/session/passkey", secret=None, headers=NAME, json=body)


async def test_a_key_is_kept_and_opens_a_session() -> None:
    """Without a login; by the person's finger. It is listed, and dropped it opens nothing."""
    made = key()
    async with running(**SETTINGS) as (hub, call):
        anna = await hub.sign_in("anna")
        added = await kept(call, anna, made)
        asked = await options_of(call)
        answer = await entered(call, made.get(asked), keep=True)
        cookie = {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}
        me = await call("GET", "/api/v1/me", secret=None, headers=cookie)
        (listed,) = (await call("GET", "/api/v1/me/passkeys", signed=anna)).body["passkeys"]
        dropped = await call("DELETE", f"/api/v1/me/passkeys/{listed['id']}", signed=anna)
        again = await entered(call, made.get(await options_of(call)))

    assert (added.status, added.body["label"]) == (201, "Min mobil")
    assert asked["userVerification"] == "required" and not asked.get("allowCredentials")
    assert (answer.status, me.body["staff"], me.body["method"]) == (200, "anna", "passkey")
    assert "Max-Age" in answer.headers["Set-Cookie"]
    assert listed["used_at"] is not None
    assert (dropped.status, again.status) == (200, 401)


async def test_a_challenge_is_used_once_and_in_time() -> None:
    """The same proof again opens nothing; nor one that comes late, on both sides of its end."""
    made = key(counts=False)
    async with running(**SETTINGS) as (hub, call):
        await kept(call, await hub.sign_in("anna"), made)
        proof = made.get(await options_of(call))
        first, again = await entered(call, proof), await entered(call, proof)
        asked, late = await options_of(call), await options_of(call)
        hub.intake.at += CHALLENGE_LIVES_MS - 1
        in_time = await entered(call, made.get(asked))
        hub.intake.at += 1
        too_late = await entered(call, made.get(late))

    assert [a.status for a in (first, again, in_time, too_late)] == [200, 401, 200, 401]


async def test_a_stranger_uses_up_nobodys_challenges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs that prove nothing, as many as the hub could remember: Anna's key opens all the same."""
    monkeypatch.setattr(passkey_door, "USED_REMEMBERED", 3)
    made = key()
    async with running(**SETTINGS) as (hub, call):
        await kept(call, await hub.sign_in("anna"), made)
        for stranger in (key(), key(), key(), Authenticator("alarm.example", "https://evil.example")):
            stranger.handle = made.handle
            assert (await entered(call, stranger.get(await options_of(call)))).status == 401
        assert (await entered(call, made.get(await options_of(call)))).status == 200


async def test_a_copied_key_is_noticed() -> None:
    """Its count does not go on from where the hub saw it."""
    made = key()
    async with running(**SETTINGS) as (hub, call):
        await kept(call, await hub.sign_in("anna"), made)
        assert (await entered(call, made.get(await options_of(call)))).status == 200
        made.count -= 1
        assert (await entered(call, made.get(await options_of(call)))).status == 401


@pytest.mark.parametrize(
    "other",
    [
        Authenticator("evil.example", "http://evil.example"),
        Authenticator("alarm.example", "http://evil.example"),
        Authenticator("evil.example", ORIGIN),
        Authenticator("alarm.example", ORIGIN, verified=False),
    ],
)
async def test_keys_of_elsewhere_or_without_a_finger_are_refused(other: Authenticator) -> None:
    """When they are made and when they are used: phishing pages get nothing that works here."""
    async with running(**SETTINGS) as (hub, call):
        anna = await hub.sign_in("anna")
        assert (await kept(call, anna, other)).status == 409
        good = key()
        good.id, good._key = other.id, other._key
        assert (await kept(call, anna, good)).status == 201
        other.handle = good.handle
        assert (await entered(call, other.get(await options_of(call)))).status == 401
        assert (await entered(call, good.get(await options_of(call)))).status == 200


async def test_a_key_is_its_persons_alone() -> None:
    """Not another's to take over, to drop, or to sign in as."""
    made = key()
    async with running(**SETTINGS) as (hub, call):
        anna, bo = await hub.sign_in("anna"), await hub.sign_in("bo")
        await kept(call, anna, made)
        (listed,) = (await call("GET", "/api/v1/me/passkeys", signed=anna)).body["passkeys"]
        taken = await kept(call, bo, made)
        dropped = await call("DELETE", f"/api/v1/me/passkeys/{listed['id']}", signed=bo)
        made.handle = hub.accounts.tables.accounts["bo"].handle
        as_bo = await entered(call, made.get(await options_of(call)))

    assert (taken.status, dropped.status, as_bo.status) == (409, 404, 401)


async def test_a_challenge_for_one_thing_serves_no_other() -> None:
    """Nor another session's."""
    made = key()
    async with running(**SETTINGS) as (hub, call):
        anna, bo = await hub.sign_in("anna"), await hub.sign_in("bo")
        await kept(call, anna, made)
        making = await call("POST", "/api/v1/me/passkey-options", signed=anna, headers=NAME, json={})
        crossed = await entered(call, made.get(making.body))
        fresh = key()
        body = {"credential": fresh.create(making.body)}
        others = await call("POST", "/api/v1/me/passkeys", signed=bo, headers=NAME, json=body)

    assert (crossed.status, others.status) == (401, 409)


@pytest.mark.parametrize("change", [{"disabled_at": NOW}, {"handle": b"another"}])
async def test_a_closed_account_is_closed_to_keys_too(change: dict[str, Any]) -> None:
    """At once."""
    made = key()
    async with running(**SETTINGS) as (hub, call):
        await kept(call, await hub.sign_in("anna"), made)
        account = hub.accounts.tables.accounts["anna"]
        hub.accounts.tables.accounts["anna"] = replace(account, **change)
        assert (await entered(call, made.get(await options_of(call)))).status == 401


async def test_a_borrowed_browser_keeps_no_key() -> None:
    """A new key lets somebody in for good: the sign-in must be of just now. Twenty are enough."""
    async with running(**SETTINGS) as (hub, call):
        old = await hub.sign_in("anna", created_at=NOW - FRESH_MS - 1)
        refused = await call("POST", "/api/v1/me/passkey-options", signed=old, headers=NAME, json={})
        fresh = await hub.sign_in("anna", created_at=NOW - FRESH_MS)
        asked_before = await call("POST", "/api/v1/me/passkey-options", signed=fresh, headers=NAME, json={})
        for _ in range(PASSKEYS_EACH):
            assert (await kept(call, fresh, key())).status == 201
        full = await call("POST", "/api/v1/me/passkey-options", signed=fresh, headers=NAME, json={})
        body = {"credential": key().create(asked_before.body)}
        late = await call("POST", "/api/v1/me/passkeys", signed=fresh, headers=NAME, json=body)

    assert (refused.status, refused.body["error"]) == (403, "sign_in_again")
    for answer in (full, late):
        assert (answer.status, answer.body["error"]) == (409, "too_many_passkeys")


async def test_the_name_and_the_pages_can_be_set() -> None:
    """Behind a proxy that speaks TLS; and where only the hospital signs people in there are none."""
    set_ = SignIn(rp_id="region.example", origins=("https://alarm.region.example",))
    made = Authenticator("region.example", "https://alarm.region.example")
    async with running(sign_in=set_, **SETTINGS) as (hub, call):
        await kept(call, await hub.sign_in("anna"), made)
        assert (await entered(call, made.get(await options_of(call)))).status == 200
    async with running(sign_in=SignIn(passkeys=False), **SETTINGS) as (_hub, call):
        answer = await call("POST", "/api/v1/session/passkey-options", secret=None, headers=NAME, json={})
        assert (answer.status, answer.body["error"]) == (403, "not_local")


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=20)
    | st.sampled_from(["AAAA", "e30", "ej17"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "rawId", "type", "response", "clientDataJSON", "userHandle", "signature"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["id", "rawId", "type", "response"]), ODD, max_size=4))
def test_whatever_a_stranger_sends_is_no_proof(credential: dict[str, Any]) -> None:
    """No exception, no session: asked of the door itself."""
    import asyncio

    from alarmhub.web.passkey_door import _challenge

    async def ask() -> None:
        hub = Hub(**SETTINGS)
        try:
            door = hub.api._serve["signInPasskey"].__self__  # type: ignore[attr-defined]
            assert await door._proven(None, credential) is None
        finally:
            hub.passwords.close()

    assert isinstance(_challenge(credential), bytes)
    asyncio.run(ask())


def test_made_up_challenges_are_none_of_ours() -> None:
    """Of any length; and asking for a million costs nothing."""
    now = NOW
    ours, others = Challenges(lambda: now), Challenges(lambda: now)
    made = ours.make("sign in")

    assert not others.take(made, "sign in")
    assert not any(ours.take(made[:cut], "sign in") for cut in range(len(made)))
    assert not ours.take(made[:-1] + bytes([made[-1] ^ 1]), "sign in")
    assert not ours.take(made, "register")
    assert ours.take(made, "sign in")
    assert not ours.take(made, "sign in")


def test_used_challenges_are_forgotten_once_they_are_over() -> None:
    """Memory holds what is still in time."""
    now = NOW
    challenges = Challenges(lambda: now)
    for _ in range(100):
        assert challenges.take(challenges.make("x"), "x")
    now += CHALLENGE_LIVES_MS
    assert challenges.take(challenges.make("x"), "x")
    assert len(challenges._used) == 1
