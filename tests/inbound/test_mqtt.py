"""The MQTT adapter against a broker that does what it is told; the real one is in tests/acceptance."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest
from msgspec.structs import replace

from alarmhub.core.alarm import Flag, Phase
from alarmhub.core.effects import Report, ReportStatus
from alarmhub.core.events import SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.inbound import mqtt
from alarmhub.inbound.mqtt import signal_of
from alarmhub.ports import DeliveryFailed, NotStored, Refused
from load.mqtt_buttons import ButtonBroker
from protocols.mqtt_says import SignalSaid
from tests.support.intake import BED
from tests.support.mqtt_link import SIGNALS, ZIGBEE, Hub, Rig, link, rig, start
from tests.support.waiting import turns, until

LAMP = f"lamp/{BED}"
ACCEPTED = Report("plant", ReportStatus.ACCEPTED, "r1")


@pytest.fixture
async def broker() -> AsyncIterator[ButtonBroker]:
    """A broker that listens."""
    it = ButtonBroker()
    await it.start()
    yield it
    await it.stop()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits to be tried again, and what is looked after, need not wait long in a test."""
    monkeypatch.setattr(mqtt, "AGAIN_AFTER_S", 0.02)
    monkeypatch.setattr(mqtt, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(mqtt, "FIRST_RECONNECT_S", 0.02)


class TestAcknowledging:
    """PUBACK means stored."""

    @pytest.mark.parametrize("version", ["5", "3.1.1"])
    async def test_after_the_commit_and_not_before(self, broker: ButtonBroker, version: str) -> None:
        """The promise of the hub, in both versions."""
        async with rig(link(broker.port, version=version)) as it:
            it.hub.gate.clear()
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: it.hub.begun, "the signal to reach the hub")
            await turns(20)
            assert broker.acknowledged == []

            it.hub.gate.set()
            await until(lambda: broker.acknowledged, "the acknowledgement")
            assert it.refs == ["r1"]
            assert it.feed.status.last_answer == "PUBACK"

    async def test_in_the_order_the_messages_came(self, broker: ButtonBroker) -> None:
        """MQTT 5, 4.6, whichever commit is done first."""
        async with rig(link(broker.port)) as it:
            it.hub.gate.clear()
            sent = [start(f"r{n}") for n in range(20)]
            for body in sent:
                broker.publish(SIGNALS, body)
            await until(lambda: it.hub.begun == 20, "all to be deciding")
            it.hub.gate.set()
            await until(lambda: len(broker.acknowledged) == 20, "all acknowledgements")

            assert broker.acknowledged == [body.encode() for body in sent]

    async def test_what_is_not_stored_is_tried_again_and_not_acknowledged(self, broker: ButtonBroker) -> None:
        """The database is away for a while: nothing is lost, nothing is promised."""
        async with rig(link(broker.port)) as it:
            it.hub.refuse = NotStored("database away")
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: it.refusals("not_stored") >= 3, "several attempts")
            assert broker.acknowledged == []

            it.hub.refuse = None
            await until(lambda: broker.acknowledged, "the acknowledgement")
            assert it.refs == ["r1"]

    async def test_one_that_must_wait_holds_nobody_else_up(self, broker: ButtonBroker) -> None:
        """A full queue refuses a low start; a high one behind it is stored and acknowledged."""

        class Choosy(Hub):
            async def signal(self, signal: object) -> object:  # type: ignore[override]
                if getattr(signal, "ref", "") == "low" and self.refuse_low:
                    raise NotStored("queue full")
                return await super().signal(signal)  # type: ignore[arg-type]

            refuse_low = True

        hub = Choosy()
        async with rig(link(broker.port), hub) as it:
            broker.publish(SIGNALS, start("low"))
            broker.publish(SIGNALS, start("high"))
            await until(
                lambda: broker.acknowledged == [start("high").encode()], "the other's acknowledgement"
            )

            hub.refuse_low = False
            await until(lambda: len(broker.acknowledged) == 2, "its own")
            assert it.refs == ["high", "low"]

    async def test_what_never_can_be_stored_is_acknowledged(self, broker: ButtonBroker) -> None:
        """It will not get better by being sent again."""
        async with rig(link(broker.port)) as it:
            it.hub.refuse = Refused("poison")
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: broker.acknowledged, "the acknowledgement")

            assert it.refusals("invalid") == 1

    @pytest.mark.parametrize(
        ("body", "cause"),
        [
            ("nonsense", "JSON is malformed"),
            ('{"event":"start","ref":"r1"}', "kind: kind or type is required"),
            (start("r1", kind="catastrophe"), "kind: expected one of patient_call"),
            (start("r1", priority="utmost"), "priority: expected one of information"),
        ],
    )
    async def test_what_cannot_be_read_is_refused_and_acknowledged(
        self, broker: ButtonBroker, body: str, cause: str
    ) -> None:
        """With its cause, for doctor and the metrics."""
        async with rig(link(broker.port)) as it:
            broker.publish(SIGNALS, body)
            await until(lambda: broker.acknowledged, "the acknowledgement")

            assert it.hub.taken == []
            assert it.refusals("bad_payload") == 1
            assert cause in it.feed.status.last_refusal

    async def test_nonsense_again_and_again_is_news(self, broker: ButtonBroker) -> None:
        """A device that talks nonsense may be one whose calls are lost."""
        async with rig(link(broker.port)) as it:
            for _ in range(3):
                broker.publish(SIGNALS, "nonsense")
            await until(lambda: it.hub.said, "the notice")

            assert it.hub.said[0].type == "unreadable_source"


