"""Accounts made, reset and disabled."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alarmhub.core.passwords import weakness
from alarmhub.core.site import Staff
from alarmhub.people import Passkey, Session
from alarmhub.store.accounts import MemoryAccounts
from alarmhub.web.passwords import one_time
from alarmhub.web.register import AccountRefused, Register, own_words
from tests.support.intake import NOW, small_site


class Office:
    """A register and what it works on; a hash is the password turned round."""

    def __init__(self) -> None:
        self.accounts = MemoryAccounts()
        self.site = small_site()
        self.site.staff["vaxeln"] = Staff("vaxeln", "Växeln", desk=True)
        self.register = Register(self.accounts, site=lambda: self.site, now=lambda: NOW, hashed=self.hashed)

    async def hashed(self, password: str) -> str:
        """Turned round."""
        return password[::-1]

    async def refused(self, staff: str, **more: str) -> str:
        """The field that an addition is refused for."""
        with pytest.raises(AccountRefused) as caught:
            await self.register.add(staff, by="test", **more)
        return caught.value.field


async def test_a_new_account_has_a_one_time_password() -> None:
    """Shown once, kept as a hash, to be replaced; the login is the staff id unless said."""
    office = Office()
    secret = await office.register.add("anna", by="test")
    await office.register.add("bo", login=" Bo.Ek@Region ", external="SE-B", by="test")

    anna, bo = await office.accounts.accounts()
    assert (anna.login, anna.password, anna.must_change) == ("anna", secret.reveal()[::-1], True)
    assert (bo.login, bo.external, anna.external) == ("bo.ek@region", "SE-B", None)
    assert anna.handle != bo.handle and len(anna.handle) == 32
    assert "****" in str(secret)


async def test_who_cannot_have_an_account() -> None:
    """Strangers, desks, who has one; and names that are taken or none."""
    office = Office()
    await office.register.add("anna", login="anna.l", external="SE-A", by="test")

    assert await office.refused("nobody") == "staff"
    assert await office.refused("vaxeln") == "staff"
    assert await office.refused("anna") == "staff"
    assert await office.refused("bo", login="anna.l") == "login"
    assert await office.refused("bo", login="ANNA.L") == "login"
    assert await office.refused("bo", login="bo ek") == "login"
    assert await office.refused("bo", login="b" * 65) == "login"
    assert await office.refused("bo", external="SE-A") == "external"
    assert await office.refused("bo", external="S\nE") == "external"
    assert [account.staff for account in await office.accounts.accounts()] == ["anna"]


async def test_a_reset_is_a_new_beginning() -> None:
    """Nobody is signed in, no passkey opens anything, and a closed account is open again."""
    office = Office()
    first = await office.register.add("anna", by="test")
    known = await office.accounts.account(staff="anna")
    assert known is not None
    await office.accounts.put_account(replace(known, must_change=False, disabled_at=NOW))
    await office.accounts.put_passkey(
        Passkey(id=b"k", staff="anna", public_key=b"p", sign_count=0, label="", created_at=NOW)
    )
    await office.accounts.add_session(
        Session(
            digest=b"d", id="s", staff="anna", method="password", csrf="c", label="", created_at=NOW,
            seen_at=NOW, expires_at=NOW + 1,
        )
    )  # fmt: skip
    second = await office.register.reset("anna", by="test")

    account = await office.accounts.account(staff="anna")
    assert account is not None and account.disabled_at is None and account.must_change
    assert account.password == second.reveal()[::-1] != first.reveal()[::-1]
    assert account.handle == known.handle
    assert await office.accounts.passkeys("anna") == []
    assert await office.accounts.sessions("anna", NOW) == []


async def test_a_disabled_account_keeps_the_day_it_was_disabled() -> None:
    """A second time changes nothing; nobody without an account is disabled or reset."""
    office = Office()
    await office.register.add("anna", by="test")
    await office.register.disable("anna", by="test")
    await office.register.disable("anna", by="test")

    account = await office.accounts.account(staff="anna")
    assert account is not None and account.disabled_at == NOW
    for change in (office.register.disable, office.register.reset):
        with pytest.raises(AccountRefused):
            await change("bo", by="test")


async def test_a_password_is_not_made_of_what_everybody_knows_of_a_person() -> None:
    """Login, name, units; and a one-time password always passes."""
    office = Office()
    await office.register.add("anna", login="a.lind", by="test")
    account = await office.accounts.account(staff="anna")
    assert account is not None
    words = own_words(office.site, account)

    assert {"a.lind", "anna", "Anna Lind", "201", "Avd 201", "Region Fjällmark"} <= set(words)
    assert not any(weakness(one_time(), words) for _ in range(500))
