"""Shift change: a hundred people sign in at once, sign-ins end, accounts are closed, and alarms ring on."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alarmhub.clock import MonotonicClock
from alarmhub.people import Account
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.postgres import PostgresStore
from alarmhub.web.passwords import hashed
from tests.support.hub import Answer, House, Hub, pass_time

PASSWORD = "tre blå kattor i regn"
PEOPLE = 60
PRESSES = 100
PRESS_EVERY_S = 0.03


@asynccontextmanager
async def accounts_of(house: House) -> AsyncIterator[PostgresAccounts]:
    """The accounts of this house, beside its hub."""
    store = PostgresStore(house.dsn)
    await store.open()
    try:
        yield PostgresAccounts(store)
    finally:
        await store.close()


async def everybody_has_an_account(house: House, people: int) -> list[str]:
    """With one hash for all: what counts is the work of verifying it."""
    encoded, staff = hashed(PASSWORD), list(house.phone_secrets)[:people]
    async with accounts_of(house) as accounts:
        for id in staff:
            await accounts.put_account(
                Account(staff=id, login=id, handle=id.encode(), created_at=0, password=encoded)
            )
    return staff


async def signs_in(hub: Hub, staff: str) -> Answer:
    """At the sign-in page."""
    body = {"login": staff, "password": PASSWORD}
    return await hub.call("POST", "/api/v1/session", secret=None, json=body, within_s=60)


async def pressed(hub: Hub, name: str) -> list[float]:
    """Presses at a steady pace, each timed from when it was due, in ms."""
    took: list[float] = []
    begun = time.monotonic()

    async def press(number: int) -> None:
        due = begun + number * PRESS_EVERY_S
        await pass_time(max(0.0, due - time.monotonic()), "until the next press")
        answer = await hub.press(f"{name}-{number}", bed=number % 10)
        assert answer.status == 201
        took.append((time.monotonic() - due) * 1000)

    await asyncio.gather(*(press(number) for number in range(PRESSES)))
    return sorted(took)


def figures(took: list[float]) -> str:
    """For people to read."""
    return (
        f"p50 {statistics.median(took):.1f}, p99 {took[int(len(took) * 0.99) - 1]:.1f}, max {took[-1]:.1f} ms"
    )


async def test_sign_ins_at_shift_change_hold_up_no_alarm(database_dsn: str) -> None:
    """Everybody gets in, one after the other, while presses are answered as before."""
    async with House(database_dsn, phones=PEOPLE) as house:
        staff = await everybody_has_an_account(house, PEOPLE)
        hub = house.hub()
        await hub.start()
        await pressed(hub, "warm")
        quiet = await pressed(hub, "quiet")
        began = time.monotonic()
        crowd = [asyncio.get_running_loop().create_task(signs_in(hub, id)) for id in staff]
        busy = await pressed(hub, "busy")
        answers = await asyncio.gather(*crowd)
        took_s = max(answer.took_s for answer in answers)
        await hub.stop()

    print(f"presses while quiet: {figures(quiet)}")
    print(f"presses while {PEOPLE} sign in at once: {figures(busy)}")
    print(f"all signed in after {took_s:.1f} s ({time.monotonic() - began:.1f} s in all)")
    assert [answer.status for answer in answers] == [200] * PEOPLE
    assert took_s < 30
    # One verification on the loop would hold everything up for as long as it takes, sixty of them in a row.
    assert statistics.median(busy) < max(50.0, 10 * statistics.median(quiet))


async def test_a_sign_in_that_is_over_silences_no_phone(house: House) -> None:
    """Signed out, closed, reset: the phone on duty has a secret of its own, and rings."""
    (staff,) = await everybody_has_an_account(house, 1)
    hub = house.hub()
    await hub.start()
    phone = hub.phone_of(staff)
    await phone.connect()
    signed = await signs_in(hub, staff)
    cookie = {"Cookie": signed.headers["Set-Cookie"].partition(";")[0]}
    async with accounts_of(house) as accounts:
        account = await accounts.account(staff=staff)
        assert account is not None
        await accounts.revoke_sessions(MonotonicClock().now(), staff=staff)
        out = await hub.call("GET", "/api/v1/me", secret=None, headers=cookie)
        await hub.press("after-the-sign-in", bed=0)
        await phone.wait_for(lambda one: [a for a in one.alarms.values() if a.rings], within_s=10)
        closed = Account(
            staff=staff, login=staff, handle=account.handle, created_at=0, password=None, disabled_at=1
        )
        await accounts.put_account(closed)
    (shown,) = phone.alarms.values()
    taken = await phone.answer("accept", shown.id)
    refused = await signs_in(hub, staff)
    await phone.close()
    await hub.stop()

    assert (signed.status, out.status, refused.status) == (200, 401, 401)
    assert taken.ok
