"""Browsers' push services on a bad day, and endpoints that lead where they should not."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from py_vapid import Vapid02

from alarmhub.clock import MonotonicClock
from alarmhub.people import PushTarget
from alarmhub.push.settings import WebPushSettings
from alarmhub.push.transport import Outcome, Sent
from alarmhub.push.vapid import KEY_FILE, VapidKey
from alarmhub.push.webpush import WebPush
from tests.support.certificates import client_and_server
from tests.support.growth import Growth
from tests.support.push import note, timed
from tests.support.push_site import Cut, Got, PushSite, Say, Silent, Turn, push_site
from tests.support.subscription import Browser, b64
from tests.support.waiting import until

BROWSER = Browser()


class Names(AbstractResolver):
    """Finds what the test says."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.asked = addresses, 0

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        """As aiohttp asks."""
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        """Nothing to let go of."""


def browser(address: str) -> PushTarget:
    """A subscription at this endpoint."""
    return PushTarget(device="d", transport="webpush", address=address, registered_at=0, keys=BROWSER.keys)


@asynccontextmanager
async def service(folder: Path, **more: Any) -> AsyncIterator[tuple[WebPush, PushSite]]:
    """A transport and the service it talks to."""
    async with push_site() as site, pushing(folder, **more) as push:
        yield push, site


@asynccontextmanager
async def pushing(
    folder: Path, resolver: AbstractResolver | None = None, **more: Any
) -> AsyncIterator[WebPush]:
    """A transport that may call this machine."""
    settings = WebPushSettings(**{"contact": "mailto:it@hospital.example", "allow_loopback": True, **more})
    push = WebPush(settings, data_dir=folder, clock=MonotonicClock(), resolver=resolver)
    await push.start()
    try:
        yield push
    finally:
        await push.stop()


def only(path: str, turn: Turn) -> Any:
    """That answer at one endpoint, 201 at the others."""
    return lambda got: turn if got.path == path else Say(201)


class TestWhatIsSaid:
    """RFC 8030, 8291 and 8292, read by libraries that had no part in writing it."""

    async def test_only_the_browser_can_read_the_note(self, tmp_path: Path) -> None:
        """And the push service sees how urgent it is, how long to keep it and what it replaces."""
        async with service(tmp_path) as (push, site):
            site.turn = lambda got: Say(201)
            assert await push.send(browser(f"{site.url}/push/1"), note()) == Sent(Outcome.TAKEN, "201")

            [got] = site.got
            said = {"alarm": "alarm1", "rev": 3, "priority": "high", "drill": False}
            assert BROWSER.reads(got.body) == said
            assert b"alarm1" not in got.body and "alarm1" not in str(got.headers)
            assert (got.headers["TTL"], got.headers["Urgency"]) == ("60", "high")
            assert got.headers["Content-Encoding"] == "aes128gcm"
            assert len(got.headers["Topic"]) == 32

    async def test_the_service_can_prove_who_sent_it(self, tmp_path: Path) -> None:
        """By the key that the browser subscribed with."""
        async with service(tmp_path) as (push, site):
            await push.send(browser(f"{site.url}/push/1"), note())
            said = site.got[0].headers["Authorization"]
            assert Vapid02.verify(said) and said.endswith(f"k={VapidKey(tmp_path).public}")
            claims = said.split("t=")[1].split(".")[1]
            assert json.loads(base64.urlsafe_b64decode(claims + "=="))["aud"] == site.url

    async def test_one_claim_and_kept_connections_serve_all(self, tmp_path: Path) -> None:
        """Of one service."""
        async with service(tmp_path, at_once=10) as (push, site):
            for _ in range(3):
                await asyncio.gather(
                    *(push.send(browser(f"{site.url}/push/{n}"), note(n)) for n in range(40))
                )
            assert len({got.headers["Authorization"] for got in site.got}) == 1
            assert site.count == 120 and len(site.peers) <= 10

    async def test_over_tls_with_an_authority_of_our_own(self, tmp_path: Path) -> None:
        """And nothing goes to whom that authority does not know."""
        tls, ca_file = client_and_server(tmp_path)
        async with push_site(tls) as site:
            async with pushing(tmp_path, ca_file=ca_file) as push:
                assert (await push.send(browser(f"{site.url}/p"), note())).outcome is Outcome.TAKEN
            async with pushing(tmp_path) as push:
                sent = await push.send(browser(f"{site.url}/p"), note(), within_s=0.5)
                assert sent.outcome is Outcome.LATER and "certificate" in sent.detail.lower()


