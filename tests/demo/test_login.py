"""The visitor of the demo: a password of this folder alone, until it is replaced."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from alarmhub.demo.ground import demo_site
from alarmhub.demo.login import LOGIN_FILE, VISITOR, kept_login
from alarmhub.store.accounts import PostgresAccounts
from alarmhub.store.postgres import PostgresStore


async def test_a_one_time_password_until_it_is_replaced(database_dsn: str, tmp_path: Path) -> None:
    """The next demo says the same; once replaced the file is gone; a lost file means a new one."""
    store, site = PostgresStore(database_dsn), demo_site()
    await store.open()
    try:
        accounts = PostgresAccounts(store)
        first = await kept_login(store, tmp_path, site)
        file = tmp_path / LOGIN_FILE
        mode, again = file.stat().st_mode & 0o777, await kept_login(store, tmp_path, site)
        file.unlink()
        other = await kept_login(store, tmp_path, site)
        account = await accounts.account(staff=VISITOR)
        assert account is not None and account.must_change
        await accounts.put_account(replace(account, must_change=False))
        chosen = await kept_login(store, tmp_path, site)
    finally:
        await store.close()

    assert first == again != other
    assert mode == 0o600
    assert "one-time password" in first and "you chose" in chosen
    assert not file.exists()


def test_the_visitor_is_of_the_demo_hospital_and_on_no_schedule() -> None:
    """On duty once signed on, and only then."""
    site = demo_site()

    assert site.staff[VISITOR].units == ("201",)
    assert not any(duty.staff == VISITOR for duty in site.duties)
    roles = {grant.partition(":")[0] for person in site.staff.values() for grant in person.grants}
    assert roles == {"shift_leader", "unit_manager", "engineer", "administrator"}
