"""The outer contract over real HTTP, line by line (design.md section 5)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from msgspec.structs import replace
from yarl import URL

from alarmhub.ports import AnswerOutcome, NotStored, Refused, SourceStatus
from tests.support.intake import BED
from tests.support.web import ANNA, BO, OTHER, Answer, running

START: dict[str, Any] = {"ref": "bed-7", "event": "start", "place": BED, "kind": "patient_call"}


def is_problem(answer: Answer, status: int) -> dict[str, Any]:
    """The problem in a refusal, checked for its form."""
    assert answer.status == status, answer.raw
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert {"type", "title", "detail"} <= set(answer.body)
    return answer.body


# Signals


async def test_a_start_is_answered_with_the_alarm_it_opened() -> None:
    """201, an alarm id, ringing, new."""
    async with running() as (hub, call):
        answer = await call.post(**START)
    assert answer.status == 201, answer.raw
    [alarm] = hub.intake.alarms
    assert answer.body == {"alarm": alarm, "phase": "ringing", "new": True}
    assert answer.headers["Content-Type"] == "application/json"
    assert uuid.UUID(alarm)


async def test_a_start_of_an_open_ref_is_the_same_alarm() -> None:
    """200, and not new."""
    async with running() as (_, call):
        first = await call.post(**START)
        again = await call.post(**START)
    assert again.status == 200
    assert again.body == {"alarm": first.body["alarm"], "phase": "ringing", "new": False}


async def test_the_same_ref_of_two_sources_is_two_alarms() -> None:
    """A ref is the source's own."""
    async with running() as (_, call):
        first = await call.post(**START)
        second = await call.post(secret=OTHER, **START)
    assert (first.status, second.status) == (201, 201)
    assert first.body["alarm"] != second.body["alarm"]


async def test_the_same_id_gets_the_same_answer_whatever_has_happened_since() -> None:
    """A source that heard nothing may ask again: 201 again, though the alarm has ended."""
    async with running() as (hub, call):
        first = await call.post(id="e1", **START)
        await call.post(ref="bed-7", event="end")
        again = await call.post(id="e1", **START)
    assert (again.status, again.raw) == (201, first.raw)
    assert len(hub.intake.alarms) == 1


async def test_an_end_ends_and_an_end_of_nothing_says_null() -> None:
    """200 both times."""
    async with running() as (_, call):
        first = await call.post(**START)
        ended = await call.post(ref="bed-7", event="end")
        again = await call.post(ref="bed-7", event="end")
    assert (ended.status, ended.body) == (200, {"alarm": first.body["alarm"], "phase": "ended", "new": False})
    assert (again.status, again.body) == (200, {"alarm": None})


async def test_an_update_of_an_unknown_ref_opens_an_alarm() -> None:
    """201, as a start does."""
    async with running() as (_, call):
        assert (await call.post(**START | {"event": "update"})).status == 201


async def test_an_unknown_place_is_still_an_alarm() -> None:
    """At the source's fallback unit, with a note."""
    async with running() as (hub, call):
        answer = await call.post(**START | {"place": "fjall/nowhere"})
    assert (answer.status, answer.body["note"]) == (201, "unknown_place")
    [alarm] = hub.intake.alarms.values()
    assert alarm.unit == "202"


async def test_unknown_members_are_ignored() -> None:
    """Receivers ignore what they do not know."""
    async with running() as (_, call):
        assert (await call.post(**START, colour="red", nested={"a": [1]})).status == 201


async def test_a_source_cannot_speak_for_another() -> None:
    """403 and nothing is taken; its own name is in order."""
    async with running() as (hub, call):
        problem = is_problem(await call.post(**START, source="other"), 403)
        assert (await call.post(**START, source="plant")).status == 201
    assert problem["field"] == "source"
    assert [signal.source for signal in hub.intake.taken] == ["plant"]


