"""Firebase on a bad day: each push ends in time, a slow token endpoint disturbs nobody, no phone is forgotten
for our own fault."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from alarmhub.clock import MonotonicClock
from alarmhub.people import PushTarget
from alarmhub.push.fcm import NOBODYS_TOKEN, Fcm
from alarmhub.push.settings import FcmSettings
from alarmhub.push.transport import Outcome, Sent
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from tests.support.certificates import client_and_server
from tests.support.growth import Growth
from tests.support.push import note, timed
from tests.support.push_site import Cut, Got, PushSite, Say, Silent, Turn, fcm_error, push_site
from tests.support.waiting import until

SICK, WELL = "sick:" + "a" * 140, "well:" + "b" * 140


def phone(address: str = WELL, **more: Any) -> PushTarget:
    """A phone's address."""
    return PushTarget(device="d", transport="fcm", address=address, registered_at=0, **more)


def account(site_url: str, key: str, **more: str) -> Secret:
    """A service account as Firebase hands it out."""
    info = {
        "type": "service_account",
        "project_id": "ward-app",
        "private_key_id": "k1",
        "private_key": key,
        "client_email": "hub@ward-app.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{site_url}/token",
        **more,
    }
    return Secret(json.dumps(info))


@asynccontextmanager
async def firebase(rsa_key: str, **more: Any) -> AsyncIterator[tuple[Fcm, PushSite]]:
    """A transport and the service it talks to; afterwards no task is left."""
    async with push_site() as site, pushing(site.url, rsa_key, **more) as fcm:
        yield fcm, site


@asynccontextmanager
async def pushing(url: str, rsa_key: str, **more: Any) -> AsyncIterator[Fcm]:
    """A transport for this endpoint."""
    crew = Crew("test")
    settings = FcmSettings(**{"service_account": account(url, rsa_key), "endpoint": url, **more})
    fcm = Fcm(settings, clock=MonotonicClock(), crew=crew)
    await fcm.start()
    try:
        yield fcm
    finally:
        await fcm.stop()
        assert len(crew) == 0 and await crew.close()


def only(token: str, turn: Turn) -> Any:
    """That answer for one phone, success for the others."""
    return lambda got: turn if got.json["message"]["token"] == token else Say()


def first(*turns: Turn) -> Any:
    """These for the first requests, success for all others."""
    left = list(turns)
    return lambda got: left.pop(0) if left else Say()


class TestWhatIsSaid:
    """As in Firebase's documentation."""

    async def test_a_push_is_one_message(self, rsa_key: str) -> None:
        """To the project of the account, with its token."""
        async with firebase(rsa_key, package="example.alarm") as (fcm, site):
            assert await fcm.send(phone(), note()) == Sent(Outcome.TAKEN, "200")

            [got] = site.got
            assert got.path == "/v1/projects/ward-app/messages:send"
            assert got.headers["Authorization"] == "Bearer token-0"
            assert got.json == {
                "message": {
                    "token": WELL,
                    "data": {"aid": "alarm1", "seq": "3", "prio": "high"},
                    "android": {
                        "priority": "HIGH",
                        "ttl": "60s",
                        "collapse_key": "alarm-alarm1",
                        "direct_boot_ok": True,
                        "restricted_package_name": "example.alarm",
                    },
                },
                "validate_only": False,
            }

    async def test_one_token_and_kept_connections_serve_all(self, rsa_key: str) -> None:
        """Neither is had anew for a message."""
        async with firebase(rsa_key, at_once=10) as (fcm, site):
            for _ in range(5):
                await asyncio.gather(*(fcm.send(phone(), note(n)) for n in range(40)))
            assert (site.count, site.token_count) == (200, 1)
            assert len(site.peers) <= 11, "ten for pushes, one for the token"

    async def test_over_tls_with_an_authority_of_our_own(self, rsa_key: str, tmp_path: Path) -> None:
        """And nothing goes to whom that authority does not know."""
        tls, ca_file = client_and_server(tmp_path)
        async with push_site(tls) as site:
            async with pushing(site.url, rsa_key, ca_file=ca_file) as fcm:
                assert (await fcm.send(phone(), note())).outcome is Outcome.TAKEN
            async with pushing(site.url, rsa_key) as fcm:
                sent = await fcm.send(phone(), note(), within_s=0.5)
                assert sent.outcome is Outcome.LATER and "certificate" in sent.detail.lower()
                assert site.count == 1


