"""The ESPA-X adapter: real messages over real sockets; all it says is judged by a schema of its own."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.clock import MonotonicClock
from alarmhub.core.alarm import Flag, Phase
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.core.site import MappingRule
from alarmhub.inbound.espax import EspaxAdapter
from alarmhub.inbound.espax_login import FAILURES
from alarmhub.inbound.espax_settings import EspaxLink
from alarmhub.inbound.espax_words import Origin, origin_of, tan_of
from alarmhub.inbound.feed import Feed
from alarmhub.metrics import Metrics
from alarmhub.ports import DeliveryFailed, NotStored, Refused, SignalOutcome
from alarmhub.secret import Secret
from alarmhub.tasks import Crew
from load.espax_client import EspaxClient
from tests.support.espax_line import EspaxLine
from tests.support.espax_oracle import request, sample
from tests.support.intake import BED, Intake, small_site
from tests.support.waiting import until

LINK = EspaxLink(
    source="plant", listen="127.0.0.1:0", user="lichtruf", password=Secret("geheim12"), details="Results"
)
RULES = (MappingRule(address=r"^1002/.*/12-2$", place=BED), MappingRule(text=r"^Zi 12 Bett 2", place=BED))


class Hub(Intake):
    """An intake whose commits wait for a gate, and whose plant maps ESPA-X addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = 0
        self.key_of = ""  # what the next call is known by instead of its own key
        site = small_site()
        plant = replace(site.sources["plant"], protocol="espax", rules=RULES)
        self.world_now = replace(self.world_now, site=replace(site, sources=site.sources | {"plant": plant}))

    async def signal(self, signal: Signal) -> SignalOutcome:
        """Wait for the gate, then take."""
        self.begun += 1
        await self.gate.wait()
        if self.key_of:
            signal, self.key_of = replace(signal, key=self.key_of), ""
        return await super().signal(signal)

    def change(self, id: str, **fields: Any) -> None:
        """An open alarm as it is later."""
        self.alarms[id] = replace(self.alarms[id], **fields)

    def report(self, status: ReportStatus, **more: Any) -> tuple[Report, str]:
        """What the engine reports of the newest alarm, and its id."""
        alarm = list(self.alarms.values())[-1]
        report = Report(
            "plant", status, alarm.ref, alarm.source_text, key=alarm.key, origin=alarm.origin, **more
        )
        return report, alarm.id


class Rig:
    """One link and its hub."""

    def __init__(self, hub: Hub, settings: EspaxLink) -> None:
        self.hub = hub
        self.crew = Crew("test")
        self.metrics = Metrics()
        self.feed = Feed(
            "plant", "espax", hub=hub, clock=MonotonicClock(), crew=self.crew, metrics=self.metrics
        )
        self.adapter = EspaxAdapter(settings, self.feed)

    def line(self) -> EspaxLine:
        """A raw client."""
        return EspaxLine(self.adapter.port)

    def client(self, password: str = "geheim12", **more: Any) -> EspaxClient:
        """A client of another make."""
        return EspaxClient("127.0.0.1", self.adapter.port, "lichtruf", password, **more)

    async def report(self, status: ReportStatus, **more: Any) -> None:
        """The engine reports of the newest alarm."""
        await self.adapter.report(*self.hub.report(status, **more))


@asynccontextmanager
async def rig(hub: Hub | None = None, **settings: Any) -> AsyncIterator[Rig]:
    """A link that listens; afterwards no task is left and none has died."""
    it = Rig(hub or Hub(), replace(LINK, **settings))
    await it.adapter.start()
    try:
        yield it
    finally:
        it.hub.gate.set()
        await it.adapter.close()
        it.feed.close()
        assert await it.crew.close()
        assert not it.crew.fatal.done()


