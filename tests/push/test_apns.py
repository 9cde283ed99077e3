"""Apple's push service on a bad day: whatever it does, each push ends in time and disturbs no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
import uvloop
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from alarmhub.clock import MonotonicClock
from alarmhub.people import PushTarget
from alarmhub.push.apns import NOBODYS_TOKEN, Apns
from alarmhub.push.settings import ApnsSettings
from alarmhub.push.transport import Outcome, Sent
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from tests.support.apns_server import (
    Answer,
    ApnsServer,
    Asked,
    Deaf,
    Fate,
    GoAway,
    HangUp,
    Reset,
    Silence,
    apns_server,
)
from tests.support.certificates import client_and_server
from tests.support.growth import Growth
from tests.support.push import note, timed
from tests.support.waiting import until

REGISTERED_AT = 1_790_000_000_000
SICK, WELL = "a" * 64, "b" * 64


def phone(address: str = WELL) -> PushTarget:
    """A phone's address."""
    return PushTarget(device="d", transport="apns", address=address, registered_at=REGISTERED_AT)


@asynccontextmanager
async def apple(p8: str, **more: Any) -> AsyncIterator[tuple[Apns, ApnsServer]]:
    """A transport and the service it talks to; afterwards no task and no connection is left."""
    async with apns_server() as server:
        async with pushing(p8, server.url, **more) as apns:
            yield apns, server
        await until(lambda: not server.open, "all connections closed")


@asynccontextmanager
async def pushing(p8: str, url: str, **more: Any) -> AsyncIterator[Apns]:
    """A transport for this endpoint."""
    crew = Crew("test")
    named = {"key": Secret(p8), "key_id": "KEY1", "team_id": "TEAM1", "topic": "example.alarm"}
    settings = ApnsSettings(endpoint=url, **{**named, **more})
    apns = Apns(settings, clock=MonotonicClock(), crew=crew)
    await apns.start()
    try:
        yield apns
    finally:
        await apns.stop()
        assert len(crew) == 0
        assert await crew.close()


def only(token: str, fate: Fate) -> Any:
    """That fate for one phone, success for the others."""
    return lambda asked: fate if asked.device_token == token else Answer()


def first(fate: Fate) -> Any:
    """That fate for the first request, success for all others."""
    fates = [fate]
    return lambda asked: fates.pop() if fates else Answer()


class TestWhatIsSaid:
    """Over a real connection, as Apple's documentation has it."""

    async def test_a_push_is_one_request(self, p8: str) -> None:
        """Path, headers and payload; the token is signed by the key and names key and team."""
        async with apple(p8, critical_alerts=True) as (apns, server):
            sent = await apns.send(phone(), note())

            assert sent == Sent(Outcome.TAKEN, "200")
            [asked] = server.asked
            assert asked.headers[":method"] == "POST" and asked.headers[":path"] == f"/3/device/{WELL}"
            assert asked.headers["apns-topic"] == "example.alarm"
            assert asked.headers["apns-push-type"] == "alert" and asked.headers["apns-priority"] == "10"
            assert asked.headers["apns-collapse-id"] == "alarm-alarm1"
            assert asked.payload["aps"]["interruption-level"] == "critical"
            assert (asked.payload["aid"], asked.payload["seq"]) == ("alarm1", 3)
            public = load_pem_private_key(p8.encode(), None).public_key()
            bearer = asked.headers["authorization"].removeprefix("bearer ")
            assert jwt.decode(bearer, public, algorithms=["ES256"])["iss"] == "TEAM1"
            assert jwt.get_unverified_header(bearer)["kid"] == "KEY1"

    async def test_one_token_and_two_connections_serve_all(self, p8: str) -> None:
        """Apple answers 429 to whoever signs a token for each connection."""
        async with apple(p8) as (apns, server):
            await asyncio.gather(*(apns.send(phone(), note(n)) for n in range(100)))

            assert len({asked.headers["authorization"] for asked in server.asked}) == 1
            assert server.opened == 2

    async def test_over_tls_with_an_authority_of_our_own(self, p8: str, tmp_path: Path) -> None:
        """And nothing is sent to whom that authority does not know."""
        tls, ca_file = client_and_server(tmp_path)
        tls.set_alpn_protocols(["h2"])
        async with apns_server(tls) as server:
            async with pushing(p8, server.url, ca_file=ca_file) as apns:
                assert (await apns.send(phone(), note())).outcome is Outcome.TAKEN
            async with pushing(p8, server.url) as apns:
                sent = await apns.send(phone(), note(), within_s=0.5)
                assert sent.outcome is Outcome.LATER and "certificate" in sent.detail.lower()

    async def test_a_peer_that_speaks_no_http2_gets_nothing(self, p8: str, tmp_path: Path) -> None:
        """A proxy that ends the connection itself, say."""
        tls, ca_file = client_and_server(tmp_path)
        async with apns_server(tls) as server, pushing(p8, server.url, ca_file=ca_file) as apns:
            sent = await apns.send(phone(), note(), within_s=0.3)
            assert sent.outcome is Outcome.LATER and "does not speak HTTP/2" in sent.detail