class TestRedelivery:
    """The session outlives the connection."""

    async def test_what_came_while_we_were_away_comes_then(self, broker: ButtonBroker) -> None:
        """Same client id, no clean start, session kept."""
        async with rig(link(broker.port)) as it:
            broker.drop()
            await until(lambda: not it.feed.status.connected, "the loss to be noticed")
            broker.publish(SIGNALS, start("r1"))
            await it.connected()
            await until(lambda: broker.acknowledged, "the acknowledgement")

            assert it.refs == ["r1"]

    async def test_a_message_in_hand_is_not_stored_twice(self, broker: ButtonBroker) -> None:
        """The connection breaks during the commit: it is delivered again, and it is the same message."""
        async with rig(link(broker.port)) as it:
            it.hub.gate.clear()
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: it.hub.begun, "the signal to reach the hub")
            broker.drop()
            await until(lambda: len(broker.connects) == 2, "a new connection")
            await it.connected()
            it.hub.gate.set()
            await until(lambda: broker.acknowledged, "the acknowledgement on the new connection")

            assert it.refs == ["r1"]

    async def test_one_stored_while_there_was_no_connection_is_acknowledged_when_it_comes_again(
        self, broker: ButtonBroker
    ) -> None:
        """Stored is stored."""
        async with rig(link(broker.port)) as it:
            it.hub.gate.clear()
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: it.hub.begun, "the signal to reach the hub")
            broker.drop()
            await until(lambda: not it.feed.status.connected, "the loss to be noticed")
            it.hub.gate.set()
            await until(lambda: it.hub.taken, "the commit")
            await until(lambda: broker.acknowledged, "the acknowledgement")

            assert it.refs == ["r1"]

    async def test_a_hub_that_stops_leaves_the_broker_what_it_did_not_store(
        self, broker: ButtonBroker
    ) -> None:
        """The next hub of the same name gets it."""
        first = Rig(link(broker.port))
        await first.start()
        await first.connected()
        first.hub.refuse = NotStored("database away")
        broker.publish(SIGNALS, start("r1"))
        await until(lambda: first.hub.begun, "the signal to reach the hub")
        await first.close()
        assert broker.acknowledged == []

        async with rig(link(broker.port)) as second:
            await until(lambda: broker.acknowledged, "the acknowledgement")
            assert second.refs == ["r1"]