async def test_a_call_is_confirmed_after_its_commit_and_not_before() -> None:
    """The promise of the hub, on the wire; a heartbeat is answered meanwhile."""
    async with rig() as it, it.line() as line:
        await line.login()
        it.hub.gate.clear()
        await line.say(request("REQ.P-START", 5, line.session, CP_PR_REF="r", CP_TEXTMSG="Zi 12 Bett 2"))
        await until(lambda: it.hub.begun, "the call to reach the hub")
        assert (await line.ask("REQ.HEARTBEAT")).code == "200"
        it.hub.gate.set()
        answer = await line.hear()
        (alarm,) = it.hub.alarms.values()
        assert (answer.element, answer.code, answer.attributes["invokeID"]) == ("RSP.P-START", "200", "5")
        assert (answer.fields["CP-PR-REF"], answer.fields["SP-PR-TAN"]) == ("r", str(tan_of(alarm.id)))
        assert (alarm.key, alarm.place) == ("r", BED)
        assert it.feed.status.last_answer == "RSP.P-START 200"


SAMPLES = {
    "01": ("a login", None, ["RSP.LOGIN 200"]),
    "02": ("an answer to nothing", None, []),
    "03": ("is the hub well?", None, ["RSP.S-CONDITION 200"]),
    "04": ("an answer to nothing", None, []),
    "05": (
        "an emergency call from room 12 bed 1, to be called back at 1900",
        Signal(
            "plant",
            SignalEvent.START,
            key="ruf-4711",
            ref="ruf-4711",
            priority=Priority.HIGH,
            source_text="Zi 12 Bett 1 Notruf",
            callback="1900",
            mapped_by=("espax:emergency", "espax:emergency", "no_rule"),
        ),
        ["RSP.P-START 200", "IND.P-STARTED"],
    ),
    "06": ("a server's news", None, ["IND.ERROR 405"]),
    "07": ("an answer to nothing", None, []),
    "08": ("an answer to nothing", None, []),
    "09": ("a heartbeat", None, ["RSP.HEARTBEAT 200"]),
    "10": ("an answer to nothing", None, []),
    "11": ("a server's news", None, ["IND.ERROR 405"]),
    "12": ("a server's news", None, ["IND.ERROR 405"]),
    "13": ("a server's news", None, ["IND.ERROR 405"]),
    "14": (
        "the end of the call from room 12 bed 1",
        Signal("plant", SignalEvent.END, key="ruf-4711", ref="ruf-4711", mapped_by=("espax:p_stop",)),
        ["RSP.P-STOP 410"],
    ),
    "15": ("an answer to nothing", None, []),
    "16": ("an error, never answered", None, []),
    "17": ("a goodbye", None, ["RSP.LOGOUT 200"]),
    "18": ("an answer to nothing", None, []),
    "19": ("a server's order", None, ["IND.ERROR 405"]),
    "20": ("what became of process 100001?", None, ["RSP.P-GETSTAT 410"]),
    "21": ("an answer to nothing", None, []),
    "22": ("a server's news", None, ["IND.ERROR 405"]),
    "23": ("a server's news", None, ["IND.ERROR 405"]),
    "24": ("a server's news", None, ["IND.ERROR 405"]),
}


@pytest.mark.parametrize("number", SAMPLES)
async def test_each_published_message_is_what_a_person_would_expect(number: str) -> None:
    """What it is, the signal it means, and the answer on the wire; a heartbeat after it shows that no more
    was said."""
    _, signal, answers = SAMPLES[number]
    async with rig() as it, it.line() as line:
        await line.login()
        document = sample(number)[10:].replace(b"20241122090000.0001", line.session.encode())
        await line.say(struct.pack(">2sII", b"EX", 10 + len(document), 7) + document)
        said = [await line.hear() for _ in answers]
        assert [f"{message.element} {message.code}".strip() for message in said] == answers
        taken = [replace(it, origin="") for it in it.hub.taken]
        assert taken == ([signal] if signal is not None else [])
        if number == "17":
            assert await line.ended() == b""
        elif number != "01":
            assert (await line.ask("REQ.HEARTBEAT")).code == "200"