async def test_an_api_token_names_a_source_of_the_site() -> None:
    """Without one, or with one the site does not have, 400 names the member."""
    async with running() as (hub, call):
        token = hub.shelf.admit("t", "api", "press", "signals:write")
        assert is_problem(await call.post(token, **START), 400)["field"] == "source"
        assert is_problem(await call.post(token, **START, source="moon"), 400)["field"] == "source"
        assert (await call.post(token, **START, source="plant")).status == 201
    assert [signal.source for signal in hub.intake.taken] == ["plant"]


@pytest.mark.parametrize(
    ("raised", "signal", "status", "retry_after"),
    [
        (NotStored("database", 3), START, 503, "3"),
        (NotStored("full", 4), START, 429, "4"),
        (NotStored("full"), START | {"priority": "high"}, 503, "2"),
        (NotStored("full"), START | {"kind": "emergency"}, 503, "2"),
        (NotStored("full"), START | {"kind": None, "type": "hjartlarm"}, 503, "2"),
        (NotStored("full", 0), START, 429, "1"),
    ],
)
async def test_what_is_not_stored_says_when_to_come_again(
    raised: Exception, signal: dict[str, Any], status: int, retry_after: str
) -> None:
    """429 for backlog alone and never for high priority; else 503. Both with Retry-After."""
    async with running() as (hub, call):
        hub.intake.refuse = raised
        answer = await call.post(**signal)
    assert is_problem(answer, status)["retry"] is True
    assert answer.headers["Retry-After"] == retry_after


async def test_what_can_never_be_stored_is_invalid() -> None:
    """422: coming again would not help."""
    async with running() as (hub, call):
        hub.intake.refuse = Refused()
        problem = is_problem(await call.post(**START), 422)
    assert (problem["error"], problem["retry"]) == ("invalid", False)


async def test_a_fault_inside_is_500_without_a_word_of_it(log_lines: list[dict[str, Any]]) -> None:
    """The caller gets a problem, the log the exception, and the next request is served."""
    async with running() as (hub, call):
        hub.intake.refuse = RuntimeError("the secret recipe")
        answer = await call.post(**START)
        is_problem(answer, 500)
        assert b"recipe" not in answer.raw
        hub.intake.refuse = None
        assert (await call.post(**START)).status == 201
    assert [line["event"] for line in log_lines].count("request_failed") == 1


async def test_a_wrong_member_is_named_over_http() -> None:
    """400 as a problem."""
    async with running() as (hub, call):
        problem = is_problem(await call.post(**START | {"text": "x" * 161}), 400)
    assert (problem["field"], problem["expected"]) == ("text", "text of at most 160 characters")
    assert not hub.intake.taken


async def test_refusals_are_counted_by_name() -> None:
    """Each refusal once, by a name from a closed list; what is taken counts as none."""
    async with running() as (hub, call):
        await call.post(**START)
        await call.post("wrong", **START)
        await call.post(**START | {"text": 3})
        hub.intake.refuse = NotStored("database")
        await call.post(**START)
    assert hub.refusals == ["unauthorized", "invalid", "not_stored"]


# Answers


async def test_a_person_accepts_from_the_phones_secret() -> None:
    """The secret says who answers; what was given is passed on whole."""
    async with running() as (hub, call):
        alarm = (await call.post(**START)).body["alarm"]
        answer = await call(
            "POST", f"/api/v1/alarms/{alarm}/answers", secret=ANNA,
            json={"answer": "accept", "rev": 1, "req": "q1", "reason": "på\nväg"},
        )  # fmt: skip
    assert (answer.status, answer.body) == (200, {"ok": True})
    assert hub.intake.answers == [
        {"staff": "anna", "device": "http:anna", "req": "q1", "alarm": alarm, "answer": "accept", "rev": 1,
         "reason": "på väg", "via": "phone"}
    ]  # fmt: skip