class TestButtons:
    """Devices that know nothing of alarms."""

    async def test_a_press_is_mapped_by_the_sites_rules_and_has_no_end(self, broker: ButtonBroker) -> None:
        """Address and text are the device's own words; staff end it."""
        async with rig(link(broker.port)) as it:
            broker.publish(ZIGBEE, '{"action":"single","battery":97}')
            await until(lambda: it.hub.taken, "the press")
            (signal,) = it.hub.taken

            assert (signal.place, signal.event) == (BED, SignalEvent.ONCE)
            assert (signal.ref, signal.source_text) == ("bed12_button", "single")

    async def test_a_rule_may_make_an_action_an_end(self, broker: ButtonBroker) -> None:
        """Holding it down is the reset, where the site says so."""
        async with rig(link(broker.port)) as it:
            broker.publish(ZIGBEE, '{"action":"hold"}')
            await until(lambda: it.hub.taken, "the reset")

            assert it.hub.taken[0].event is SignalEvent.END

    async def test_a_retained_press_is_a_memory(self, broker: ButtonBroker) -> None:
        """Whatever the broker remembers, nobody has just pressed."""
        broker.publish(ZIGBEE, '{"action":"single","battery":9}', retain=True)
        broker.publish(SIGNALS, start("old"), retain=True)
        async with rig(link(broker.port)) as it:
            broker.publish(SIGNALS, start("new"))
            await until(lambda: len(broker.acknowledged) == 3, "all to be acknowledged")

            assert it.refs == ["new"]
            assert [notice.key for notice in it.hub.said] == ["trouble:plant:battery:bed12_button"]

    async def test_the_same_press_over_two_topics_is_one(self, broker: ButtonBroker) -> None:
        """Zigbee2MQTT can say each action twice."""
        async with rig(link(broker.port)) as it:
            broker.publish(ZIGBEE, '{"action":"single"}')
            broker.publish(f"{ZIGBEE}/action", "single")
            await until(lambda: len(broker.acknowledged) == 2, "both acknowledgements")

            assert it.refs == ["bed12_button"]

    async def test_an_uplink_heard_by_two_networks_is_one(self, broker: ButtonBroker) -> None:
        """ChirpStack's deduplication id is the signal's id."""
        body = '{"deduplicationId":"a9a1","object":{"button":1},"deviceInfo":{"deviceName":"bed12"}}'
        async with rig(link(broker.port, repeat_window_s=0.0)) as it:
            for _ in range(2):
                broker.publish("application/a/device/0102030405060708/event/up", body)
            await until(lambda: len(broker.acknowledged) == 2, "both acknowledgements")

            assert [(s.ref, s.id) for s in it.hub.taken] == [("0102030405060708", "up/a9a1")]

    async def test_a_counter_that_stands_still_is_no_press(self, broker: ButtonBroker) -> None:
        """A Shelly says its last event again with each update."""
        topic = "shellies/shellybutton1-AA/input_event/0"
        async with rig(link(broker.port, repeat_window_s=0.0)) as it:
            for count in (41, 41, 42):
                broker.publish(topic, f'{{"event":"S","event_cnt":{count}}}')
            await until(lambda: len(broker.acknowledged) == 3, "all acknowledgements")

            assert it.refs == ["shellybutton1-AA/0"] * 2

    async def test_presses_of_one_device_keep_their_order(self, broker: ButtonBroker) -> None:
        """Call and reset, also when the call must be tried again."""
        async with rig(link(broker.port)) as it:
            it.hub.refuse = NotStored("database away")
            broker.publish(ZIGBEE, '{"action":"single"}')
            broker.publish(ZIGBEE, '{"action":"hold"}')
            await until(lambda: it.hub.begun >= 2, "attempts")
            it.hub.refuse = None
            await until(lambda: len(broker.acknowledged) == 2, "both acknowledgements")

            assert [signal.event for signal in it.hub.taken] == [SignalEvent.ONCE, SignalEvent.END]

    async def test_a_low_battery_is_told_with_the_place(self, broker: ButtonBroker) -> None:
        """Once, until it is well again."""
        async with rig(link(broker.port)) as it:
            for level in (12, 11, 100):
                broker.publish(ZIGBEE, f'{{"battery":{level}}}')
            await until(lambda: len(it.hub.said) == 2, "both notices")
            low, over = it.hub.said

            assert low.text == "Knapp bed12_button (sal 12 plats 2): batteri lågt 12 %"
            assert over.event is SignalEvent.END and over.key == low.key

    async def test_a_bridge_that_stays_down_is_told(self, broker: ButtonBroker) -> None:
        """Its buttons reach nobody."""
        async with rig(link(broker.port, link_down_s=0.1, link_up_s=0.1)) as it:
            broker.publish("zigbee2mqtt/bridge/state", '{"state":"offline"}', retain=True)
            await until(lambda: it.hub.said, "the notice")
            assert it.hub.said[0].key == "trouble:plant:bridge:zigbee2mqtt"

            broker.publish("zigbee2mqtt/bridge/state", '{"state":"online"}', retain=True)
            await until(lambda: len(it.hub.said) == 2, "its end")

    async def test_an_expected_device_that_is_never_heard_is_told(self, broker: ButtonBroker) -> None:
        """LoRaWAN buttons send once a day; one that does not is broken."""
        async with rig(link(broker.port, devices=("0102030405060708",), silent_after_s=0.1)) as it:
            await until(lambda: it.hub.said, "the notice")

            assert it.hub.said[0].key == "trouble:plant:silent:0102030405060708"