async def test_the_same_reference_while_it_runs_is_a_duplicate_also_across_a_restart() -> None:
    """450 with the number it has; ended, the same reference is a new process."""
    hub = Hub()
    async with rig(hub) as it, it.line() as line:
        await line.login()
        first = await line.start("ruf-1", TEXTMSG="Zi 12 Bett 2")
        again = await line.start("ruf-1", TEXTMSG="Zi 12 Bett 2")
        assert (first.code, again.code) == ("200", "450")
        assert first.fields["SP-PR-TAN"] == again.fields["SP-PR-TAN"]
    async with rig(hub) as it, it.line() as line:
        await line.login()
        after = await line.start("ruf-1", TEXTMSG="Zi 12 Bett 2")
        assert (after.code, after.fields["SP-PR-TAN"]) == ("450", first.fields["SP-PR-TAN"])
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="ruf-1", CP_PR_MASK="All")).code == "200"
        new = await line.start("ruf-1", TEXTMSG="Zi 12 Bett 2")
        assert new.code == "200"
        assert new.fields["SP-PR-TAN"] != first.fields["SP-PR-TAN"]


async def test_what_is_not_stored_is_503_and_what_never_can_be_400() -> None:
    """With process number 0; clients hear that the hub is not well, and when it is again."""
    async with rig() as it, it.line() as line:
        await line.login()
        it.hub.refuse = NotStored("database away")
        busy = await line.start("a")
        assert (busy.code, busy.fields["SP-PR-TAN"], busy.fields["RSP-INFO"]) == ("503", "0", "database away")
        assert (await line.hear()).fields["S-HEALTH"] == "Problem detected"
        assert (await line.ask("REQ.S-CONDITION")).fields["S-HEALTH"] == "Problem detected"
        it.hub.refuse = Refused("poison")
        assert (await line.start("a")).code == "400"
        assert (await line.hear()).fields["S-HEALTH"] == "OK"
        it.hub.refuse = None
        assert (await line.start("a")).code == "200"
        it.hub.is_storing = False
        assert (await line.ask("REQ.S-CONDITION")).fields["S-HEALTH"] == "Problem detected"


async def test_a_process_is_stopped_by_reference_or_number_and_gone_when_over() -> None:
    """200 once, 410 after; a number is known after a restart too."""
    hub = Hub()
    async with rig(hub) as it, it.line() as line:
        await line.login()
        await line.start("a")
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="a", CP_PR_MASK="All")).code == "200"
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="a", CP_PR_MASK="All")).code == "410"
        assert (await line.ask("REQ.P-STOP", SP_PR_TAN="5", CP_PR_MASK="All")).code == "410"
        tan = (await line.start("", TEXTMSG="no reference")).fields["SP-PR-TAN"]
    async with rig(hub) as it, it.line() as line:
        await line.login()
        assert (await line.ask("REQ.P-STOP", SP_PR_TAN=tan)).code == "200"
        assert not hub.open_alarms()


async def test_no_call_ends_by_mistake() -> None:
    """A stop that names nothing, a state it does not mean, or somebody else's call."""
    async with rig() as it, it.line() as line:
        await line.login()
        await line.start("a")
        await it.hub.signal(Signal("other", SignalEvent.START, key="b"))
        theirs = list(it.hub.alarms.values())[-1]
        assert (await line.ask("REQ.P-STOP", CP_PR_MASK="All")).code == "406"
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="a", CP_PR_MASK="Queued Postprocessing")).code == "406"
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="b", CP_PR_MASK="All")).code == "410"
        assert (await line.ask("REQ.P-STOP", SP_PR_TAN=str(tan_of(theirs.id)))).code == "410"
        assert len(it.hub.open_alarms()) == 2
        it.hub.refuse = NotStored("database away")
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="a", CP_PR_MASK="Active")).code == "503"


async def test_a_reference_in_use_at_two_places_ends_neither_until_it_is_clear_which() -> None:
    """A client that counts from 1 again, while its first call still rings: never the wrong bed's."""
    hub = Hub()
    async with rig(hub) as it, it.line() as line:
        await line.login()
        first = await line.start("1", TEXTMSG="Zi 12 Bett 2")
        # As the engine has it: two places under one reference are two alarms.
        hub.key_of = "1|fjall/202/sal1"
        second = await line.start("1", TEXTMSG="Zi 1 Bett 1")
        assert (first.code, second.code) == ("200", "200")
        stop = await line.ask("REQ.P-STOP", CP_PR_REF="1", CP_PR_MASK="All")
        assert (stop.code, len(hub.open_alarms())) == ("409", 2)
    async with rig(hub) as it, it.line() as line:
        await line.login()
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="1", CP_PR_MASK="All")).code == "409"
        tan = first.fields["SP-PR-TAN"]
        assert (await line.ask("REQ.P-STOP", SP_PR_TAN=tan)).code == "200"
        assert [it.key for it in hub.open_alarms()] == ["1|fjall/202/sal1"]
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="1", CP_PR_MASK="All")).code == "200"
        assert not hub.open_alarms()


