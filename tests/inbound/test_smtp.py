"""The mail door: real mails over real sockets, a hub that behaves."""

from __future__ import annotations

import asyncio
import smtplib
import socket
import ssl
import subprocess
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import pytest
import uvloop
from msgspec.structs import replace

from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.inbound.pages import Transmissions
from alarmhub.inbound.smtp import SLACK_BYTES, SmtpAdapter
from alarmhub.inbound.smtp_settings import SmtpLink
from alarmhub.ports import NotStored, Refused
from load.mail_lab import Hung, MailLab, mail
from protocols.mail import decode
from tests.support.intake import BED
from tests.support.paging import Rig, rig_of
from tests.support.waiting import until

QUIET_S = 0.1
"""So long nothing is heard."""


def rig(**settings: Any) -> AbstractAsyncContextManager[Rig[SmtpAdapter]]:
    """A door with these settings."""
    link = SmtpLink(source="lab", listen="127.0.0.1:0", **settings)
    return rig_of(lambda feed: SmtpAdapter(link, feed))


def lab(it: Rig[SmtpAdapter]) -> MailLab:
    """A laboratory at this door."""
    return MailLab("127.0.0.1", it.port)


def served(it: Rig[SmtpAdapter]) -> asyncio.Transport:
    """The door's end of its only connection."""
    (connection,) = it.adapter._open
    return cast(asyncio.Transport, connection.transport)


async def code(it: Rig[SmtpAdapter], to: str, raw: bytes) -> int:
    """What one mail on a connection of its own is answered."""
    async with lab(it) as sender:
        return (await sender.send([to], raw)).code


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate of our own and its key."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    )
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    return str(cert), str(key)


async def test_a_mail_is_answered_after_its_commit_and_not_before() -> None:
    """The promise of the hub, on the wire."""
    async with rig() as it, lab(it) as sender:
        it.hub.gate.clear()
        for line in ("MAIL FROM:<lab@example.org>", "RCPT TO:<1042@hub>", "DATA"):
            await sender.say(line)
        await sender.write(b"Subject: Kalium 6,9\r\n\r\nProv 17\r\n.\r\n")
        await until(lambda: it.hub.begun, "the mail to reach the hub")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sender._reply(), QUIET_S)
        it.hub.gate.set()
        assert (await sender._reply()).code == 250
        (page,) = it.taken
        assert (page.event, page.targets, page.unit) == (SignalEvent.ONCE, ("staff:anna",), "201")
        assert (page.ref, page.source_text) == ("1042", "Kalium 6,9: Prov 17")


async def test_one_mail_to_several_is_one_alarm_each() -> None:
    """Each recipient once; the urgent one says so."""
    async with rig() as it, lab(it) as sender:
        raw = mail("Prov", "Klart", urgent=True)
        reply = await sender.send(["1042@hub", "2010@hub", '"2010"@other', "9999@hub"], raw)
        assert reply.code == 250
        assert [(page.ref, page.targets) for page in it.taken] == [
            ("1042", ("staff:anna",)),
            ("2010", ("unit",)),
            ("9999", ()),
        ]
        assert {page.priority for page in it.taken} == {Priority.MEDIUM}


async def test_a_list_in_one_address_is_one_alarm_each() -> None:
    """Where the source declares the separator, as for ESPA; the same mail again is none."""
    async with rig() as it, lab(it) as sender:
        site = it.hub.world_now.site
        listed = replace(site.sources["lab"], list_separator="+")
        it.hub.world_now = replace(
            it.hub.world_now, site=replace(site, sources={**site.sources, "lab": listed})
        )
        for raw in (mail("Prov", "Klart", number=1),) * 2:
            assert (await sender.send(["1042+1043@hub"], raw)).code == 250
        assert [page.targets for page in it.taken] == [("staff:anna",), ("staff:bo",)]
        assert len(it.hub.open_alarms()) == 2


async def test_words_of_the_rules_are_recipients_too() -> None:
    """And a place in the text is a call there, a lone number one to call back."""
    async with rig() as it:
        await code(it, "kyl@hub", mail("Larm", ""))
        await code(it, "2010@hub", mail("Sal 12 plats 2", ""))
        await code(it, "1042@hub", mail("", "4711\n"))
        assert it.taken[0].type == "hjartlarm"
        assert (it.taken[1].place, it.taken[1].key) == (BED, "")
        assert (it.taken[2].callback, it.taken[2].source_text) == ("4711", "4711")


@pytest.mark.parametrize(("refusal", "answer"), [(NotStored("away"), 451), (Refused("poison"), 554)])
async def test_what_is_not_stored_is_no_250(refusal: Exception, answer: int) -> None:
    """451: the relay tries again, and what was stored before counts once."""
    async with rig() as it:
        it.hub.refuse = refusal
        assert await code(it, "1042@hub", mail("Prov", "x", number=7)) == answer
        it.hub.refuse = None
        assert await code(it, "1042@hub", mail("Prov", "x", number=7)) == 250
        assert await code(it, "1042@hub", mail("Prov", "x", number=7)) == 250
        assert len(it.taken) == 1 and it.feed.status.last_answer == "250"