class TestAnswers:
    """Taken, dead, later, refused."""

    @pytest.mark.parametrize(
        ("turn", "outcome", "wait_s"),
        [
            (Say(200), Outcome.TAKEN, 0),
            (Say(404), Outcome.DEAD, 0),
            (Say(410, raw=b"push subscription has unsubscribed or expired.\n"), Outcome.DEAD, 0),
            (Say(413), Outcome.REFUSED, 0),
            (Say(403, raw=b"\xff\x00"), Outcome.REFUSED, 0),
            (Say(429, headers={"Retry-After": "9"}), Outcome.LATER, 9),
            (Say(429), Outcome.LATER, 5),
            (Say(503, headers={"Retry-After": "30"}), Outcome.LATER, 30),
        ],
        ids=["200", "404", "410", "413", "403", "429-9", "429", "503-30"],
    )
    async def test_an_answer_is_final(
        self, tmp_path: Path, turn: Say, outcome: Outcome, wait_s: float
    ) -> None:
        """No second attempt changes it; another browser's push is not touched by it."""
        async with service(tmp_path) as (push, site):
            site.turn = only("/push/sick", turn)
            sick, well = await asyncio.gather(
                push.send(browser(f"{site.url}/push/sick"), note(1)),
                push.send(browser(f"{site.url}/push/well"), note(2)),
            )
            assert (sick.outcome, sick.retry_after_s) == (outcome, wait_s)
            assert sick.detail.startswith(str(turn.status)) and sick.detail.isprintable()
            assert well.outcome is Outcome.TAKEN and site.count == 2

    @pytest.mark.parametrize("turn", [Say(500), Say(503, raw=b""), Cut()], ids=["500", "503", "cut"])
    async def test_a_failure_is_tried_again_on_a_connection_of_its_own(
        self, tmp_path: Path, turn: Turn
    ) -> None:
        """At once, and encrypted anew."""
        async with service(tmp_path) as (push, site):
            site.turn = lambda got: turn if got.number == 0 else Say(201)
            sent, took_s = await timed(push.send(browser(f"{site.url}/p"), note()))
            assert sent.outcome is Outcome.TAKEN and took_s < 0.5
            one, other = site.got
            assert one.peer != other.peer and BROWSER.reads(one.body) == BROWSER.reads(other.body)
            assert one.headers["Topic"] == other.headers["Topic"]

    async def test_a_redirect_is_not_followed(self, tmp_path: Path) -> None:
        """It could lead anywhere."""
        async with service(tmp_path) as (push, site):
            site.turn = lambda got: Say(307, headers={"Location": f"{site.url}/elsewhere"})
            sent = await push.send(browser(f"{site.url}/p"), note())
            assert sent.outcome is Outcome.REFUSED and site.count == 1