async def test_a_status_dump_is_every_open_process_of_this_client_and_its_end() -> None:
    """After a restart as before; by mask, by name; 410 for what is not there."""
    hub = Hub()
    async with rig(hub) as it, it.line() as line:
        await line.login()
        await line.start("a", GROUPID="1002", CBCKNO="+46 1900", CALLBACK="Phone")
        await line.start("b")
        await hub.signal(Signal("other", SignalEvent.START, key="c"))
    a, b, _ = hub.alarms.values()
    hub.change(a.id, phase=Phase.ACCEPTED)
    hub.change(b.id, flags=(Flag.RETURNED,))
    async with rig(hub) as it, it.line() as line:
        await line.login()
        assert {(await line.hear()).fields["SP-RESULT"] for _ in range(2)} == {
            "Positive confirmed",
            "Negative",
        }
        assert (await line.ask("REQ.P-GETSTAT", CP_PR_MASK="All")).code == "200"
        dump = {said.fields.get("CP-PR-REF"): said.fields for said in [await line.hear() for _ in range(3)]}
        assert set(dump) == {"a", "b", None}
        assert (dump["a"]["SP-STATUS"], dump["a"]["SP-RESULT"]) == ("Postprocessing", "Positive confirmed")
        assert (dump["a"]["CP-GROUPID"], dump["a"]["CP-CBCKNO"]) == ("1002", "+461900")
        assert (dump["b"]["SP-STATUS"], dump["b"]["SP-RESULT"]) == ("Active", "Negative")
        assert dump["b"]["SP-GETSTAT"] == "true" and dump["b"]["SP-PR-TAN"] == str(tan_of(b.id))
        assert (await line.ask("REQ.P-GETSTAT", CP_PR_REF="b", CP_PR_MASK="Queued")).code == "200"
        assert (await line.hear()).element == "IND.P-SYNC"
        assert (await line.ask("REQ.P-GETSTAT", CP_PR_REF="x", CP_PR_MASK="All")).code == "410"


@pytest.mark.parametrize(
    ("details", "heard"),
    [
        ("No", ["IND.P-STATUS", "IND.P-ENDED"]),
        ("Process", ["IND.P-STARTED", "IND.P-STATUS", "IND.P-ENDED"]),
        ("Results", ["IND.P-EVENT", "IND.P-EVENT", "IND.P-STATUS", "IND.P-ENDED"]),
        ("All", ["IND.P-STARTED", "IND.P-EVENT", "IND.P-EVENT", "IND.P-STATUS", "IND.P-ENDED"]),
    ],
)
async def test_a_client_hears_what_it_asked_for(details: str, heard: list[str]) -> None:
    """Reached, accepted and ended, by CP-PR-DETAILS; the end and the outcome always."""
    async with rig() as it, it.line() as line:
        await line.login()
        await line.start("a", PR_DETAILS=details, GROUPID="1002")
        await it.report(ReportStatus.QUEUED)
        await it.report(ReportStatus.PAGED, staff="anna", name="Anna Lind", role="ssk")
        await it.report(ReportStatus.ACCEPTED, staff="anna", name="Anna Lind", role="ssk")
        await it.report(ReportStatus.ENDED)
        said = [await line.hear() for _ in heard]
        assert [message.element for message in said] == heard
        assert said[-1].fields["SP-ENDREASON"] == "Finished"
        assert said[-1].fields["SP-RESULT"] == "Positive confirmed"
        accepted = [message.fields for message in said if message.fields.get("SS-RESULT") == "Accepted"]
        if details in ("Results", "All"):
            assert accepted[0]["SS-SBSCRID"] == "anna"
            assert (accepted[0]["SS-SBSCRDATA"], accepted[0]["SS-KEY"]) == ("Anna Lind (ssk)", "1")
        assert {message.fields["CP-PR-REF"] for message in said} == {"a"}