class TestAnswers:
    """Apple answers: taken, dead, later, refused."""

    @pytest.mark.parametrize(
        ("answer", "outcome", "wait_s"),
        [
            (Answer(410, "Unregistered", timestamp=REGISTERED_AT + 1), Outcome.DEAD, 0),
            (Answer(410, "Unregistered", timestamp=REGISTERED_AT), Outcome.LATER, 5),
            (Answer(400, "BadDeviceToken"), Outcome.DEAD, 0),
            (Answer(429, "TooManyRequests", {"retry-after": "7"}), Outcome.LATER, 7),
            (Answer(429, "TooManyRequests"), Outcome.LATER, 5),
            (Answer(403, "InvalidProviderToken"), Outcome.REFUSED, 0),
            (Answer(413, "PayloadTooLarge"), Outcome.REFUSED, 0),
            (Answer(503, "", {"retry-after": "20"}), Outcome.LATER, 20),
        ],
    )
    async def test_an_answer_is_final(self, p8: str, answer: Answer, outcome: Outcome, wait_s: float) -> None:
        """No second attempt changes it; another phone's push is not touched by it."""
        async with apple(p8) as (apns, server):
            server.fate = only(SICK, answer)
            sick, well = await asyncio.gather(apns.send(phone(SICK), note(1)), apns.send(phone(), note(2)))

            assert (sick.outcome, sick.retry_after_s) == (outcome, wait_s)
            assert sick.detail.startswith(str(answer.status))
            assert well.outcome is Outcome.TAKEN and server.counted == {SICK: 1, WELL: 1}


