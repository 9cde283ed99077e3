"""Mail from senders that know nothing of ours (swaks, the standard library), through a hub to a phone."""

from __future__ import annotations

import asyncio
import shutil
import smtplib
import subprocess
from collections.abc import AsyncIterator
from email.message import EmailMessage

import pytest

from tests.support.hub import House
from tests.support.paging_house import PagingHub, paging_house

SWAKS = shutil.which("swaks")


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A house with pager numbers."""
    async with paging_house(database_dsn) as one:
        yield one


async def swaks(hub: PagingHub, *words: str) -> tuple[int, str]:
    """Its exit code and what it wrote; 0: delivered, 24: recipient refused, 26: data refused."""
    process = await asyncio.create_subprocess_exec(
        *("swaks", "--server", "127.0.0.1", "--port", str(hub.smtp), "--from", "lab@example.org", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.skipif(SWAKS is None, reason="swaks is not installed")
async def test_a_mail_from_swaks_rings_the_person_behind_the_number(house: House) -> None:
    """Two recipients, an urgent header, HTML beside the text; a foreign domain is no business of ours."""
    paging = PagingHub(house)
    await paging.hub.start()
    async with paging.hub.phone(0) as phone:
        status, out = await swaks(
            paging,
            *("--to", "1042@hub.example,2013@hub.example", "--header", "Subject: Kalium 6,9"),
            *("--add-header", "X-Priority: 1", "--body", "Prov 17", "--attach-body", "<p>annat</p>"),
        )
        assert status == 0, out
        shown = await phone.wait_alarm(5)
        assert shown.rings and shown.priority == "medium"
    assert [page.targets for page in await paging.pages()] == [("staff:s000000",), ("unit",)]
    status, out = await swaks(paging, "--to", "someone@elsewhere.example")
    assert status == 24 and "550 5.7.1 Relaying denied" in out
    await paging.hub.stop()


async def test_a_mail_from_the_standard_library_is_one_alarm_however_often_it_is_sent(house: House) -> None:
    """A relay that lost our answer sends it again, after a restart of the hub too."""
    paging = PagingHub(house)
    await paging.hub.start()
    message = EmailMessage()
    message["From"], message["To"] = "lab@example.org", "1042@hub.example"
    message["Subject"] = "Blodkyl på 201"
    message["Message-ID"], message["Date"] = "<1@lab>", "Mon, 23 Nov 2026 03:11:00 +0100"
    message.set_content("Temperatur +9 °C")

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", paging.smtp, timeout=10) as client:
            assert client.send_message(message) == {}

    await asyncio.to_thread(send)
    paging.hub.kill()
    await paging.hub.start()
    await asyncio.to_thread(send)
    (page,) = await paging.pages()
    assert page.source_text == "Blodkyl på 201: Temperatur +9 °C" and page.count == 1
    await paging.hub.stop()