async def test_returned_responsibility_is_told_and_taken_back_on_the_same_process() -> None:
    """Whatever the details: Active and Negative, then Postprocessing and Positive confirmed."""
    async with rig() as it, it.line() as line:
        await line.login()
        await line.start("a", PR_DETAILS="No")
        await it.report(ReportStatus.UNANSWERED)
        await it.report(ReportStatus.ACCEPTED)
        back, taken = await line.hear(), await line.hear()
        assert (back.fields["SP-STATUS"], back.fields["SP-RESULT"]) == ("Active", "Negative")
        assert (taken.fields["SP-STATUS"], taken.fields["SP-RESULT"]) == (
            "Postprocessing",
            "Positive confirmed",
        )


async def test_a_client_that_heeds_only_ends_gets_one_and_a_new_start_when_taken_back() -> None:
    """Under the same number; the alarm itself is stopped as ever."""
    async with rig(returned="ended") as it, it.line() as line:
        await line.login()
        tan = (await line.start("a", PR_DETAILS="No")).fields["SP-PR-TAN"]
        await it.report(ReportStatus.ABSENT)
        await it.report(ReportStatus.UNANSWERED)
        await it.report(ReportStatus.ACCEPTED)
        ended, started, status = [await line.hear() for _ in range(3)]
        assert (ended.fields["SP-ENDREASON"], ended.fields["SP-RESULT"]) == ("Failure", "Negative")
        assert (started.element, status.fields["SP-RESULT"]) == ("IND.P-STARTED", "Positive confirmed")
        assert {ended.fields["SP-PR-TAN"], started.fields["SP-PR-TAN"]} == {tan}
        assert (await line.ask("REQ.P-STOP", CP_PR_REF="a", CP_PR_MASK="All")).code == "200"
        await it.report(ReportStatus.ENDED)
        assert (await line.hear()).fields["SP-ENDREASON"] == "Client"


async def test_a_plant_that_takes_accepted_for_the_end_is_not_told_it() -> None:
    """Only that the returned call is in work again."""
    async with rig(accepted_status=False) as it, it.line() as line:
        await line.login()
        await line.start("a", PR_DETAILS="Process")
        assert (await line.hear()).element == "IND.P-STARTED"
        await it.report(ReportStatus.ACCEPTED)
        await it.report(ReportStatus.UNANSWERED)
        await it.report(ReportStatus.ACCEPTED)
        assert (await line.hear()).fields["SP-RESULT"] == "Negative"
        assert (await line.hear()).fields["SP-RESULT"] == "None"


async def test_reports_follow_the_client_to_its_next_session() -> None:
    """Without one they fail, so that they are tried again."""
    async with rig() as it:
        async with it.line() as line:
            await line.login()
            await line.start("a", PR_DETAILS="All")
        await until(lambda: not it.feed.status.connected, "the connection to be gone")
        with pytest.raises(DeliveryFailed):
            await it.report(ReportStatus.PAGED)
        async with it.line() as line, it.line() as second:
            await second.login()
            await it.report(ReportStatus.PAGED)
            assert (await second.hear()).fields["SS-RESULT"] == "Reached"
            await line.login()
            assert it.feed.status.connected == 2


async def test_when_one_of_two_sessions_is_lost_the_other_hears_what_may_have_been_lost_with_it() -> None:
    """ESPA-X confirms nothing that is told, and a dead connection takes it all."""
    async with rig() as it, it.line() as left:
        await left.login()
        await left.start("other")
        async with it.line() as gone:
            await gone.login()
            await gone.start("mine", PR_DETAILS="No")
            mine = list(it.hub.alarms.values())[-1]
            for id in it.hub.alarms:
                it.hub.change(id, flags=(Flag.RETURNED,))
            await it.report(ReportStatus.UNANSWERED)
        told = await left.hear()
        assert (told.element, told.fields["SP-PR-TAN"]) == ("IND.P-STATUS", str(tan_of(mine.id)))
        assert (told.fields["SP-RESULT"], told.fields["SP-GETSTAT"]) == ("Negative", "false")
        assert (await left.ask("REQ.HEARTBEAT")).code == "200"