class TestAnswers:
    """Taken, dead, later, refused."""

    @pytest.mark.parametrize(
        ("turn", "outcome", "wait_s"),
        [
            (fcm_error(404, "UNREGISTERED", "NOT_FOUND"), Outcome.DEAD, 0),
            (fcm_error(403, "SENDER_ID_MISMATCH", "PERMISSION_DENIED"), Outcome.DEAD, 0),
            (
                fcm_error(400, "INVALID_ARGUMENT", message="not a valid FCM registration token"),
                Outcome.DEAD,
                0,
            ),
            (fcm_error(429, "QUOTA_EXCEEDED", headers={"Retry-After": "90"}), Outcome.LATER, 90),
            (fcm_error(429, "QUOTA_EXCEEDED"), Outcome.LATER, 60),
            (fcm_error(503, "UNAVAILABLE", headers={"Retry-After": "7"}), Outcome.LATER, 7),
            (fcm_error(404, "", "NOT_FOUND"), Outcome.REFUSED, 0),
            (fcm_error(403, "", "PERMISSION_DENIED"), Outcome.REFUSED, 0),
            (fcm_error(400, "INVALID_ARGUMENT", field="message.android.ttl"), Outcome.REFUSED, 0),
        ],
        ids=lambda value: getattr(value, "status", None) and str(value.status),
    )
    async def test_an_answer_is_final(self, rsa_key: str, turn: Say, outcome: Outcome, wait_s: float) -> None:
        """No second attempt changes it; another phone's push is not touched by it."""
        async with firebase(rsa_key) as (fcm, site):
            site.turn = only(SICK, turn)
            sick, well = await asyncio.gather(fcm.send(phone(SICK), note(1)), fcm.send(phone(), note(2)))

            assert (sick.outcome, sick.retry_after_s) == (outcome, wait_s)
            assert sick.detail.startswith(str(turn.status))
            assert well.outcome is Outcome.TAKEN and site.count == 2

    async def test_an_address_that_took_pushes_is_not_forgotten_for_a_foreign_project(
        self, rsa_key: str
    ) -> None:
        """Then it is the project that was changed, and that is ours to mend."""
        async with firebase(rsa_key) as (fcm, site):
            site.turn = lambda got: fcm_error(403, "SENDER_ID_MISMATCH")
            sent = await fcm.send(phone(taken_at=1), note())
            assert sent == Sent(Outcome.REFUSED, "403 SENDER_ID_MISMATCH")


class TestSecondAttempt:
    """Once more, on a connection of its own, within the same deadline."""

    @pytest.mark.parametrize(
        "turn",
        [Say(500), Say(503, raw=b""), Say(502, raw=b"<html>"), Cut()],
        ids=["500", "503", "502", "cut"],
    )
    async def test_a_failure_is_tried_again(self, rsa_key: str, turn: Turn) -> None:
        """At once."""
        async with firebase(rsa_key) as (fcm, site):
            site.turn = first(turn)
            sent, took_s = await timed(fcm.send(phone(), note()))
            assert sent.outcome is Outcome.TAKEN and took_s < 0.5
            one, other = site.got
            assert one.peer != other.peer and one.body == other.body

    @pytest.mark.parametrize(("turn", "outcome"), [(Say(500), Outcome.LATER), (Cut(), Outcome.LOST)])
    async def test_there_is_no_third(self, rsa_key: str, turn: Turn, outcome: Outcome) -> None:
        """LATER when it was not taken, LOST when it may have been."""
        async with firebase(rsa_key) as (fcm, site):
            site.turn = lambda got: turn
            sent = await fcm.send(phone(), note())
            assert sent.outcome is outcome and sent.retry_after_s > 0 and site.count == 2

    async def test_kept_connections_that_all_went_silent_cost_one_patience(self, rsa_key: str) -> None:
        """A firewall forgot them: the second attempt takes none of them."""
        async with firebase(rsa_key, at_once=5) as (fcm, site):
            await asyncio.gather(*(fcm.send(phone(), note(n)) for n in range(5)))
            old = set(site.peers)
            site.turn = lambda got: Silent() if got.peer in old else Say()
            results = await asyncio.gather(
                *(timed(fcm.send(phone(), note(n), within_s=0.9)) for n in range(5))
            )
            assert {sent.outcome for sent, _ in results} == {Outcome.TAKEN}
            assert all(took_s < 0.7 for _, took_s in results)

    async def test_silence_everywhere_ends_at_the_deadline(self, rsa_key: str) -> None:
        """Only for whom Firebase is silent."""
        async with firebase(rsa_key) as (fcm, site):
            site.turn = only(SICK, Silent())
            results = await asyncio.gather(
                *(timed(fcm.send(phone(SICK), note(n), within_s=0.6)) for n in range(30)),
                *(timed(fcm.send(phone(), note(n), within_s=0.6)) for n in range(30)),
            )
            assert {sent.outcome for sent, _ in results[:30]} == {Outcome.LOST}
            assert all(0.55 < took_s < 0.9 for _, took_s in results[:30])
            assert {sent.outcome for sent, _ in results[30:]} == {Outcome.TAKEN}

    async def test_cancelling_one_harms_no_other(self, rsa_key: str) -> None:
        """Neither those in flight beside it nor those that wait."""
        async with firebase(rsa_key, at_once=20) as (fcm, site):
            site.turn = lambda got: Say(after_s=0.1)
            async with asyncio.TaskGroup() as group:
                pushes = [group.create_task(fcm.send(phone(), note(n))) for n in range(40)]
                await until(lambda: site.count >= 20)
                for push in pushes[::2]:
                    push.cancel()
            assert {push.result().outcome for push in pushes[1::2]} == {Outcome.TAKEN}
            assert site.most_in_flight <= 40

    async def test_nobody_listens(self, rsa_key: str) -> None:
        """It was surely not sent."""
        async with push_site() as site:
            async with push_site() as gone:
                url = gone.url
            async with pushing(url, rsa_key, service_account=account(site.url, rsa_key)) as fcm:
                sent, took_s = await timed(fcm.send(phone(), note()))
                assert sent.outcome is Outcome.LATER and "no connection" in sent.detail and took_s < 0.5