class TestSlow:
    """A service that is slow or silent holds up its own browsers only, and each not past its deadline."""

    async def test_a_slow_endpoint_disturbs_no_other(self, tmp_path: Path) -> None:
        """Given up at the deadline."""
        async with service(tmp_path) as (push, site):
            site.turn = only("/push/sick", Silent())
            results = await asyncio.gather(
                *(
                    timed(push.send(browser(f"{site.url}/push/sick"), note(n), within_s=0.6))
                    for n in range(30)
                ),
                *(
                    timed(push.send(browser(f"{site.url}/push/well"), note(n), within_s=0.6))
                    for n in range(30)
                ),
            )
            assert {sent.outcome for sent, _ in results[:30]} == {Outcome.LOST}
            assert all(0.55 < took_s < 0.9 for _, took_s in results[:30])
            assert {sent.outcome for sent, _ in results[30:]} == {Outcome.TAKEN}

    async def test_a_silent_service_fills_its_own_line_only(self, tmp_path: Path) -> None:
        """Browsers of another maker are woken meanwhile."""

        async def never(_number: int) -> Sent:
            await asyncio.Event().wait()
            raise AssertionError

        async with service(tmp_path, at_once=2, hosts=("a.example",)) as (push, site):
            async with asyncio.TaskGroup() as group:
                line = push._passages["a.example"]
                stuck = [group.create_task(line.through(note(n), 1.0, never)) for n in range(10)]
                sent, took_s = await timed(push.send(browser(f"{site.url}/p"), note()))
                assert sent.outcome is Outcome.TAKEN and took_s < 0.3
            assert {task.result().outcome for task in stuck} <= {Outcome.LOST, Outcome.LATER}

    async def test_cancelling_one_harms_no_other(self, tmp_path: Path) -> None:
        """Neither those in flight beside it nor those that wait."""
        async with service(tmp_path, at_once=20) as (push, site):
            site.turn = lambda got: Say(201, after_s=0.1)
            async with asyncio.TaskGroup() as group:
                pushes = [group.create_task(push.send(browser(f"{site.url}/p"), note(n))) for n in range(40)]
                await until(lambda: site.count >= 20)
                for one in pushes[::2]:
                    one.cancel()
            assert {one.result().outcome for one in pushes[1::2]} == {Outcome.TAKEN}


class TestInside:
    """No phone makes the hub call machines of the hospital."""

    @pytest.mark.parametrize(
        "address", ["10.1.2.3", "192.168.0.1", "127.0.0.1", "169.254.169.254", "::1", "fe80::1", "fd00::1"]
    )
    async def test_a_listed_name_that_leads_inside_is_refused(self, tmp_path: Path, address: str) -> None:
        """At each push, whatever it led to before."""
        names = Names("93.184.216.34", address)
        async with pushing(tmp_path, names, hosts=("push.example",), allow_loopback=False) as push:
            sent, took_s = await timed(push.send(browser("https://push.example/s"), note()))
            assert sent.outcome is Outcome.REFUSED and "leads inside" in sent.detail and took_s < 0.5
            assert names.asked == 1, "refused is refused: no second attempt"

    @pytest.mark.parametrize(
        "endpoint",
        [
            "https://127.0.0.1/p", "https://10.0.0.1/p", "http://push.example/p", "https://evil.example/p",
            "https://push.example:8443/p", "https://u:p@push.example/p", "https://push.example@evil.example/p",
            "https://push.example\\@evil.example/p", "https://push.example.evil.example/p", "https:///p", "p",
            "https://2130706433/p", "https://0x7f.1/p", "https://[::1]/p", "https://[::ffff:10.0.0.1]/p",
            "file:///etc/passwd", "https://push.example/ü", "https://push.example/" + "x" * 2_000, "https://[::1",
            "https://push.example/\r\nX: y", "",
        ],
    )  # fmt: skip
    async def test_an_endpoint_that_is_not_listed_is_neither_taken_nor_called(
        self, tmp_path: Path, endpoint: str
    ) -> None:
        """When a phone registers, and again when it is to be woken."""
        names = Names("93.184.216.34")
        async with pushing(tmp_path, names, hosts=("push.example",), allow_loopback=False) as push:
            fault = push.address_fault(endpoint, BROWSER.keys)
            assert fault is not None and fault.startswith("address: expected ")
            assert (await push.send(browser(endpoint), note())).outcome is Outcome.REFUSED
            assert names.asked == 0

    async def test_the_services_of_todays_browsers_are_listed(self, tmp_path: Path) -> None:
        """By default."""
        async with pushing(tmp_path, allow_loopback=False) as push:
            for endpoint in (
                "https://fcm.googleapis.com/fcm/send/abc:def",
                "https://updates.push.services.mozilla.com/wpush/v2/abc",
                "https://web.push.apple.com/abc",
                "https://wns2-par02p.notify.windows.com/w/?token=abc",
            ):
                assert push.address_fault(endpoint, BROWSER.keys) is None

    @pytest.mark.parametrize(
        ("keys", "field"),
        [
            ({}, "keys.p256dh"),
            ({**BROWSER.keys, "p256dh": BROWSER.keys["p256dh"][:-4]}, "keys.p256dh"),
            ({**BROWSER.keys, "p256dh": b64(b"\x04" + b"\x01" * 64)}, "keys.p256dh"),
            ({**BROWSER.keys, "p256dh": "*" * 87}, "keys.p256dh"),
            ({**BROWSER.keys, "p256dh": "A" * 1_000_000}, "keys.p256dh"),
            ({**BROWSER.keys, "auth": b64(b"x" * 15)}, "keys.auth"),
            ({"p256dh": BROWSER.keys["p256dh"]}, "keys.auth"),
        ],
    )
    async def test_keys_that_can_be_none_are_named(
        self, tmp_path: Path, keys: dict[str, str], field: str
    ) -> None:
        """Before anything is encrypted with them."""
        async with pushing(tmp_path) as push:
            fault = push.address_fault("http://127.0.0.1:1/p", keys)
            assert fault is not None and fault.startswith(f"{field}: expected ")


