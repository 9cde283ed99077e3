"""The HL7 adapter: real bytes over real sockets, a hub that behaves."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.core.events import SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.core.site import MappingRule, Place
from alarmhub.inbound.hl7_words import EVENTS
from alarmhub.ports import DeliveryFailed, NotStored, Refused
from load.hl7_monitor import GATEWAY, Alert, Monitor, pcd04, watchdog
from protocols.hl7 import Message, read
from protocols.mllp import framed
from protocols.pcd04 import Phase
from tests.support.hl7_line import LINE, hl7_rig, sample, with_rules
from tests.support.intake import BED
from tests.support.waiting import until

CLINICAL = (MappingRule(text="MDC_", kind=Kind.CLINICAL),)
SAME = replace(LINE, status_back="same")
ENABLED = "Karin Berg, 2026-11-23"


def errors(message: bytes) -> list[tuple[str, str]]:
    """ERR-2 and ERR-3.1 of an answer."""
    answer = read(message)
    assert isinstance(answer, Message)
    return [(error.raw(2), error.text(3)) for error in answer.all("ERR")]


def _of(sender: bytes, message: bytes) -> bytes:
    """The same from another reporter."""
    return message.replace(GATEWAY.encode(), sender)


class TestAcknowledging:
    """CA means stored."""

    async def test_an_alert_is_acknowledged_after_its_commit_and_not_before(self) -> None:
        """The promise of the hub, on the wire."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            it.hub.gate.clear()
            waiting = asyncio.ensure_future(monitor.report(Alert("7")))  # noqa: TID251
            await until(lambda: it.hub.begun, "the alert to reach the hub")
            assert monitor.raw == []
            it.hub.gate.set()
            assert (await waiting).code == "CA"
            (signal,) = it.hub.taken
            assert (signal.event, signal.place, signal.priority) == (
                SignalEvent.START,
                BED,
                Priority.MEDIUM,
            )
            assert signal.key == "7^SIM_GW^00A0B1FFFEC2D3E4^EUI-64"
            assert signal.source_text == "Patient call [MDCX_EVT_NURSE_CALL 0]"
            assert it.feed.status.last_answer == "CA"

    @pytest.mark.parametrize(
        ("refusal", "code"), [(NotStored("database away"), "CE"), (Refused("poison"), "CR")]
    )
    async def test_what_is_not_stored_is_refused_and_taken_when_it_can_be(
        self, refusal: Exception, code: str
    ) -> None:
        """CE asks for another try, CR does not; the same message again is judged again."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            message = pcd04(Alert("7"), "X1", 0)
            it.hub.refuse = refusal
            answer = await monitor.say(message, "X1")
            assert answer.code == code
            assert errors(monitor.raw[-1]) == [("", "207")]
            it.hub.refuse = None
            assert (await monitor.say(message, "X1")).code == "CA"
            assert len(it.hub.taken) == 1

    async def test_the_same_control_id_is_answered_alike_and_raised_once(self) -> None:
        """A repetition, also over another connection; the time in its header may be new."""
        async with hl7_rig() as it:
            first, second = await it.monitor(), await it.monitor()
            message = pcd04(Alert("7"), "X1", 0)
            assert (await first.say(message, "X1")).code == "CA"
            head, _, body = message.partition(b"\r")
            later = head.replace(b"19700101", b"20260101") + b"\r" + body
            assert (await second.say(later, "X1")).code == "CA"
            assert len(it.hub.taken) == 1

    async def test_an_end_that_does_not_say_where_is_the_end_of_its_alert(self) -> None:
        """Whatever place the site's rules have for what has none."""
        rules = (MappingRule(address=r"^201\^12\^2$", place=BED), MappingRule(place="fjall/ward"))
        site = with_rules(rules)
        ward = Place(path="fjall/ward", label="ward", unit="201")
        site = replace(site, places=site.places | {ward.path: ward})
        async with hl7_rig(LINE, site) as it:
            monitor = await it.monitor()
            await monitor.report(Alert("7"))
            await monitor.report(Alert("7", place="", phase="end"))
            start, end = it.hub.taken
            assert (start.place, end.event, end.key, end.place) == (BED, SignalEvent.END, start.key, "")

    async def test_a_control_id_used_again_for_another_alert_is_another_alert(self) -> None:
        """A gateway that counts from 1 after its restart loses nothing."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            assert (await monitor.say(pcd04(Alert("7"), "1", 0), "1")).code == "CA"
            assert (await monitor.say(pcd04(Alert("8", place="201^12^3"), "1", 0), "1")).code == "CA"
            assert len(it.hub.taken) == 2

    @pytest.mark.parametrize(
        ("commit", "asks", "code"),
        [("", "", "AA"), ("NE", "AL", "AA"), ("AL", "NE", "CA"), ("AL", "AL", "CA")],
    )
    async def test_the_answer_is_of_the_mode_asked_for(self, commit: str, asks: str, code: str) -> None:
        """MSH-15 and MSH-16 (TF-2 B.1, E.3.2)."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            answer = await monitor.say(pcd04(Alert("7"), "X1", 0, commit=commit, asks=asks), "X1")
            assert answer.code == code

    async def test_who_asks_for_no_answer_gets_none(self) -> None:
        """MSH-15 and MSH-16 say never; the alert is stored all the same."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            monitor.write(framed(pcd04(Alert("7"), "X1", 0, commit="NE", asks="NE")))
            assert (await monitor.say(pcd04(Alert("8"), "X2", 0), "X2")).code == "CA"
            assert len(it.hub.taken) == 2
            assert len(monitor.raw) == 1


class TestRefusing:
    """What is not taken says why."""

    @pytest.mark.parametrize(
        ("was", "becomes", "code", "where"),
        [
            (b"ORU^R40^ORU_R40", b"ADT^A01^ADT_A01", "CR", ("MSH^1^9", "200")),
            (b"ORU^R40^ORU_R40", b"ORU^R01^ORU_R01", "CR", ("MSH^1^9", "201")),
            (b"|P|2.6|", b"|D|2.6|", "CR", ("MSH^1^11", "202")),
            (b"|P|2.6|", b"|P|3.0|", "CR", ("MSH^1^12", "203")),
            (b"|start|", b"|begin|", "CE", ("OBX^3^5", "103")),
            (b"OBR|", b"ZZZ|", "CE", ("OBR^1", "101")),
        ],
    )
    async def test_a_faulty_message_is_answered_with_the_field_at_fault(
        self, was: bytes, becomes: bytes, code: str, where: tuple[str, str]
    ) -> None:
        """ERR names it, and the next message is taken."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            message = pcd04(Alert("7"), "X1", 0)
            assert was in message
            assert (await monitor.say(message.replace(was, becomes), "X1")).code == code
            assert errors(monitor.raw[-1]) == [where]
            assert it.feed.status.refused == 1
            assert (await monitor.say(message, "X1")).code == "CA"

    async def test_an_alert_without_any_identity_is_refused(self) -> None:
        """Nothing could ever end it."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            lines = pcd04(Alert("7"), "X1", 0).decode().split("\r")
            lines[2] = "OBR|1|||196616^MDC_EVT_ALARM^MDC"
            assert (await monitor.say("\r".join(lines).encode(), "X1")).code == "CE"
            assert errors(monitor.raw[-1]) == [("OBR^1^3", "101")]

    async def test_a_message_that_is_too_long_is_told_so(self) -> None:
        """Its head is enough to answer by; the connection stays."""
        async with hl7_rig(replace(LINE, message_limit=4096)) as it:
            monitor = await it.monitor()
            long = pcd04(Alert("7", annotation="x" * 5000), "X1", 0)
            answer = await monitor.say(long, "X1")
            assert (answer.code, "4096" in answer.words) == ("CR", True)
            assert (await monitor.report(Alert("7"))).code == "CA"

    async def test_garbage_is_counted_and_good_messages_beside_it_are_taken(self) -> None:
        """Outside a frame, inside one, and empty frames."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            monitor.write(b"hello\x0bnot a message\x1c\r\x0b\x1c\r")
            assert (await monitor.report(Alert("7"))).code == "CA"
            assert it.feed.status.refused == 3

    async def test_an_acknowledgement_is_never_answered(self) -> None:
        """Or two hubs would answer each other for ever."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            monitor.write(framed(sample("synth_09_ack_CA.hl7")))
            assert (await monitor.report(Alert("7"))).code == "CA"
            assert len(monitor.raw) == 1


class TestPhases:
    """From the first message of an alert to its last."""

    @pytest.mark.parametrize("phase", list(Phase))
    async def test_each_phase_is_its_signal(self, phase: Phase) -> None:
        """TF-2 table B.8.5-3 to the hub's words."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            assert (await monitor.report(Alert("7", phase=phase))).code == "CA"
            assert [signal.event for signal in it.hub.taken] == [EVENTS[phase]]

    async def test_a_life_from_start_to_end_is_one_alarm(self) -> None:
        """Raised, worse, acknowledged at the device, over: by one key."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            for phase, priority in (
                ("start", "PM"),
                ("escalate", "PH"),
                ("acknowledged", "PH"),
                ("end", "PN"),
            ):
                assert (await monitor.report(Alert("7", phase=phase, priority=priority))).code == "CA"
            assert [signal.event for signal in it.hub.taken] == [
                SignalEvent.START,
                SignalEvent.UPDATE,
                SignalEvent.ACKNOWLEDGED,
                SignalEvent.END,
            ]
            assert len({signal.key for signal in it.hub.taken}) == 1
            assert it.hub.taken[1].priority is Priority.HIGH

    async def test_a_continue_that_says_nothing_new_is_not_stored_again(self) -> None:
        """A reporter says every ten seconds that it is still there; the time line stays readable."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            for phase in ("start", "continue", "continue", "present"):
                assert (await monitor.report(Alert("7", phase=phase))).code == "CA"
            assert [signal.event for signal in it.hub.taken] == [SignalEvent.START]
            assert (await monitor.report(Alert("7", phase="continue", priority="PH"))).code == "CA"
            assert it.hub.taken[-1].priority is Priority.HIGH

    async def test_a_continue_of_what_is_unknown_opens_it(self) -> None:
        """Resynchronisation; an end of what is unknown is taken and changes nothing."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            assert (await monitor.report(Alert("8", phase="end"))).code == "CA"
            assert it.hub.alarms == {}
            assert (await monitor.report(Alert("7", phase="continue"))).code == "CA"
            assert len(it.hub.alarms) == 1

    async def test_after_its_end_the_same_alert_begins_anew(self) -> None:
        """`stop` may be followed by a start with the same id."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            for phase in ("start", "stop", "start"):
                assert (await monitor.report(Alert("7", phase=phase))).code == "CA"
            assert [signal.event for signal in it.hub.taken] == [
                SignalEvent.START,
                SignalEvent.END,
                SignalEvent.START,
            ]