class TestToken:
    """The OAuth token: cached, renewed ahead, nobody's burden."""

    async def test_a_slow_token_endpoint_disturbs_nobody_who_holds_a_token(self, rsa_key: str) -> None:
        """It is asked for again long before the end."""
        async with firebase(rsa_key) as (fcm, site):
            site.token_turn = lambda got: (
                Say(said={"access_token": "short", "expires_in": 1.0}) if got.number == 0 else Silent()
            )
            await until(lambda: site.token_count == 2, "the next one asked for")
            sent, took_s = await timed(fcm.send(phone(), note()))
            assert sent.outcome is Outcome.TAKEN and took_s < 0.2

    async def test_without_a_token_a_push_waits_for_it_within_its_deadline(self, rsa_key: str) -> None:
        """And says that it was not sent."""
        async with push_site() as site:
            site.token_turn = lambda got: Silent() if got.number == 0 else Say()
            async with pushing(site.url, rsa_key) as fcm:
                sent, took_s = await timed(fcm.send(phone(), note(), within_s=0.3))
                assert (sent.outcome, sent.detail) == (Outcome.LATER, "no token in time") and took_s < 0.5
                assert site.count == 0

    async def test_a_token_that_comes_late_is_in_time_for_who_waits(self, rsa_key: str) -> None:
        """All of them; it is asked for once."""
        async with push_site() as site:
            site.token_turn = lambda got: Say(said={"access_token": "t", "expires_in": 60}, after_s=0.3)
            async with pushing(site.url, rsa_key) as fcm:
                results = await asyncio.gather(*(fcm.send(phone(), note(n)) for n in range(20)))
            assert {sent.outcome for sent in results} == {Outcome.TAKEN} and site.token_count == 1

    async def test_a_token_endpoint_that_fails_is_asked_again_for_who_waits(self, rsa_key: str) -> None:
        """Soon, but not without a pause."""
        async with push_site() as site:
            site.token_turn = lambda got: Say(503) if got.number == 0 else Say(said={"access_token": "t"})
            async with pushing(site.url, rsa_key) as fcm:
                sent, took_s = await timed(fcm.send(phone(), note()))
            assert sent.outcome is Outcome.TAKEN and 0.4 < took_s < 1.5

    async def test_a_new_token_that_firebase_refuses_is_our_fault(self, rsa_key: str) -> None:
        """Another one would be refused too."""
        async with firebase(rsa_key) as (fcm, site):
            site.turn = lambda got: Say(401)
            sent = await fcm.send(phone(), note())
            assert sent.outcome is Outcome.REFUSED and (site.count, site.token_count) == (1, 1)


