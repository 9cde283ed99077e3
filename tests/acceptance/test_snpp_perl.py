"""SNPP from Perl's Net::SNPP, which knows nothing of ours, through a hub to a phone and back."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hub import House
from tests.support.paging_house import PagingHub, paging_house
from tests.support.waiting import until

PEER = Path(__file__).parent / "peers" / "snpp_net_snpp.pl"


def _missing() -> bool:
    if shutil.which("perl") is None:
        return True
    return (
        subprocess.run(["perl", "-MNet::SNPP", "-e", "1"], capture_output=True, check=False).returncode != 0
    )


pytestmark = pytest.mark.skipif(_missing(), reason="Net::SNPP (libnet-snpp-perl) is not installed")


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A house with pager numbers."""
    async with paging_house(database_dsn) as one:
        yield one


async def perl(hub: PagingHub, *words: str) -> list[str]:
    """What the library made of the hub's answers."""
    process = await asyncio.create_subprocess_exec(
        "perl", str(PEER), str(hub.snpp), *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode().splitlines()


async def test_a_page_from_perl_rings_the_person_behind_the_number(house: House) -> None:
    """One page to two numbers, urgent; DATA with subject, letters of home and a line of dots; help."""
    paging = PagingHub(house)
    await paging.hub.start()
    async with paging.hub.phone(0) as phone:
        assert await perl(paging, "page", "1042,2010", "Ring 4711") == ["sent", "250"]
        shown = await phone.wait_alarm(5)
        assert shown.rings and shown.priority == "medium"
        assert await perl(paging, "data", "1043", "Kalium 6,9 på 201", ".dold", "sist") == ["sent", "250"]
        assert await perl(paging, "help") == ["4", "250"]
    pages = await paging.pages()
    assert [page.targets for page in pages[:2]] == [("staff:s000000",), ("unit",)]
    assert pages[2].source_text == "Lab: Kalium 6,9 på 201 .dold sist"
    await paging.hub.stop()


async def test_perl_asks_what_became_of_its_page(house: House) -> None:
    """Queued, delivered, the choice that means accepted, with the hour of it; after a restart too."""
    paging = PagingHub(house)
    await paging.hub.start()
    async with paging.hub.phone(0) as phone:
        tag, password, kind = await perl(paging, "twoway", "1042", "Kom till labbet")
        assert kind == "9"
        shown = await phone.wait_alarm(5)
        assert (await perl(paging, "status", tag, password))[0] in ("960", "860")
        await phone.rang(shown.id)
        await told(paging, tag, password, "860")
        assert (await phone.accept(shown.id)).ok
        code, choice, when, zone, said = await told(paging, tag, password, "888")
    assert (code, choice, zone in ("+1", "+2")) == ("888", "01", True)
    assert len(when) == 14 and "Accepted" in said
    paging.hub.kill()
    await paging.hub.start()
    assert (await perl(paging, "status", tag, password))[:2] == ["888", "01"]
    await paging.hub.stop()


async def test_nobody_to_reach_is_said_and_taken_back(house: House) -> None:
    """The return of responsibility, and the accept that ends it."""
    paging = PagingHub(house)
    await paging.hub.start()
    tag, password, _ = await perl(paging, "twoway", "1042", "Kom")
    said = await told(paging, tag, password, "780")
    assert "nobody can be reached: 1042" in said[-1]
    async with paging.hub.phone(0) as phone:
        shown = await phone.wait_alarm(5)
        assert (await phone.accept(shown.id)).ok
        await told(paging, tag, password, "888")
    await paging.hub.stop()


async def told(paging: PagingHub, tag: str, password: str, code: str) -> list[str]:
    """What the library reads once the hub tells this code."""

    async def status() -> list[str]:
        said = await perl(paging, "status", tag, password)
        return said if said[0] == code else []

    return await until(status, f"{code} to be told", within_s=15)


async def test_a_wrong_login_keeps_perl_out(house: House) -> None:
    """It hears 550 to its page."""
    paging = PagingHub(house, more='user = "console"\npassword = "hemlig"')
    await paging.hub.start()
    assert await perl(paging, "page", "1042", "hej") == ["refused", "550"]
    assert not await paging.pages()
    await paging.hub.stop()