class TestSecondAttempt:
    """What fails on one connection is tried once more on the other, within the same deadline."""

    @pytest.mark.parametrize(
        "fate",
        [
            Answer(503),
            Answer(500, raw=b"<html>"),
            Reset(),
            Reset(ErrorCodes.REFUSED_STREAM),
            GoAway(),
            HangUp(),
        ],
        ids=["503-no-body", "500-html", "reset", "refused-stream", "goaway", "hang-up"],
    )
    async def test_a_failure_is_tried_again_elsewhere(self, p8: str, fate: Fate) -> None:
        """And succeeds there, at once."""
        async with apple(p8) as (apns, server):
            await until(lambda: len(server.open) == 2)
            server.fate = first(fate)
            sent, took_s = await timed(apns.send(phone(), note()))

            assert sent.outcome is Outcome.TAKEN and took_s < 0.5
            one, other = server.asked
            assert one.connection != other.connection
            assert one.headers["apns-id"] == other.headers["apns-id"]

    @pytest.mark.parametrize(
        ("fate", "outcome"),
        [
            (Answer(503), Outcome.LATER),
            (Reset(), Outcome.LOST),
            (Reset(ErrorCodes.REFUSED_STREAM), Outcome.LATER),
            (HangUp(), Outcome.LOST),
        ],
        ids=["503", "reset", "refused-stream", "hang-up"],
    )
    async def test_there_is_no_third(self, p8: str, fate: Fate, outcome: Outcome) -> None:
        """LATER when it surely did not arrive, LOST when it may have."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: fate
            sent, took_s = await timed(apns.send(phone(), note(), within_s=2.0))

            assert sent.outcome is outcome and took_s < 2.2 and sent.retry_after_s > 0
            assert server.counted[WELL] == 2

    @pytest.mark.parametrize(
        "fate",
        [Answer(503), Answer(429), Reset(), Reset(ErrorCodes.REFUSED_STREAM)],
        ids=["503", "429", "reset", "refused-stream"],
    )
    async def test_a_failure_disturbs_no_push_beside_it(self, p8: str, fate: Fate) -> None:
        """On the same connections, in the same instant."""
        async with apple(p8) as (apns, server):
            server.fate = only(SICK, fate)
            results = await asyncio.gather(
                *(timed(apns.send(phone(SICK if n % 3 == 0 else WELL), note(n))) for n in range(150))
            )
            well = [result for n, result in enumerate(results) if n % 3]
            assert {sent.outcome for sent, _ in well} == {Outcome.TAKEN}
            assert server.counted[WELL] == 100 and server.opened == 2
            assert max(took_s for _, took_s in results) < 2.5

    @pytest.mark.parametrize("fate", [Silence(), Deaf()], ids=["silence", "half-open"])
    async def test_silence_is_answered_by_the_other_connection(self, p8: str, fate: Fate) -> None:
        """After a third of the time, while others go through undisturbed."""
        async with apple(p8) as (apns, server):
            await until(lambda: len(server.open) == 2)
            server.fate = first(fate)
            sick = asyncio.ensure_future(timed(apns.send(phone(SICK), note(), within_s=0.9)))  # noqa: TID251
            await until(lambda: server.asked)
            well = await asyncio.gather(*(timed(apns.send(phone(), note(n))) for n in range(2, 12)))

            assert {sent.outcome for sent, _ in well} == {Outcome.TAKEN}
            sent, took_s = await sick
            assert sent.outcome is Outcome.TAKEN and 0.25 < took_s < 0.8

    async def test_silence_everywhere_ends_at_the_deadline(self, p8: str) -> None:
        """Never later, and only for whom Apple is silent."""
        async with apple(p8) as (apns, server):
            server.fate = only(SICK, Silence())
            results = await asyncio.gather(
                *(timed(apns.send(phone(SICK), note(n), within_s=0.6)) for n in range(50)),
                *(timed(apns.send(phone(), note(n), within_s=0.6)) for n in range(50)),
            )

            assert {sent.outcome for sent, _ in results[:50]} == {Outcome.LOST}
            assert all(0.55 < took_s < 0.9 for _, took_s in results[:50])
            assert {sent.outcome for sent, _ in results[50:]} == {Outcome.TAKEN}
            # What was given up is taken back, so that Apple's count of streams comes down again.
            await until(lambda: server.resets == 100)

    async def test_a_slow_answer_is_better_than_none(self, p8: str) -> None:
        """The first attempt goes on beside the second."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: Answer(after_s=0.4) if len(server.asked) == 1 else Silence()
            sent, took_s = await timed(apns.send(phone(), note(), within_s=0.9))
            assert sent.outcome is Outcome.TAKEN and 0.35 < took_s < 0.6

    async def test_a_deaf_connection_is_found_out_and_replaced(self, p8: str) -> None:
        """By a PING that nobody answers; the next push does not meet it."""
        async with apple(p8) as (apns, server):
            await until(lambda: len(server.open) == 2)
            server.fate = first(Deaf())
            await apns.send(phone(), note(), within_s=0.3)
            await until(lambda: server.opened == 3 and len(server.open) == 2, "the deaf one replaced")
            sent, took_s = await timed(apns.send(phone(), note(2)))
            assert sent.outcome is Outcome.TAKEN and took_s < 0.3

    async def test_an_expired_token_is_renewed_at_most_every_20_minutes(self, p8: str) -> None:
        """A young one that Apple calls expired tells of a wrong clock."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: Answer(403, "ExpiredProviderToken")
            sent = await apns.send(phone(), note())
            assert sent.outcome is Outcome.REFUSED and server.counted[WELL] == 1


class TestGoAway:
    """Apple closes connections whenever it likes, with pushes under way."""

    async def test_in_mid_flight_nobody_loses_anything(self, p8: str) -> None:
        """Streams up to the last one named are answered here, those above it elsewhere, each once."""
        async with apple(p8) as (apns, server):
            held: list[Asked] = []

            def fate(asked: Asked) -> Fate:
                if asked.connection != 0:
                    return Answer()
                held.append(asked)
                return GoAway(last=held[9].stream) if len(held) == 20 else Silence()

            await until(lambda: len(server.open) == 2)
            server.fate = fate
            results = await asyncio.gather(*(timed(apns.send(phone(), note(n))) for n in range(40)))

            assert {sent.outcome for sent, _ in results} == {Outcome.TAKEN}
            assert max(took_s for _, took_s in results) < 0.9
            assert server.counted[WELL] == 50, "ten were sent again, ten answered after the GOAWAY"
            assert not server.faults

    async def test_again_and_again(self, p8: str) -> None:
        """After every third push, and still each is taken."""
        async with apple(p8) as (apns, server):
            count = iter(range(1, 10_000))
            server.fate = lambda asked: GoAway(spares=True) if next(count) % 3 == 0 else Answer()
            for number in range(30):
                sent, took_s = await timed(apns.send(phone(), note(number)))
                assert sent.outcome is Outcome.TAKEN and took_s < 1.0


class TestLimits:
    """What the peer allows, and what we allow ourselves."""

    async def test_the_peers_limit_of_streams_is_kept(self, p8: str) -> None:
        """Apple starts with one until it knows us; the others wait their turn."""
        async with apple(p8) as (apns, server):
            server.settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
            server.fate = lambda asked: Answer(after_s=0.005)
            results = await asyncio.gather(*(apns.send(phone(), note(n)) for n in range(40)))

            assert {sent.outcome for sent in results} == {Outcome.TAKEN}
            assert server.most_streams == 1 and not server.faults

    async def test_small_windows_only_slow_it_down(self, p8: str) -> None:
        """Bodies go out in the pieces the peer takes."""
        async with apple(p8) as (apns, server):
            server.settings = {SettingCodes.INITIAL_WINDOW_SIZE: 100}
            results = await asyncio.gather(*(apns.send(phone(), note(n)) for n in range(200)))

            assert {sent.outcome for sent in results} == {Outcome.TAKEN}
            assert server.asked[-1].payload["seq"] == 3

    async def test_windows_of_error_bodies_are_given_back(self, p8: str) -> None:
        """Far more bytes than one window holds come in without a stop."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: Answer(400, "BadDeviceToken", padding=2_000)
            for _ in range(10):
                results = await asyncio.gather(*(apns.send(phone(), note(n)) for n in range(50)))
                assert {sent.outcome for sent in results} == {Outcome.DEAD}

    async def test_an_endless_body_is_cut_off(self, p8: str) -> None:
        """The status has said what there was to say."""
        async with apple(p8) as (apns, server):
            server.fate = only(SICK, Answer(400, "BadDeviceToken", padding=1_000_000))
            sent, took_s = await timed(apns.send(phone(SICK), note()))
            assert sent.outcome is Outcome.DEAD and took_s < 0.5
            assert (await apns.send(phone(), note())).outcome is Outcome.TAKEN

    async def test_too_many_at_once_wait_and_the_most_urgent_goes_first(self, p8: str) -> None:
        """At most as many in flight as set."""
        async with apple(p8, at_once=2) as (apns, server):
            server.fate = lambda asked: Answer(after_s=0.02)
            low = [apns.send(phone(), note(n, priority="low")) for n in range(10)]
            high = [apns.send(phone(SICK), note(n)) for n in range(4)]
            results = await asyncio.gather(*low, *high)

            assert {sent.outcome for sent in results} == {Outcome.TAKEN} and server.most_streams <= 2
            order = [asked.device_token for asked in server.asked]
            assert order[2:6] == [SICK] * 4, "behind the two that were in already"

    async def test_whose_turn_does_not_come_is_told_in_time(self, p8: str) -> None:
        """It was not sent: later."""
        async with apple(p8, at_once=1) as (apns, server):
            server.fate = lambda asked: Silence()
            results = await asyncio.gather(
                *(timed(apns.send(phone(), note(n), within_s=0.3)) for n in range(3))
            )
            assert [sent.outcome for sent, _ in results] == [Outcome.LOST, Outcome.LATER, Outcome.LATER]
            assert all(took_s < 0.5 for _, took_s in results)

    async def test_cancelling_one_harms_no_other(self, p8: str) -> None:
        """Neither those in flight beside it nor those that wait."""
        async with apple(p8, at_once=20) as (apns, server):
            server.fate = lambda asked: Answer(after_s=0.1)
            async with asyncio.TaskGroup() as group:
                pushes = [group.create_task(apns.send(phone(), note(n))) for n in range(40)]
                await until(lambda: server.counted[WELL] >= 20)
                for push in pushes[::2]:
                    push.cancel()
            assert {push.result().outcome for push in pushes[1::2]} == {Outcome.TAKEN}
            assert all(push.cancelled() for push in pushes[::2])
            assert server.opened == 2 and (await apns.send(phone(), note())).outcome is Outcome.TAKEN

    async def test_an_address_that_can_be_none_is_not_sent(self, p8: str) -> None:
        """It would become part of a path."""
        async with apple(p8) as (apns, server):
            for address in ("", "a" * 63, "a" * 201, "a" * 63 + "/", "é" * 64, "a" * 63 + "\n"):
                assert apns.address_fault(address, {}) is not None
                assert (await apns.send(phone(address), note())).outcome is Outcome.REFUSED
            assert not server.asked and apns.address_fault(WELL.upper(), {}) is None