class TestTheLink:
    """The connection itself."""

    async def test_a_broker_that_is_not_there_is_tried_again(self, broker: ButtonBroker) -> None:
        """The hub starts without it, tells that it is missing, and is there when it comes."""
        await broker.stop()
        it = Rig(link(broker.port, link_down_s=0.2, link_up_s=0.1))
        await it.start()
        try:
            await until(lambda: it.hub.links == [("plant", False)], "the news")
            await broker.start()
            await it.connected()
            await until(lambda: it.hub.links[-1] == ("plant", True), "the good news")
        finally:
            await it.close()

    async def test_a_broker_that_never_answers_is_left(self, broker: ButtonBroker) -> None:
        """An open connection is no session."""
        broker.silent = True
        it = Rig(link(broker.port, connect_within_s=0.1))
        await it.start()
        try:
            await until(lambda: len(broker.connects) >= 2, "another attempt")
            assert not it.feed.status.connected
        finally:
            await it.close()

    async def test_a_refused_subscription_is_no_connection(self, broker: ButtonBroker) -> None:
        """Connected and deaf would look well."""
        broker.refused_filters = {"zigbee2mqtt/#"}
        it = Rig(link(broker.port, link_down_s=0.2))
        await it.start()
        try:
            await until(lambda: it.hub.links == [("plant", False)], "the news")
            assert not it.feed.status.connected
        finally:
            await it.close()

    async def test_a_dead_connection_is_noticed(self, broker: ButtonBroker) -> None:
        """The keepalive finds out what TCP does not."""
        async with rig(link(broker.port, keepalive_s=2)) as it:
            broker.silent = True
            await until(lambda: not it.feed.status.connected, "the loss to be noticed", within_s=8)

    async def test_a_message_at_most_once_is_a_habit_worth_knowing(self, broker: ButtonBroker) -> None:
        """It is taken, and stored."""
        async with rig(link(broker.port)) as it:
            broker.publish(ZIGBEE, '{"action":"single"}', qos=0)
            await until(lambda: it.hub.taken, "the press")

            assert broker.acknowledged == []

    async def test_more_than_can_be_held_ends_the_connection(
        self, broker: ButtonBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing grows without bound; what was promised nothing comes again."""
        monkeypatch.setattr(mqtt, "MOST_IN_HAND", 3)
        async with rig(link(broker.port)) as it:
            it.hub.gate.clear()
            for n in range(5):
                broker.publish(SIGNALS, start(f"r{n}"))
            await until(lambda: it.refusals("too_many"), "the refusal")
            it.hub.gate.set()
            await until(lambda: len(broker.acknowledged) == 5, "all to be stored in the end")

            assert sorted(it.refs) == [f"r{n}" for n in range(5)]

    async def test_a_broker_that_forgot_us_is_asked_anew(
        self, broker: ButtonBroker, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What came meanwhile is lost, and it is said that such a broker was set up."""
        async with rig(link(broker.port)) as it:
            await broker.stop()
            await until(lambda: not it.feed.status.connected, "the loss to be noticed")
            broker.sessions.clear()
            await broker.start()
            await it.connected()
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: broker.acknowledged, "the acknowledgement")

            assert it.refs == ["r1"]
        said = capsys.readouterr()
        assert "did not keep the session" in said.out + said.err

    async def test_it_says_goodbye(self, broker: ButtonBroker) -> None:
        """So that the broker says no last will of its own, and keeps the session."""
        async with rig(link(broker.port)):
            await until(lambda: broker.retained.get("lamp/hub/plant") == b'{"online":true}', "the greeting")
        await until(lambda: broker.goodbyes, "the goodbye")

        assert broker.retained["lamp/hub/plant"] == b'{"online":false}'