async def test_an_api_token_answers_for_a_person_of_the_site() -> None:
    """Marked as such, with a device id of its own."""
    async with running() as (hub, call):
        token = hub.shelf.admit("t", "api", "board", "alarms:answer")
        path = f"/api/v1/alarms/{(await call.post(**START)).body['alarm']}/answers"
        given = {"answer": "accept", "rev": 1, "req": "q1"}
        assert is_problem(await call("POST", path, secret=token, json=given), 400)["field"] == "staff"
        unknown = await call("POST", path, secret=token, json=given | {"staff": "zeb"})
        assert is_problem(unknown, 400)["field"] == "staff"
        assert (await call("POST", path, secret=token, json=given | {"staff": "anna"})).status == 200
    assert [(a["staff"], a["device"], a["via"]) for a in hub.intake.answers] == [("anna", "api:board", "api")]


async def test_a_phone_cannot_answer_for_another_person() -> None:
    """403 names the member."""
    async with running() as (hub, call):
        path = f"/api/v1/alarms/{(await call.post(**START)).body['alarm']}/answers"
        given = {"answer": "accept", "rev": 1, "req": "q1", "staff": "bo"}
        assert is_problem(await call("POST", path, secret=ANNA, json=given), 403)["field"] == "staff"
    assert not hub.intake.answers


async def test_refused_answers_say_why_in_a_name_and_in_words() -> None:
    """Unknown alarm 404, not concerned 403, over 409; `error` is from the closed list."""
    async with running() as (_, call):
        alarm = (await call.post(**START)).body["alarm"]
        given = {"answer": "accept", "rev": 1, "req": "q1"}

        async def answered(alarm: str, secret: str, req: str) -> Answer:
            return await call(
                "POST", f"/api/v1/alarms/{alarm}/answers", secret=secret, json=given | {"req": req},
                headers={"Accept-Language": "en"},
            )  # fmt: skip

        assert is_problem(await answered(str(uuid.uuid4()), ANNA, "q1"), 404)["error"] == "unknown_alarm"
        assert is_problem(await answered(alarm, BO, "q1"), 403)["error"] == "not_concerned"
        await call.post(ref="bed-7", event="end")
        over = is_problem(await answered(alarm, ANNA, "q2"), 409)
    assert (over["error"], over["retry"]) == ("ended", False)
    assert over["detail"]


@pytest.mark.parametrize(
    ("raised", "status"), [(NotStored("database"), 503), (NotStored("full"), 503), (Refused(), 422)]
)
async def test_an_answer_that_is_not_stored_is_no_answer(raised: Exception, status: int) -> None:
    """An answer is never refused for backlog: 503, or 422 when it can never be stored."""
    async with running() as (hub, call):
        path = f"/api/v1/alarms/{(await call.post(**START)).body['alarm']}/answers"
        hub.intake.refuse = raised
        answer = await call("POST", path, secret=ANNA, json={"answer": "accept", "rev": 1, "req": "q"})
    is_problem(answer, status)
    assert ("Retry-After" in answer.headers) == (status == 503)


async def test_an_outcome_that_asks_to_retry_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    """`not_stored, retry` from the engine means the same as NotStored."""
    async with running() as (hub, call):
        path = f"/api/v1/alarms/{(await call.post(**START)).body['alarm']}/answers"
        monkeypatch.setattr(hub.intake, "_verdict", lambda *_: AnswerOutcome(False, "not_stored", True))
        answer = await call("POST", path, secret=ANNA, json={"answer": "accept", "rev": 1, "req": "q"})
    assert is_problem(answer, 503)["retry"] is True