async def test_only_the_right_user_with_the_right_password_comes_in_and_guessing_is_slow() -> None:
    """401; after too many 503, also with the right one; nothing reaches the hub."""
    async with rig() as it:
        async with it.line() as line:
            for user, password in [("lichtruf", "wrong123"), ("somebody", "geheim12"), ("", "")] * 2:
                assert (await line.login(user, password)).code == "401"
            assert (await line.login()).code == "503"
            assert (await line.start("a")).code == "407"
        assert not it.hub.taken
        assert it.metrics.refusals.labels("espax", "wrong_login")._value.get() == FAILURES
        assert len(it.hub.said) == 1


async def test_strangers_do_not_push_a_client_out() -> None:
    """However much they talk: when there are too many, one of them goes."""
    async with rig(connections=2) as it, it.line() as client:
        await client.login()
        for _ in range(3):
            async with it.line() as stranger:
                assert (await stranger.ask("REQ.HEARTBEAT")).code == "407"
                async with it.line() as another:
                    assert (await another.ask("REQ.HEARTBEAT")).code == "407"
                    assert await stranger.ended() == b""
        assert (await client.ask("REQ.HEARTBEAT")).code == "200"


async def test_a_stop_of_the_hub_is_announced() -> None:
    """CMD.SHUTDOWN to each client that is logged in."""
    async with rig() as it, it.line() as line:
        await line.login()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(it.adapter.close())
            down = await line.hear()
            assert (down.element, down.fields["SD-MODE"]) == ("CMD.SHUTDOWN", "Quick")
            assert await line.ended() == b""


async def test_a_silent_session_ends_and_is_a_fault() -> None:
    """Its link goes down when nothing comes after it."""
    async with rig(session_limit_s=1.0, link_down_s=1.0) as it, it.line() as line:
        await line.login()
        assert (await line.hear()).element == "CMD.SHUTDOWN"
        assert await line.ended() == b""
        await until(lambda: ("plant", False) in it.hub.links, "the link to be told down")
        assert "no heartbeat" in it.feed.status.last_refusal


async def test_nonsense_is_told_apart_and_counted() -> None:
    """600 closes; a stranger's does not blame the client."""
    async with rig() as it:
        async with it.line() as line:
            for _ in range(4):
                await line.say(b"EX\x00\x00\x00\x0b\x00\x00\x00\x00x")
                assert (await line.hear()).code == "601"
            await line.say(b"GET / HTTP/1.1\r\n\r\n")
            assert (await line.hear()).code == "600"
            assert await line.ended() == b""
        assert it.feed.status.refused == 5
        assert not it.hub.said


async def test_a_client_of_another_make_works_a_day() -> None:
    """The simulator: login, condition, call, reset, a pulled cable, a wrong password."""
    async with rig(server_software="DAKS-Pro Alarmhub") as it:
        async with it.client(heartbeat_s=0.05) as client:
            answer = await client.start("a", TEXTMSG="Zi 12 Bett 2", PR_DETAILS="All")
            assert answer.code == 200
            await it.report(ReportStatus.PAGED)
            await client.wait_for(lambda c: "Reached" in c.processes["a"].results)
            client.drop()
            assert (await client.start("b", TEXTMSG="Zi 13")).code == 200
            assert client.sessions == 2
            assert (await client.stop("a")).code == 200
            assert client.running == {"b"}
            assert (await client.logout()).code == 200
        with pytest.raises(Exception, match="401 Unauthorized"):
            async with it.client("wrong123"):
                raise AssertionError("not reached")


def test_what_is_kept_with_an_alarm_is_read_back() -> None:
    """And words of somebody else are nothing."""
    assert origin_of('{"ref":"a","created":5}') == Origin(ref="a", created=5)
    assert origin_of("PV1|x") == origin_of("") == Origin()