class TestCheck:
    """What `alarmhub doctor` asks."""

    async def test_a_dry_run_to_nobody_proves_account_and_project(self, rsa_key: str) -> None:
        """Nothing is delivered."""
        async with firebase(rsa_key) as (fcm, site):
            message = "The registration token is not a valid FCM registration token"
            site.turn = lambda got: fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", message)
            assert await fcm.check() == []
            [got] = site.got
            assert got.json["validate_only"] is True and got.json["message"]["token"] == NOBODYS_TOKEN

    @pytest.mark.parametrize(
        ("turn", "fault"),
        [
            (fcm_error(403, "", "PERMISSION_DENIED"), "403 PERMISSION_DENIED: the account may not send"),
            (fcm_error(404, "", "NOT_FOUND"), "404 NOT_FOUND: there is no such project"),
            (Say(401), "401: Firebase does not know the account's token"),
            (Say(500), "expected Firebase to refuse the address alone, got 500"),
        ],
        ids=["403", "404", "401", "500"],
    )
    async def test_what_firebase_refuses_is_a_fault(self, rsa_key: str, turn: Say, fault: str) -> None:
        """With a hint where one is known."""
        async with firebase(rsa_key) as (fcm, site):
            site.turn = lambda got: turn
            [found] = await fcm.check()
            assert found.startswith(fault)

    async def test_an_account_that_google_does_not_know(self, rsa_key: str) -> None:
        """It is refused a token, and so is every push, at once."""
        async with push_site() as site:
            denied = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            site.token_turn = lambda got: Say(400, denied)
            async with pushing(site.url, rsa_key) as fcm:
                [fault] = await fcm.check()
                assert "invalid_grant: Invalid JWT Signature." in fault and "key was revoked" in fault
                sent, took_s = await timed(fcm.send(phone(), note()))
                assert sent.outcome is Outcome.REFUSED and took_s < 0.2 and site.count == 0

    async def test_a_token_endpoint_that_is_away(self, rsa_key: str) -> None:
        """The cause is named."""
        async with push_site() as site:
            url = site.url
        async with pushing(url, rsa_key, answer_within_s=0.3) as fcm:
            [fault] = await fcm.check()
            assert "the token endpoint: no connection" in fault

    @pytest.mark.parametrize(
        ("text", "why"),
        [("{}", "(JSON)"), ("no json", "(JSON)"), ("[]", "(JSON)")],
    )
    async def test_a_wrong_account_is_found_without_asking(
        self, rsa_key: str, text: str, why: str, log_lines: list[dict[str, Any]]
    ) -> None:
        """Said at the start, and every push is refused for it."""
        async with firebase(rsa_key, service_account=Secret(text)) as (fcm, site):
            [fault] = await fcm.check()
            assert fault == f"service_account: expected a service account's key file from Firebase {why}"
            assert (await fcm.send(phone(), note())).outcome is Outcome.REFUSED and site.token_count == 0
        assert [line["log_level"] for line in log_lines if line["event"] == "push_refused"] == ["error"]


async def test_an_address_that_can_be_none_is_not_sent(rsa_key: str) -> None:
    """Nor taken when a phone registers."""
    async with firebase(rsa_key) as (fcm, site):
        for address in ("", "short", "a" * 4_097, "a b" * 20, "å" * 40, "a" * 40 + "\n"):
            assert fcm.address_fault(address, {}) is not None
            assert (await fcm.send(phone(address), note())).outcome is Outcome.REFUSED
        assert site.count == 0 and fcm.address_fault(WELL, {}) is None


async def test_nothing_grows_over_10_000_pushes(rsa_key: str) -> None:
    """Of every kind, good and bad: neither memory nor tasks nor connections; and none is late."""
    bad = [fcm_error(404, "UNREGISTERED"), Say(500), fcm_error(429, "QUOTA_EXCEEDED"), Cut()]

    def turn(got: Got) -> Turn:
        if got.number % 500 == 499:
            return Silent()
        return bad[got.number // 20 % len(bad)] if got.number % 20 == 0 else Say()

    async with firebase(rsa_key, at_once=50) as (fcm, site):
        site.turn = turn
        site.got = type(site.got)(maxlen=1)

        slowest_s = 0.0

        async def thousand() -> None:
            nonlocal slowest_s
            for batch in range(10):
                sent = await asyncio.gather(
                    *(timed(fcm.send(phone(), note(batch * 100 + n), within_s=0.9)) for n in range(100))
                )
                slowest_s = max(slowest_s, *(took_s for _, took_s in sent))
            site.peers.clear()

        for _ in range(3):
            await thousand()
        growth = Growth()
        for _ in range(10):
            await thousand()

        assert site.count > 13_000 and slowest_s < 2.0 and site.token_count == 1
        growth.assert_less_than(blocks=5_000, resident=8_000_000)
