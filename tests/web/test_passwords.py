"""Passwords beside the event loop: bounded, and alarms wait for none of it."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from alarmhub.tasks import watch_loop
from alarmhub.web import passwords
from alarmhub.web.passwords import QUEUE, QUEUE_EACH, Passwords, hashed, one_time
from alarmhub.web.problems import Failed
from tests.support.waiting import until


async def test_a_password_is_known_again_however_its_letters_were_typed() -> None:
    """And by no other, and never without a hash."""
    desk = Passwords()
    encoded = await desk.hashed("gr\u00e5sten och regn")
    try:
        assert encoded.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert await desk.verified(encoded, "gra\u030asten och regn")
        assert not await desk.verified(encoded, "gråsten och regN")
        assert not await desk.verified(None, "gråsten och regn")
        assert not await desk.verified("", "gråsten och regn")
        assert not desk.outdated(encoded)
    finally:
        desk.close()


async def test_a_hundred_sign_ins_at_once_hold_up_nobody() -> None:
    """Work for some seconds, and the loop is never away for longer than one hash would take on it."""
    desk, encoded = Passwords(), hashed("tre blå kattor i regn")
    lags: list[float] = []
    watching = asyncio.get_running_loop().create_task(watch_loop(lags.append, period_s=0.002))
    began = time.perf_counter()
    try:
        right = await asyncio.gather(*(desk.verified(encoded, "tre blå kattor i regn") for _ in range(30)))
    finally:
        watching.cancel()
        desk.close()
    took = time.perf_counter() - began

    assert all(right)
    assert len(lags) > 30
    assert max(lags) < took / 10, f"the loop was away for {max(lags) * 1000:.0f} ms of {took * 1000:.0f}"


async def test_a_full_queue_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On both sides of its bound; and when it is empty again, work is taken again."""
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(_password: str) -> str:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result(10)
        return "hash"

    monkeypatch.setattr(passwords, "hashed", wait)
    desk = Passwords()
    waiting = [loop.create_task(desk.hashed("x")) for _ in range(QUEUE)]
    await until(lambda: desk._waiting == QUEUE, "all to wait")
    with pytest.raises(Failed) as refused:
        await desk.hashed("x")
    go.set()
    try:
        assert refused.value.status == 503
        assert refused.value.headers["Retry-After"] == str(passwords.RETRY_AFTER_S)
        assert await asyncio.gather(*waiting) == ["hash"] * QUEUE
        assert await desk.hashed("x") == "hash"
    finally:
        desk.close()


async def test_one_address_leaves_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins that nobody has, from one machine: people elsewhere still get their turn."""
    go, loop = asyncio.Event(), asyncio.get_running_loop()

    def wait(_self: Passwords, _encoded: str | None, _password: str) -> bool:
        asyncio.run_coroutine_threadsafe(go.wait(), loop).result(10)
        return True

    monkeypatch.setattr(Passwords, "_verify", wait)
    desk = Passwords()
    flood = [loop.create_task(desk.verified(None, "x", "10.0.0.66")) for _ in range(QUEUE)]
    await until(lambda: sum(task.done() for task in flood) == QUEUE - QUEUE_EACH, "the rest to be refused")
    person = loop.create_task(desk.verified("hash", "x", "10.0.0.7"))
    await until(lambda: desk._waiting == QUEUE_EACH + 1, "her to wait for her turn")
    go.set()
    try:
        told = await asyncio.gather(*flood, return_exceptions=True)
        assert [one.status for one in told if isinstance(one, Failed)] == [503] * (QUEUE - QUEUE_EACH)
        assert told.count(True) == QUEUE_EACH and await person
        assert await desk.verified(None, "x", "10.0.0.66")
        assert not desk._by
    finally:
        desk.close()


def test_a_one_time_password_can_be_read_aloud_and_never_comes_twice() -> None:
    """Four times four, without l, 1, o, 0, i."""
    made = {one_time() for _ in range(1000)}

    assert len(made) == 1000
    assert all(re.fullmatch(r"(?:[a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", one) for one in made)