class TestStates:
    """What lamps and corridor displays follow."""

    def state(self, broker: ButtonBroker, topic: str = LAMP) -> dict[str, object]:
        """What the broker remembers there."""
        decoded: dict[str, object] = msgspec.json.decode(broker.retained.get(topic, b"{}"))
        return decoded

    async def test_an_alarm_is_shown_at_its_place_until_it_ends(self, broker: ButtonBroker) -> None:
        """Phase, kind, priority and since when: no name, no text."""
        async with rig(link(broker.port)) as it:
            broker.publish(SIGNALS, start("r1", text="Anna Lind, 1931"))
            await until(lambda: LAMP in broker.retained, "the lamp")
            assert self.state(broker) == {
                "phase": "ringing",
                "kind": "patient_call",
                "priority": "low",
                "place": BED,
                "since": "2026-09-21T14:13:20Z",
                "returned": False,
                "alarms": 1,
                "source": "plant",
            }

            broker.publish(SIGNALS, '{"event":"end","ref":"r1"}')
            await until(lambda: LAMP not in broker.retained, "the lamp to go out")
            assert it.refs == ["r1", "r1"]
            assert (LAMP, b"", True) in broker.published

    async def test_a_report_is_done_when_the_broker_has_the_state(self, broker: ButtonBroker) -> None:
        """Return of responsibility is a flag; an accept takes it back."""
        async with rig(link(broker.port)) as it:
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: it.hub.alarms, "the alarm")
            (alarm,) = it.hub.alarms.values()
            it.hub.alarms[alarm.id] = replace(alarm, flags=(Flag.UNANSWERED, Flag.RETURNED))
            await it.adapter.report(replace(ACCEPTED, status=ReportStatus.UNANSWERED), alarm.id)
            assert self.state(broker)["returned"] is True

            it.hub.alarms[alarm.id] = replace(alarm, phase=Phase.ACCEPTED)
            await it.adapter.report(ACCEPTED, alarm.id)
            assert (self.state(broker)["phase"], self.state(broker)["returned"]) == ("accepted", False)

    async def test_a_report_without_a_broker_fails_and_is_tried_again(self, broker: ButtonBroker) -> None:
        """The outbox keeps it."""
        async with rig(link(broker.port)) as it:
            await broker.stop()
            await until(lambda: not it.feed.status.connected, "the loss to be noticed")

            with pytest.raises(DeliveryFailed):
                await it.adapter.report(ACCEPTED, "a1")

    async def test_a_broker_that_takes_nothing_fails_the_report(
        self, broker: ButtonBroker, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A state counts when it is acknowledged."""
        monkeypatch.setattr("alarmhub.inbound.mqtt_broker.PUBLISHED_WITHIN_S", 0.05)
        broker.takes_publications = False
        async with rig(link(broker.port)) as it:
            with pytest.raises(DeliveryFailed, match="in time"):
                await it.adapter.report(ACCEPTED, "a1")

    async def test_without_a_prefix_there_is_nothing_to_say(self, broker: ButtonBroker) -> None:
        """And nothing fails for it."""
        async with rig(link(broker.port, state_prefix="")) as it:
            await it.adapter.report(ACCEPTED, "a1")

        assert broker.published == []

    @pytest.mark.parametrize("version", ["5", "3.1.1"])
    async def test_states_are_said_again_to_a_broker_that_forgot(
        self, broker: ButtonBroker, version: str
    ) -> None:
        """It was restarted without its memory."""
        async with rig(link(broker.port, version=version)) as it:
            broker.publish(SIGNALS, start("r1"))
            await until(lambda: LAMP in broker.retained, "the lamp")
            broker.retained.clear()
            broker.drop()
            await until(lambda: LAMP in broker.retained, "the lamp again")
            assert it.refs == ["r1"]

    async def test_what_a_hub_before_left_lit_is_put_out(self, broker: ButtonBroker) -> None:
        """The alarm ended while no hub was connected; what others show is not ours."""
        stale = (
            b'{"phase":"ringing","kind":"patient_call","priority":"low","place":"x","returned":false,'
            b'"since":"2026-09-21T14:13:20Z","alarms":1,"source":"plant"}'
        )
        broker.retained |= {
            "lamp/fjall/x": stale,
            "lamp/fjall/y": stale.replace(b"plant", b"other"),
            "lamp/fjall/z": b"not ours at all",
        }
        async with rig(link(broker.port)):
            await until(lambda: "lamp/fjall/x" not in broker.retained, "the lamp to go out")

            assert {"lamp/fjall/y", "lamp/fjall/z"} <= set(broker.retained)

    async def test_an_assault_is_not_shown_where_it_happens(self, broker: ButtonBroker) -> None:
        """Unless the site has thought about it and says so."""
        async with rig(link(broker.port)) as it:
            broker.publish(SIGNALS, start("r1", kind="assault"))
            broker.publish(SIGNALS, start("r2", place="fjall/x"))
            await until(lambda: "lamp/fjall/x" in broker.retained, "the other lamp")
            assert {alarm.kind for alarm in it.hub.alarms.values()} == {Kind.ASSAULT, Kind.PATIENT_CALL}
            assert LAMP not in broker.retained


def test_our_own_json_is_what_it_is_over_http() -> None:
    """Key and ref are the sender's; control characters are blanks."""
    said = SignalSaid("start", "r1", BED, kind="team", type="hjartlarm", text="a\nb", priority="high", id="i")
    signal = signal_of(said, "plant")

    assert (signal.key, signal.ref, signal.place, signal.text, signal.id) == ("r1", "r1", BED, "a b", "i")
    assert (signal.kind, signal.priority) == ("team", "high")