class TestUnreachable:
    """No connection, and connections of no use."""

    async def test_nobody_listens(self, p8: str) -> None:
        """Later, with the cause, at the deadline: a connection might have come."""
        async with apns_server() as server:
            url = server.url
        async with pushing(p8, url) as apns:
            sent, took_s = await timed(apns.send(phone(), note(), within_s=0.4))
            assert sent.outcome is Outcome.LATER and "no connection" in sent.detail and took_s < 0.6

    async def test_it_comes_back(self, p8: str) -> None:
        """A push that waits gets the new connection, soon."""
        async with apns_server() as server:
            url = server.url
        async with pushing(p8, url) as apns:
            await apns.send(phone(), note(), within_s=0.3)
            port = int(url.rpartition(":")[2])
            async with apns_server(port=port) as server:
                sent, took_s = await timed(apns.send(phone(), note()))
                assert sent.outcome is Outcome.TAKEN and took_s < 1.5

    async def test_one_that_accepts_and_says_nothing(self, p8: str) -> None:
        """Without a greeting there is no connection."""
        async with apple(p8) as (apns, server):
            server.greets = False
            sent, took_s = await timed(apns.send(phone(), note(), within_s=0.4))
            assert sent.outcome is Outcome.LATER and took_s < 0.6

    async def test_one_that_hangs_up_on_each_push_is_not_called_without_end(self, p8: str) -> None:
        """New connections come with back-off."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: HangUp()
            async with asyncio.timeout(3):
                for number in range(6):
                    await apns.send(phone(), note(number), within_s=0.3)
            assert server.opened <= 14

    async def test_stopping_answers_what_is_in_flight(self, p8: str) -> None:
        """At once, as lost."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: Silence()
            async with asyncio.TaskGroup() as group:
                push = group.create_task(timed(apns.send(phone(), note())))
                await until(lambda: server.asked)
                await apns.stop()
            sent, took_s = push.result()
            assert sent.outcome is Outcome.LOST and took_s < 1.0