async def test_a_defect_keeps_no_mail() -> None:
    """The relay tries again."""
    async with rig() as it:
        it.hub.refuse = RuntimeError("bug")
        assert await code(it, "1042@hub", mail("Prov", "x")) == 451
        it.hub.refuse = None
        assert await code(it, "1042@hub", mail("Prov", "x")) == 250


async def test_two_mails_with_the_same_words_are_two_and_one_sent_twice_is_one() -> None:
    """By Message-ID and date; without them, by the window."""
    async with rig(repeat_window_s=0) as it:
        for number in (1, 1, 2):
            await code(it, "1042@hub", mail("Kyl", "varm", number=number))
        assert len(it.taken) == 2
    async with rig() as it:
        for _ in range(2):
            await code(it, "1042@hub", mail("Kyl", "varm"))
        assert len({page.key for page in it.taken}) == 1


async def test_a_mail_of_before_a_restart_is_the_same_one_whenever_the_hub_came_back() -> None:
    """Without Message-ID: its alarm is open; the stretch of time its name was made from is over."""
    raw = mail("Kyl", "varm")
    said = decode(raw)
    async with rig() as it:
        words = ("", "", said.subject, said.text, "1042")
        before = Transmissions(60_000).name(words, it.feed.now() - 60_000)
        await it.hub.signal(Signal("lab", SignalEvent.ONCE, key=f"smtp:{before.hex()}"))
        ((id, alarm),) = it.hub.alarms.items()
        it.hub.alarms[id] = replace(alarm, raised_at=it.feed.now())
        assert await code(it, "1042@hub", raw) == 250
        assert it.taken[-1].key == alarm.key


async def test_every_mail_rings() -> None:
    """Empty, unparsable, or with nothing but an attachment."""
    boxes = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(40)
    )
    async with rig() as it:
        for raw in (b"", b"\r\n", boxes, b"Content-Disposition: attachment\r\n\r\nx"):
            assert await code(it, "1042@hub", raw) == 250
        assert it.taken[0].source_text == "(mail without text)"
        assert it.feed.status.last_refusal.startswith("unreadable mail")


@pytest.mark.parametrize(("read", "words"), [("both", "Ämne: text"), ("subject", "Ämne"), ("text", "text")])
async def test_which_words_count_is_set(read: str, words: str) -> None:
    """Some systems repeat themselves, some sign with a page of law."""
    async with rig(read=read) as it:
        await code(it, "1042@hub", mail("Ämne", "text"))
        assert it.taken[0].source_text == words


async def test_html_is_stripped_or_refused() -> None:
    """As the door is set."""
    raw = b"Subject: Larm\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Kyl <b>201</b></p>"
    async with rig() as it:
        assert await code(it, "1042@hub", raw) == 250
        assert it.taken[0].source_text == "Larm: Kyl 201"
    async with rig(html="refuse") as it:
        assert await code(it, "1042@hub", raw) == 554 and not it.taken


async def test_nothing_is_relayed_and_strangers_only_where_the_door_says_so() -> None:
    """Other domains, unknown numbers, too many recipients."""
    async with (
        rig(domains=("hub.example",), unknown_number="refuse", max_recipients=2) as it,
        lab(it) as sender,
    ):
        await sender.say("MAIL FROM:<lab@example.org>")
        said = [
            (await sender.say(f"RCPT TO:<{to}>")).code
            for to in (
                "1042@elsewhere.example",
                "1042",
                "9999@hub.example",
                "x" * 65 + "@hub.example",
                "1042@HUB.example",
                "kyl@hub.example",
                "2010@hub.example",
            )
        ]
        assert said == [550, 550, 550, 553, 250, 250, 452]
    async with rig() as it:
        assert await code(it, "9999@anywhere", mail("x", "y")) == 250


async def test_who_is_not_allowed_is_turned_away() -> None:
    """Before a word is heard."""
    async with rig(allow=("10.0.0.0/8",)) as it, lab(it) as sender:
        assert sender.greeting.code == 554
        assert it.feed.status.last_refusal == "not from an allowed network" and not it.feed.status.connected


async def test_connections_are_counted() -> None:
    """One more than allowed is told so; when one has gone, there is room."""
    async with rig(connections=1) as it:
        async with lab(it) as first, lab(it) as second:
            assert (first.greeting.code, second.greeting.code) == (220, 421)
        await until(lambda: not it.feed.status.connected, "the first to be gone")
        assert await code(it, "1042@hub", mail("x", "y")) == 250