class TestClinical:
    """Off until a named person answers for it."""

    async def test_clinical_alarms_are_refused_until_somebody_has_enabled_them(self) -> None:
        """CR says why, the refusal is counted, nothing rings; an end is taken."""
        async with hl7_rig(site=with_rules(CLINICAL)) as it:
            monitor = await it.monitor()
            answer = await monitor.say(sample("synth_01_start_high.hl7"), "A1")
            assert (answer.code, "clinical_enabled_by" in answer.words) == ("CR", True)
            assert it.hub.taken == []
            assert it.feed.status.refused == 1
            assert (await monitor.say(sample("synth_06_end.hl7"), "A6")).code == "CA"

    async def test_they_ring_once_somebody_has(self) -> None:
        """With the device's own priority."""
        async with hl7_rig(site=with_rules(CLINICAL, enabled_by=ENABLED)) as it:
            monitor = await it.monitor()
            assert (await monitor.say(sample("synth_01_start_high.hl7"), "A1")).code == "CA"
            (signal,) = it.hub.taken
            assert (signal.kind, signal.priority) == (Kind.CLINICAL, Priority.HIGH)

    async def test_what_a_monitor_says_of_a_patient_is_clinical_even_without_a_rule(self) -> None:
        """A site that has not thought of it does not get it as an ordinary call."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            answer = await monitor.say(sample("synth_01_start_high.hl7"), "A1")
            assert answer.code == "CR"
            assert it.hub.taken == []

    @pytest.mark.parametrize(("patient", "shown"), [("none", ""), ("id", "4711"), ("name", "Tina Test")])
    async def test_of_the_patient_only_what_the_line_says_is_kept(self, patient: str, shown: str) -> None:
        """By default nothing of PID, anywhere in the signal."""
        async with hl7_rig(replace(LINE, patient=patient), with_rules(CLINICAL, enabled_by=ENABLED)) as it:
            monitor = await it.monitor()
            await monitor.say(sample("synth_01_start_high.hl7"), "A1")
            (signal,) = it.hub.taken
            for word in {"4711", "Tina Test"} - {shown}:
                assert word not in repr(signal)
            assert signal.source_text.endswith(shown)
            assert "Test" not in signal.origin


class TestStatusesBack:
    """PCD-05 to the reporter."""

    async def test_each_person_and_the_alarm_itself_are_reported(self) -> None:
        """Received, rang, read, accepted, completed: on the reporter's own connection."""
        async with hl7_rig(SAME) as it:
            monitor = await it.monitor()
            await monitor.report(Alert("7"))
            for status, staff in (
                (ReportStatus.QUEUED, ""),
                (ReportStatus.PAGED, "anna"),
                (ReportStatus.READ, "anna"),
                (ReportStatus.ACCEPTED, "anna"),
                (ReportStatus.ENDED, ""),
            ):
                await it.adapter.report(it.told(status, staff), "alarm-1")
            said = [(told.status, told.action, told.recipient) for told in monitor.statuses]
            assert said == [
                ("RECEIVED", "AD", ""),
                ("DELIVERED", "AD", "anna"),
                ("READ", "UP", "anna"),
                ("ACCEPTED", "UP", "anna"),
                ("COMPLETED", "UP", ""),
            ]
            for told in monitor.statuses:
                assert told.answers == "M1"
                assert (told.alert.id, told.alert.namespace) == ("7", "SIM_GW")
            assert len({told.own for told in monitor.statuses}) == 5

    @pytest.mark.parametrize(
        ("status", "word"),
        [
            (ReportStatus.ABSENT, "UNDELIVERABLE"),
            (ReportStatus.UNANSWERED, "UNDELIVERABLE"),
            (ReportStatus.REJECTED, "REJECTED"),
        ],
    )
    async def test_responsibility_goes_back_and_is_taken_again(self, status: ReportStatus, word: str) -> None:
        """Undeliverable, then accepted."""
        async with hl7_rig(SAME) as it:
            monitor = await it.monitor()
            await monitor.report(Alert("7"))
            await it.adapter.report(it.told(status), "alarm-1")
            await it.adapter.report(it.told(ReportStatus.ACCEPTED, "anna"), "alarm-1")
            assert [told.status for told in monitor.statuses] == [word, "ACCEPTED"]

    async def test_a_status_that_is_not_acknowledged_failed_and_is_the_same_when_sent_again(self) -> None:
        """CP157: same content, a new control id; a new connection of the same reporter will do."""
        async with hl7_rig(replace(SAME, status_within_s=0.05)) as it:
            deaf, later = await it.monitor(), await it.monitor()
            deaf.answer_as = ""
            await deaf.report(Alert("7"))
            with pytest.raises(DeliveryFailed, match="not acknowledged in time"):
                await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            deaf.close()
            await later.report(Alert("9"))
            await until(lambda: it.feed.status.connected == 1, "the deaf reporter to be gone")
            it.adapter._settings = SAME
            await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            (first,), (again,) = deaf.statuses, later.statuses
            assert first.own == again.own
            assert first.control_id != again.control_id

    async def test_a_connection_that_ends_fails_the_status_at_once(self) -> None:
        """The outbox tries again; nobody waits for the deadline."""
        async with hl7_rig(SAME) as it:
            monitor = await it.monitor()
            monitor.answer_as = ""
            await monitor.report(Alert("7"))
            telling = asyncio.ensure_future(  # noqa: TID251
                it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            )
            await until(lambda: monitor.statuses, "the status")
            monitor.close()
            with pytest.raises(DeliveryFailed, match="connection lost"):
                await telling
            with pytest.raises(DeliveryFailed, match="not connected"):
                await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")

    async def test_an_error_is_tried_again_and_a_rejection_is_final(self) -> None:
        """CE may pass; CR would be said for ever, and what comes after must not wait for it."""
        async with hl7_rig(SAME) as it:
            monitor = await it.monitor()
            await monitor.report(Alert("7"))
            monitor.answer_as = "CE"
            with pytest.raises(DeliveryFailed, match="CE"):
                await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            monitor.answer_as = "CR"
            await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            assert "CR" in it.feed.status.last_refusal

    async def test_who_wants_none_or_only_some_gets_none_or_those(self) -> None:
        """The line's setting, MSH-16 (CP150) and the filter in the alert (CP154)."""
        async with hl7_rig(replace(SAME, status_asked_only=True)) as it:
            monitor = await it.monitor()
            await monitor.say(pcd04(Alert("7"), "X1", 0, asks="NE"), "X1")
            await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            wanted = (
                pcd04(Alert("8"), "X2", 0)
                + b"OBX|9|ST|0^MDCX_ALERT_DISSEM_STATUS_FILTER^MDC|1.0.0.0.9|ACCEPTED~READ\r"
            )
            await monitor.say(wanted, "X2")
            await it.adapter.report(it.told(ReportStatus.QUEUED, of=1), "alarm-2")
            await it.adapter.report(it.told(ReportStatus.ACCEPTED, "anna", of=1), "alarm-2")
            assert [told.status for told in monitor.statuses] == ["ACCEPTED"]

    async def test_a_line_that_says_nothing_back_says_nothing(self) -> None:
        """`status_back = "none"`."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            await monitor.report(Alert("7"))
            await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            assert (await monitor.report(Alert("8"))).code == "CA"
            assert monitor.statuses == []

    async def test_statuses_can_go_over_a_connection_of_our_own(self) -> None:
        """The hub connects, and again when the other side has hung up."""
        loop = asyncio.get_running_loop()
        heard: list[Monitor] = []

        def accept() -> Monitor:
            heard.append(Monitor(lambda: 0))
            return heard[-1]

        server = await loop.create_server(accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, hl7_rig(replace(LINE, status_back=f"connect 127.0.0.1:{port}")) as it:
            monitor = await it.monitor()
            await monitor.report(Alert("7"))
            await until(lambda: heard, "the hub's own connection")
            await it.adapter.report(it.told(ReportStatus.QUEUED), "alarm-1")
            heard[0].close()
            await until(lambda: len(heard) == 2, "the hub to connect again")
            await until(lambda: it.adapter._caller and it.adapter._caller.session, "the session")
            await it.adapter.report(it.told(ReportStatus.ENDED), "alarm-1")
            assert monitor.statuses == []
            assert [m.statuses[0].status for m in heard] == ["RECEIVED", "COMPLETED"]


class TestWatchdog:
    """Reporters that say they live."""

    async def test_a_watchdog_message_is_acknowledged_and_rings_nobody(self) -> None:
        """From then on the line is watched by it."""
        async with hl7_rig(replace(LINE, link_down_s=0.05)) as it:
            monitor = await it.monitor()
            now = it.clock.now()
            assert (await monitor.say(watchdog("W1", now), "W1")).code == "CA"
            assert it.hub.taken == []
            assert it.feed.up

    async def test_a_reporter_that_stops_is_news_of_the_link(self) -> None:
        """Three missing; the open connection is no life any more."""
        async with hl7_rig(replace(LINE, watchdog_s=0.02, link_up_s=0.05)) as it:
            await it.monitor()
            await until(lambda: it.hub.links == [("plant", False)], "the news")
            assert it.feed.status.connected == 1

    async def test_one_that_shuts_down_on_purpose_is_no_lost_link(self) -> None:
        """The last one is inactive: the duty engineer is told so once, and that it is back."""
        async with hl7_rig(replace(LINE, watchdog_s=0.05)) as it:
            monitor = await it.monitor()
            now = it.clock.now()
            await monitor.say(watchdog("W1", now), "W1")
            await monitor.say(watchdog("W2", now, active=False), "W2")
            monitor.close()
            await until(lambda: not it.feed.status.connected, "the reporter to be gone")
            assert it.feed._watch is None
            (planned,) = it.hub.said
            assert "planerat" in planned.text
            back = await it.monitor()
            await back.report(Alert("7"))
            assert it.hub.said[-1].event is SignalEvent.END
            assert it.feed._watch is not None
            assert it.hub.links == []

    async def test_one_of_several_that_stops_is_trouble_behind_the_link(self) -> None:
        """The others still speak; when it is back, the trouble is over."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            for sender in ("GW1^1^EUI-64", "GW2^2^EUI-64"):
                message = watchdog("W", it.clock.now(), within_s=1).replace(GATEWAY.encode(), sender.encode())
                await monitor.say(message, "W")
            watched = it.adapter._watchdogs._watched
            watched["GW2^2^EUI-64"].last += 60_000
            watched["GW1^1^EUI-64"].last -= 60_000
            it.adapter._look()
            (trouble,) = it.hub.said
            assert "GW1" in trouble.text
            message = watchdog("W", it.clock.now()).replace(GATEWAY.encode(), b"GW1^1^EUI-64")
            await monitor.say(message, "W")
            assert it.hub.said[-1].event is SignalEvent.END

    async def test_a_silence_is_told_though_others_speak_on_the_line(self) -> None:
        """The line lives by them: by one that never barks, and by one that comes only later."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            await monitor.say(watchdog("W", it.clock.now(), within_s=1), "W")
            await monitor.say(_of(b"BED1^1^EUI-64", pcd04(Alert("7"), "X1", 0)), "X1")
            (barking,) = it.adapter._watchdogs._watched.values()
            barking.last -= 60_000
            it.adapter._look()
            assert [news.event for news in it.hub.said] == [SignalEvent.ONCE]
        async with hl7_rig() as it:
            monitor = await it.monitor()
            await monitor.say(watchdog("W", it.clock.now(), within_s=1), "W")
            (barking,) = it.adapter._watchdogs._watched.values()
            barking.last -= 60_000
            it.adapter._spoke_at -= 60_000
            it.adapter._look()
            assert it.hub.said == []
            await monitor.say(_of(b"GW2^2^EUI-64", watchdog("V", it.clock.now())), "V")
            assert [news.event for news in it.hub.said] == [SignalEvent.ONCE]

    async def test_what_was_told_before_a_restart_is_over_when_the_reporter_is_back(self) -> None:
        """A planned stop, and a reporter that had fallen silent."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            await monitor.say(watchdog("W1", it.clock.now(), active=False), "W1")
            await it.restart()
            assert it.feed._watch is None
            monitor = await it.monitor()
            await monitor.say(watchdog("W2", it.clock.now()), "W2")
            assert [news.event for news in it.hub.said] == [SignalEvent.ONCE, SignalEvent.END]
            assert it.feed._watch is not None
        async with hl7_rig() as it:
            it.adapter._tell_silent(GATEWAY)
            await it.restart()
            monitor = await it.monitor()
            await monitor.say(watchdog("W1", it.clock.now()), "W1")
            assert [news.event for news in it.hub.said] == [SignalEvent.ONCE, SignalEvent.END]

    async def test_who_asks_whether_the_hub_lives_hears_that_it_cannot_store(self) -> None:
        """The reporter then sounds its own alarm."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            it.hub.is_storing = False
            assert (await monitor.say(watchdog("W1", it.clock.now()), "W1")).code == "CE"
            it.hub.is_storing = True
            assert (await monitor.say(watchdog("W2", it.clock.now()), "W2")).code == "CA"


class TestManyPeers:
    """What is bounded."""

    async def test_a_storm_of_connections_closes_the_least_useful(self) -> None:
        """A reporter that speaks keeps its place."""
        async with hl7_rig(replace(LINE, connections=3)) as it:
            monitor = await it.monitor()
            await monitor.report(Alert("7"))
            idle = [await it.monitor() for _ in range(5)]
            await until(lambda: sum(one.lost for one in idle) == 3, "the oldest idle ones to go")
            assert (await monitor.report(Alert("8"))).code == "CA"

    async def test_only_addresses_that_are_allowed_come_in(self) -> None:
        """MLLP has no login."""
        async with hl7_rig(replace(LINE, allow=("192.0.2.0/24",))) as it:
            stranger = await it.monitor()
            await until(lambda: stranger.lost, "the door to close")
            assert it.feed.status.last_refusal == "address is not allowed"
            assert it.feed.status.connected == 0
        async with hl7_rig(replace(LINE, allow=("127.0.0.0/8",))) as it:
            assert (await (await it.monitor()).report(Alert("7"))).code == "CA"

    async def test_many_messages_at_once_are_all_answered_in_order(self) -> None:
        """A reporter that does not wait for its answers is slowed, not dropped."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            burst = b"".join(framed(pcd04(Alert(f"b{n}"), f"B{n}", 0)) for n in range(60))
            monitor.write(burst)
            assert (await monitor.say(pcd04(Alert("last"), "L", 0), "L")).code == "CA"
            assert len(it.hub.taken) == 61
            assert len(monitor.raw) == 61

    async def test_what_was_read_is_stored_though_the_reporter_hung_up(self) -> None:
        """A call is not lost because its gateway died with it on the wire."""
        async with hl7_rig() as it:
            monitor = await it.monitor()
            it.hub.gate.clear()
            monitor.write(framed(pcd04(Alert("7"), "X1", 0)))
            await until(lambda: it.hub.begun, "the alert to reach the hub")
            monitor.close()
            it.hub.gate.set()
            await until(lambda: it.hub.taken, "the alert to be stored")