class TestCheck:
    """What `alarmhub doctor` asks."""

    async def test_a_pair_and_a_contact_are_enough(self, tmp_path: Path) -> None:
        """The pair is made at first use."""
        async with pushing(tmp_path) as push:
            assert await push.check() == [] and (tmp_path / KEY_FILE).exists()
            assert push.public_key == VapidKey(tmp_path).public

    async def test_a_pair_that_others_can_read_is_no_pair(
        self, tmp_path: Path, log_lines: list[dict[str, Any]]
    ) -> None:
        """Said at the start, and every push is refused for it."""
        VapidKey(tmp_path)
        (tmp_path / KEY_FILE).chmod(0o644)
        async with service(tmp_path) as (push, site):
            [fault] = await push.check()
            assert "can be read by others" in fault and push.public_key == ""
            assert (await push.send(browser(f"{site.url}/p"), note())).outcome is Outcome.REFUSED
        assert [line["log_level"] for line in log_lines if line["event"] == "push_refused"] == ["error"]


async def test_nothing_grows_over_10_000_pushes(tmp_path: Path) -> None:
    """Of every kind, good and bad: neither memory nor tasks nor connections; and none is late."""
    bad = [Say(410), Say(500), Say(429), Cut()]

    def turn(got: Got) -> Turn:
        if got.number % 500 == 499:
            return Silent()
        return bad[got.number // 20 % len(bad)] if got.number % 20 == 0 else Say(201)

    async with service(tmp_path, at_once=50) as (push, site):
        site.turn = turn
        site.got = type(site.got)(maxlen=1)

        slowest_s = 0.0

        async def thousand() -> None:
            nonlocal slowest_s
            for batch in range(10):
                sent = await asyncio.gather(
                    *(
                        timed(push.send(browser(f"{site.url}/p/{n}"), note(batch * 100 + n), within_s=0.9))
                        for n in range(100)
                    )
                )
                slowest_s = max(slowest_s, *(took_s for _, took_s in sent))
            site.peers.clear()

        for _ in range(3):
            await thousand()
        growth = Growth()
        for _ in range(10):
            await thousand()

        assert site.count > 13_000 and slowest_s < 2.0
        growth.assert_less_than(blocks=5_000, resident=8_000_000)