class TestCheck:
    """What `alarmhub doctor` asks."""

    async def test_a_token_that_no_phone_has_proves_the_credentials(self, p8: str) -> None:
        """Apple looks at them first."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: Answer(400, "BadDeviceToken")
            assert await apns.check() == []
            assert server.counted == {NOBODYS_TOKEN: 1}

    @pytest.mark.parametrize(
        ("answer", "fault"),
        [
            (Answer(403, "InvalidProviderToken"), "403 InvalidProviderToken: key, key_id and team_id do not"),
            (Answer(400, "TopicDisallowed"), "400 TopicDisallowed: topic: "),
            (Answer(200), "expected BadDeviceToken from Apple, got 200"),
            (Answer(503), "expected BadDeviceToken from Apple, got 503"),
        ],
    )
    async def test_anything_else_is_a_fault(self, p8: str, answer: Answer, fault: str) -> None:
        """With a hint where one is known."""
        async with apple(p8) as (apns, server):
            server.fate = lambda asked: answer
            [found] = await apns.check()
            assert found.startswith(fault)

    async def test_a_wrong_key_is_found_without_asking(
        self, p8: str, log_lines: list[dict[str, Any]]
    ) -> None:
        """Said at the start, and every push is refused for it."""
        async with apple(p8, key=Secret("no key")) as (apns, server):
            assert await apns.check() == ["key: expected a private key in PEM form, as in Apple's .p8 file"]
            assert (await apns.send(phone(), note())).outcome is Outcome.REFUSED
            assert server.opened == 0
        [said] = [line for line in log_lines if line["event"] == "push_refused"]
        assert said["log_level"] == "error" and said["transport"] == "apns"

    async def test_a_wrong_ca_file_too(self, p8: str, tmp_path: Path) -> None:
        """Of a provider with TLS."""
        (tmp_path / "ca.pem").write_text("no certificate")
        async with pushing(p8, "https://127.0.0.1:9", ca_file=str(tmp_path / "ca.pem")) as apns:
            [fault] = await apns.check()
            assert fault.startswith("ca_file: ")

    async def test_nobody_there(self, p8: str) -> None:
        """The cause is named."""
        async with apns_server() as server:
            url = server.url
        async with pushing(p8, url, answer_within_s=0.2) as apns:
            [fault] = await apns.check()
            assert fault.startswith("no connection to 127.0.0.1:")


def test_on_the_hubs_usual_event_loop_too(p8: str) -> None:
    """The hub runs on uvloop by default: an ordinary answer, a GOAWAY, a cut, and a connection gone deaf."""

    async def play() -> None:
        async with apple(p8) as (apns, server):
            await until(lambda: len(server.open) == 2)
            for fate in (Answer(), GoAway(), HangUp(), Deaf()):
                server.fate = first(fate)
                sent, took_s = await timed(apns.send(phone(), note(), within_s=1.5))
                assert sent.outcome is Outcome.TAKEN and took_s < 1.3

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


async def test_nothing_grows_over_10_000_pushes(p8: str) -> None:
    """Of every kind, good and bad: neither memory nor tasks nor connections; and none is late."""
    bad = [Answer(410, "Unregistered", timestamp=1), Answer(503), Reset(), Answer(429, "TooManyRequests")]
    rare: dict[int, Fate] = {
        199: Silence(),
        999: GoAway(spares=True),
        1_499: GoAway(),
        1_999: HangUp(),
        2_499: Deaf(),
    }
    count = iter(range(1_000_000))

    def fate(asked: Asked) -> Fate:
        number = next(count)
        if (fate := rare.get(number % 2_500)) is not None:
            return fate
        return bad[number // 7 % len(bad)] if number % 7 == 0 else Answer()

    async with apple(p8) as (apns, server):
        server.fate = fate
        server.asked = type(server.asked)(maxlen=1)
        slowest_s = 0.0

        async def thousand() -> None:
            nonlocal slowest_s
            for batch in range(10):
                sent = await asyncio.gather(
                    *(timed(apns.send(phone(), note(batch * 100 + n), within_s=1.5)) for n in range(100))
                )
                slowest_s = max(slowest_s, *(took_s for _, took_s in sent))

        for _ in range(3):
            await thousand()
        growth = Growth()
        for _ in range(10):
            await thousand()

        assert next(count) > 13_000 and slowest_s < 2.0
        growth.assert_less_than(blocks=5_000, resident=8_000_000)
        assert len(server.open) <= 4 and not server.faults