async def test_noted_is_ok_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded, and it silences nobody: the caller is told."""
    async with running() as (hub, call):
        path = f"/api/v1/alarms/{(await call.post(**START)).body['alarm']}/answers"
        monkeypatch.setattr(hub.intake, "_verdict", lambda *_: AnswerOutcome(True, "noted"))
        answer = await call("POST", path, secret=ANNA, json={"answer": "accept", "rev": 1, "req": "q"})
    assert (answer.status, answer.body) == (200, {"ok": True, "note": "noted"})


# The rest


async def test_ready_while_active_and_storing_only() -> None:
    """503 says which of the two is missing; healthz stays 200."""
    async with running() as (hub, call):
        assert (await call("GET", "/readyz", secret=None)).body == {"status": "ok"}
        hub.not_ready = "another hub is the active one"
        assert is_problem(await call("GET", "/readyz", secret=None), 503)["detail"] == hub.not_ready
        hub.not_ready, hub.intake.is_storing = "", False
        answer = await call("GET", "/readyz", secret=None)
        assert "database" in is_problem(answer, 503)["detail"]
        assert "Retry-After" in answer.headers
        assert (await call("GET", "/healthz", secret=None)).body == {"status": "ok"}


async def test_metrics_are_for_this_machine_and_for_tokens() -> None:
    """A direct caller on loopback needs no secret, one that came through a proxy here does."""
    async with running() as (_, call):
        own = await call("GET", "/metrics", secret=None)
        assert (own.status, own.raw) == (200, b"alarmhub_alarms 0\n")
        assert own.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        proxied = await call("GET", "/metrics", secret=None, headers={"X-Forwarded-For": "10.0.0.9"})
        assert proxied.status == 401


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/api/v1/signals", "POST"),
        ("DELETE", "/api/v1/alarms", "GET, HEAD"),
        ("PUT", "/healthz", "GET, HEAD"),
        ("GET", "/api/v1/alarms/x/answers", "POST"),
        ("PATCH", "/api/v1/signals", "POST"),
    ],
)
async def test_another_method_is_405_with_allow(method: str, path: str, allow: str) -> None:
    """The problem says which methods there are, and so does Allow."""
    async with running() as (_, call):
        answer = await call(method, path)
    is_problem(answer, 405)
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    "path", ["/", "/api/v2/signals", "/api/v1/alarms/", "/api/v1/alarms/no-uuid", "/%00"]
)
async def test_nothing_there_is_404(path: str) -> None:
    """As a problem, whoever asks."""
    async with running() as (_, call):
        is_problem(await call("GET", path), 404)


async def test_a_path_parameter_is_a_segment_without_the_query_and_decoded() -> None:
    """What stands behind a question mark is no part of it; an encoded slash is."""
    async with running() as (_, call):
        opened = await call.post(**START)
        id = opened.body["alarm"]
        asked = await call("GET", f"/api/v1/alarms/{id}?shown=long")
        encoded = await call("GET", URL(f"/api/v1/alarms/%{ord(id[0]):x}{id[1:]}", encoded=True))
        outside = await call("GET", URL(f"/api/v1/alarms/{id}%2Fanswers", encoded=True))
    assert (asked.status, encoded.status, outside.status) == (200, 200, 404)
    assert asked.body["alarm"]["id"] == id


async def test_head_is_get_without_a_body() -> None:
    """For load balancers that ask so."""
    async with running() as (_, call):
        answer = await call("HEAD", "/healthz", secret=None)
    assert (answer.status, answer.raw) == (200, b"")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil", "[::1"])
async def test_an_unknown_host_is_turned_away(host: str) -> None:
    """A page that rebinds its name to our address still says its own name."""
    async with running() as (_, call):
        assert is_problem(await call("GET", "/healthz", headers={"Host": host}), 421)["field"] == "Host"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "10.1.2.3:8080", "[::1]:8080", "Hub.Region.example"]
)
async def test_our_own_names_and_plain_addresses_are_served(host: str) -> None:
    """Localhost, any address, and the names of the settings."""
    async with running(hosts=("HUB.region.example",)) as (_, call):
        assert (await call("GET", "/healthz", headers={"Host": host})).status == 200


async def test_pages_of_other_origins_may_not_call() -> None:
    """Our own origin and those of the settings may."""
    async with running(origins=("https://board.example",)) as (hub, call):
        for origin, status in [
            ("https://evil.example", 403), ("null", 403), ("http://[x", 403), ("http://[::1", 403),
            ("https://board.example", 201), (hub.url, 200),
        ]:  # fmt: skip
            answer = await call("POST", "/api/v1/signals", json=START, headers={"Origin": origin})
            assert answer.status == status, origin


async def test_a_path_with_nul_in_it_leads_nowhere() -> None:
    """No database can be asked for it."""
    async with running() as (hub, call):
        root = await hub.sign_in("root", "administrator")
        for method, path in [("GET", "/board/%00"), ("DELETE", "/api/v1/sessions/a%00")]:
            problem = is_problem(await call(method, path, signed=root), 404)
            assert problem["detail"].startswith("there is nothing")


async def test_every_answer_carries_the_security_headers() -> None:
    """Answers and problems alike: no sniffing, no framing, no caching, no name of the library."""
    async with running() as (_, call):
        for path in ("/healthz", "/nowhere", "/api/v1/openapi.json"):
            headers = (await call("GET", path)).headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert headers["Server"] == "alarmhub"


async def test_a_changed_token_counts_at_once_when_told() -> None:
    """`tokens_changed` after a revocation."""
    async with running() as (hub, call):
        assert (await call.post(**START)).status == 201
        hub.shelf.tokens.clear()
        assert (await call.post(**START)).status == 200
        hub.api.tokens_changed()
        answer = await call.post(**START)
        is_problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_while_the_database_is_away_reads_are_503() -> None:
    """Known secrets still count, the alarms cannot be read."""
    async with running() as (hub, call):
        await call.post(**START)
        hub.shelf.away = True
        for path in ("/api/v1/alarms", f"/api/v1/alarms/{uuid.uuid4()}"):
            answer = await call("GET", path)
            is_problem(answer, 503)
            assert "Retry-After" in answer.headers


async def test_what_is_known_of_each_source() -> None:
    """Its last signal, answer and refusal, those with a line of their own too; for the doctor."""
    async with running() as (hub, call):
        await call.post(ref="1", event="start", place=BED, kind="patient_call")
        await call.post(ref="1", event="begin")
        hub.intake.refuse = NotStored("database away")
        await call.post(secret=OTHER, ref="1", event="start", place=BED, kind="patient_call")
        hub.lines.append(SourceStatus("zigbee", "mqtt", connected=1, peer="broker:1883"))

        token = hub.shelf.admit("doc", "api", "doctor", "metrics:read")
        listed = (await call("GET", "/api/v1/sources", secret=token)).body["sources"]

        other, plant, zigbee = listed
        assert (other["last_answer"], other["last_refusal"], other["last_signal_at"]) == (
            "503",
            "database away",
            None,
        )
        assert plant["last_signal_at"] is not None and plant["refused"] == 1
        assert plant["last_refusal"].startswith("event: expected one of start")
        assert (zigbee["protocol"], zigbee["connected"], zigbee["up"]) == ("mqtt", 1, True)


async def test_clinical_stays_off_until_somebody_answers_for_the_source() -> None:
    """By kind or by a type of that kind; an end is taken, and with a name in the site file all of it."""
    async with running() as (hub, call):
        refused = await call.post(ref="m", event="start", place=BED, kind="clinical")
        assert (refused.status, refused.body["field"]) == (403, "kind")
        assert hub.intake.taken == []
        assert (await call.post(ref="m", event="end")).status == 200
        world = hub.intake.world_now
        enabled = replace(world.site.sources["plant"], clinical_enabled_by="Britta Alm, 2026-11-01")
        site = replace(world.site, sources=world.site.sources | {"plant": enabled})
        hub.intake.world_now = replace(world, site=site)
        assert (await call.post(ref="m", event="start", place=BED, kind="clinical")).status == 201