async def test_a_peer_that_does_not_read_is_cut_off() -> None:
    """It may hold no place longer than a silent one, whatever it has not read; its mail is stored."""
    async with rig(idle_s=0.4, connections=1) as it:
        _, writer = await asyncio.open_connection("127.0.0.1", it.port, limit=1)
        await until(lambda: it.feed.status.connected, "it to be served")
        for sock in (writer.get_extra_info("socket"), served(it).get_extra_info("socket")):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        lines = [b"HELO a", b"MAIL FROM:<a@b>", b"RCPT TO:<1042@hub>", b"DATA", mail("x", "y"), b"."]
        writer.write(b"\r\n".join((*lines, *[b"HELP"] * 2_000, b"")))
        await until(lambda: it.taken, "the mail")
        await until(lambda: served(it).get_write_buffer_size(), "answers that are not read")
        await until(lambda: not it.feed.status.connected, "it to be cut off")
        assert await code(it, "1043@hub", mail("x", "y")) == 250
        writer.transport.abort()


async def test_size_has_a_limit_and_a_line_without_end_too() -> None:
    """552 for a mail that is too large; who never ends a line is cut off, and memory stays."""
    async with rig(max_bytes=2_000) as it:
        async with lab(it) as sender:
            assert "SIZE 2000" in sender.offers
            assert (await sender.send(["1042@hub"], b"\r\n" + b"x\r\n" * 1_000)).code == 552
            assert (await sender.send(["1042@hub"], mail("x", "y"))).code == 250
        async with lab(it) as sender:
            for line in ("MAIL FROM:<a@b>", "RCPT TO:<1042@hub>", "DATA"):
                await sender.say(line)
            with pytest.raises((Hung, ConnectionError)):
                while True:
                    await sender.write(b"x" * SLACK_BYTES)
                    await asyncio.wait_for(sender._reply(), QUIET_S) if not it.feed.status.connected else None
        await until(lambda: not it.feed.status.connected, "it to be cut off")


async def test_dots_are_unstuffed_and_nobody_logs_in() -> None:
    """As RFC 5321 has it; passwords are not asked for."""
    async with rig() as it, lab(it) as sender:
        assert "AUTH" not in sender.offers and "STARTTLS" not in sender.offers
        await sender.send(["1042@hub"], b"Subject: x\r\n\r\n.dold\r\n..tva\r\n")
        assert it.taken[0].source_text == "x: .dold ..tva"
        assert (await sender.say("VRFY 1042")).code == 252
        assert (await sender.say("AUTH PLAIN AGEAYg==")).code >= 500


async def test_over_tls(certificate: tuple[str, str]) -> None:
    """STARTTLS, and nothing without it where it is required."""
    cert, key = certificate
    trust = ssl.create_default_context(cafile=cert)
    async with rig(tls_cert_file=cert, tls_key_file=key, require_tls=True) as it:
        assert await code(it, "1042@hub", mail("x", "y")) == 530
        async with lab(it) as sender:
            await sender.start_tls(trust, "localhost")
            assert (await sender.send(["1042@hub"], mail("x", "y"))).code == 250
        assert len(it.taken) == 1


async def test_a_relay_that_hangs_up_has_still_delivered() -> None:
    """What was read is stored, heard or not."""
    async with rig() as it:
        it.hub.gate.clear()
        async with lab(it) as sender:
            for line in ("MAIL FROM:<a@b>", "RCPT TO:<1042@hub>", "DATA"):
                await sender.say(line)
            await sender.write(mail("x", "y") + b"\r\n.\r\n")
            await until(lambda: it.hub.begun, "the mail to reach the hub")
        await until(lambda: not it.feed.status.connected, "the relay to be gone")
        it.hub.gate.set()
        await until(lambda: it.taken, "the mail")


async def test_nothing_is_said_back_by_mail() -> None:
    """Whatever becomes of it."""
    async with rig() as it:
        for status in ReportStatus:
            await it.adapter.report(Report("lab", status, "1042"), "a1")


async def test_a_silent_source_is_news_only_where_it_is_expected_to_mail() -> None:
    """A fridge may be well for years."""
    async with rig(expected_every_s=0.05) as it:
        await until(lambda: it.hub.links, "the link to be down")


def test_it_works_on_the_loop_the_hub_runs_on(certificate: tuple[str, str]) -> None:
    """uvloop, with and without TLS; the sender is the standard library's."""
    cert, key = certificate

    def send(port: int) -> dict[str, tuple[int, bytes]]:
        with smtplib.SMTP("localhost", port, timeout=10) as client:
            client.sendmail("lab@example.org", ["1042@hub"], mail("Utan", "x"))
            client.starttls(context=ssl.create_default_context(cafile=cert))
            return client.sendmail("lab@example.org", ["1042@hub"], mail("Med", "x"))

    async def run() -> None:
        async with rig(tls_cert_file=cert, tls_key_file=key) as it:
            assert await asyncio.to_thread(send, it.port) == {}
            assert [page.source_text for page in it.taken] == ["Utan: x", "Med: x"]
            async with lab(it) as sender:
                await sender.say("NOOP")

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
