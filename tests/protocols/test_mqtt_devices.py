"""The dialects of devices, case by case; the published samples are in test_mqtt_payloads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocols import mqtt_devices
from protocols.mqtt_says import BridgeSaid, Ignored, Pressed, Said, Seen, Unreadable

UP = "application/a/device/0102030405060708/event/up"
EUI = "0102030405060708"


def uplink(**body: Any) -> tuple[Said, ...]:
    """What a ChirpStack uplink says."""
    return mqtt_devices.chirpstack(UP, json.dumps(body).encode(), False)


def press(says: tuple[Said, ...]) -> Pressed:
    """The one press among what is said."""
    (found,) = [said for said in says if isinstance(said, Pressed)]
    return found


class TestChirpStack:
    """LoRaWAN buttons."""

    def test_status_tells_the_battery_unless_it_is_unknown(self) -> None:
        """0 stands there too when there is none."""
        topic = UP.replace("/up", "/status")

        def said(**body: Any) -> tuple[Said, ...]:
            return mqtt_devices.chirpstack(topic, json.dumps(body).encode(), False)

        assert said(batteryLevel=12.5) == (Seen(EUI, battery=12.5),)
        assert said(batteryLevel=0, batteryLevelUnavailable=True) == (Seen(EUI),)
        assert said(batteryLevel=0, externalPowerSource=True) == (Seen(EUI),)

    def test_a_join_is_a_sign_of_life_and_other_events_are_not_for_us(self) -> None:
        """No press either."""
        assert mqtt_devices.chirpstack(UP.replace("/up", "/join"), b"{}", False) == (Seen(EUI),)
        assert mqtt_devices.chirpstack(UP.replace("/up", "/txack"), b"{}", False) == (
            Ignored("chirpstack_event"),
        )

    def test_an_uplink_without_payload_is_only_a_sign_of_life(self) -> None:
        """Network commands alone."""
        assert uplink(fCnt=7) == (Seen(EUI), Ignored("no_payload"))

    def test_undecoded_data_rings_with_its_bytes(self) -> None:
        """Where no codec is set, a rule can still tell them apart."""
        assert press(uplink(data="AQI=", fPort=2)).text == "data=0102 fPort=2"

    @pytest.mark.parametrize(
        "fields",
        [
            {"button": 0},
            {"button": False, "battery": 90},
            {"event": "heartbeat", "temperature": 21.5},
            {"battery": 80, "batteryLow": False},
            {"inputs": {"button1": 0, "button2": 0}},
        ],
    )
    def test_a_device_at_rest_does_not_ring(self, fields: dict[str, Any]) -> None:
        """Its daily uplink says that nobody presses."""
        assert uplink(object=fields)[1:] == (Ignored("at_rest"),)

    @pytest.mark.parametrize(
        "fields",
        [
            {"button": 1},
            {"button": 0, "sos": True},
            {"button": 0, "water_leak": True},
            {"button1": 0, "button2": 1},
            {"event": "double"},
            {"unheard_of": 3},
        ],
    )
    def test_whatever_is_not_understood_rings(self, fields: dict[str, Any]) -> None:
        """Too much is better than too little."""
        text = press(uplink(object=fields)).text
        for name, value in fields.items():
            assert f"{name}={json.dumps(value).strip(chr(34))}" in text

    def test_battery_and_its_warning_are_found_in_the_decoded_object(self) -> None:
        """Under the names codecs give them."""
        assert uplink(object={"button": 1, "status": {"batteryLevel": 33}})[0] == Seen(EUI, battery=33)
        assert uplink(object={"button": 1, "battery_low": True})[0] == Seen(EUI, low=True)

    def test_without_a_deduplication_id_counter_and_time_are_the_id(self) -> None:
        """The counter alone begins anew with each battery of some devices."""
        assert press(uplink(object={"b": 1}, fCnt=7, time="2024-11-22T08:00:00Z")).id == (
            f"up/{EUI}/7/2024-11-22T08:00:00Z"
        )
        assert press(uplink(object={"b": 1}, fCnt=7)).id == ""

    def test_an_id_that_is_too_long_is_none(self) -> None:
        """Cut, it could be another's, and a press would be lost."""
        assert press(uplink(object={"b": 1}, deduplicationId="x" * 70)).id == ""

    def test_version_3_is_read_too(self) -> None:
        """The devEUI in base64, fields outside, the object as a string."""
        body = {"devEUI": "AQIDBAUGBwg=", "deviceName": "bed12", "objectJSON": '{"button":1}', "fPort": 2}

        assert press(uplink(**body)).text == "bed12 button=1 fPort=2"
        assert press(uplink(**body)).device == EUI

    @pytest.mark.parametrize("payload", [b"[]", b"nonsense", b'"x"'])
    def test_what_is_no_object_is_unreadable(self, payload: bytes) -> None:
        """Protobuf instead of JSON, for one."""
        assert isinstance(mqtt_devices.chirpstack(UP, payload, False)[0], Unreadable)


class TestZigbee2Mqtt:
    """Zigbee buttons."""

    def said(self, name: str, payload: object, retained: bool = False) -> tuple[Said, ...]:
        """What a message below the base topic says."""
        body = payload if isinstance(payload, str) else json.dumps(payload)
        return mqtt_devices.zigbee2mqtt("z", f"z/{name}", body.encode(), retained)

    def test_a_name_may_have_slashes(self) -> None:
        """Friendly names are people's."""
        assert press(self.said("201/bed12", {"action": "hold"})).device == "201/bed12"
        assert self.said("201/bed12/availability", "offline") == (
            Seen("201/bed12", online=False, live=False, button=False),
        )

    @pytest.mark.parametrize("action", ["", None])
    def test_an_action_that_is_cleared_is_none(self, action: object) -> None:
        """Older versions say so after each press."""
        assert self.said("b", {"action": action, "battery": 80}) == (Seen("b", battery=80, button=False),)

    def test_a_low_battery_may_be_a_word(self) -> None:
        """Without a percentage."""
        assert self.said("b", {"battery_low": True}) == (Seen("b", low=True, button=False),)

    def test_the_bridges_state_old_and_new(self) -> None:
        """A word before, an object since."""
        assert self.said("bridge/state", "offline") == (BridgeSaid("z", False),)
        assert self.said("bridge/state", {"state": "online"}, True) == (BridgeSaid("z", True),)
        assert isinstance(self.said("bridge/state", "perhaps")[0], Unreadable)

    @pytest.mark.parametrize("name", ["bridge/devices", "bridge/logging", "b/set", "b/get", "b/set/state"])
    def test_what_others_say_is_not_for_us(self, name: str) -> None:
        """Commands to devices least of all."""
        assert self.said(name, {"action": "single"}) == (Ignored("zigbee2mqtt_topic"),)

    @pytest.mark.parametrize("value", ["97", "true", '"ON"', "ON"])
    def test_one_value_a_topic_is_not_for_us(self, value: str) -> None:
        """The bridge can be set to say each attribute by itself too; that is no nonsense."""
        assert self.said("b/battery", value) == (Ignored("zigbee2mqtt_attribute"),)
        assert isinstance(self.said("b", '{"battery":')[0], Unreadable)

    def test_a_removed_device_is_nothing(self) -> None:
        """An empty retained message."""
        assert self.said("b", "") == (Ignored("empty"),)


class TestShelly:
    """Wi-Fi and Bluetooth buttons."""

    @pytest.mark.parametrize(
        ("event", "text"), [("S", "single"), ("SS", "double"), ("SSS", "triple"), ("L", "long"), ("X", "X")]
    )
    def test_first_generation_events(self, event: str, text: str) -> None:
        """Each with the counter that tells presses from updates."""
        body = json.dumps({"event": event, "event_cnt": 3}).encode()
        says = mqtt_devices.shelly_gen1("shellies", "shellies/s1/input_event/0", body, False)

        assert press(says) == Pressed("s1/0", text, count=3)

    def test_first_generation_states(self) -> None:
        """Last will and battery."""

        def said(what: str, payload: bytes) -> tuple[Said, ...]:
            return mqtt_devices.shelly_gen1("shellies", f"shellies/s1/{what}", payload, False)

        assert said("online", b"false") == (Seen("s1", online=False, live=False),)
        assert said("online", b"true") == (Seen("s1", online=True),)
        assert said("sensor/battery", b"85") == (Seen("s1", battery=85),)
        assert isinstance(said("online", b"maybe")[0], Unreadable)

    def event(self, **event: Any) -> tuple[Said, ...]:
        """What an RPC notification with this event says."""
        body = {"src": "s2", "method": "NotifyEvent", "params": {"events": [event]}}
        return mqtt_devices.shelly_gen2("s2/events/rpc", json.dumps(body).encode(), False)

    def test_its_own_inputs(self) -> None:
        """A push is a press, its edges are not."""
        assert press(self.event(component="input:0", event="long_push", ts=1.5)).text == "long"
        assert self.event(component="input:0", event="btn_down") == (Seen("s2"),)

    @pytest.mark.parametrize(
        ("button", "presses"),
        [
            (4, [("aa:bb", "long")]),
            (0x80, [("aa:bb", "hold")]),
            (0xFE, [("aa:bb", "hold")]),
            (0, []),
            ([0, 2, 0, 1], [("aa:bb/1", "double"), ("aa:bb/3", "single")]),
            (99, [("aa:bb", "press 99")]),
        ],
    )
    def test_bluetooth_buttons(self, button: object, presses: list[tuple[str, str]]) -> None:
        """BTHome object 3Ah; several buttons are a list."""
        says = self.event(event="shelly-blu", data={"address": "AA:BB", "button": button, "pid": 1})

        assert [(said.device, said.text) for said in says if isinstance(said, Pressed)] == presses

    def test_a_bluetooth_button_without_address_is_unreadable(self) -> None:
        """Nobody would know whose it is."""
        assert isinstance(self.event(event="shelly-blu", data={"button": 1})[1], Unreadable)

    def test_other_notifications_are_not_for_us(self) -> None:
        """Status, for one."""
        body = b'{"src":"s2","method":"NotifyStatus","params":{}}'

        assert mqtt_devices.shelly_gen2("s2/events/rpc", body, False) == (Ignored("shelly_notice"),)


class TestPlainTopics:
    """A topic that is a button by itself."""

    @pytest.mark.parametrize(
        ("payload", "text"),
        [
            (b"pressed", "pressed"),
            (b'"pressed"', "pressed"),
            (b'{"event_type":"hold"}', "hold"),
            (b'{"action":"single","battery":50}', "single"),
            (b"1", "1"),
        ],
    )
    def test_a_word_or_an_object(self, payload: bytes, text: str) -> None:
        """Whatever such buttons send."""
        assert press(mqtt_devices.button("b/1", payload, False)) == Pressed("b/1", text, same=f"b/1\n{text}")

    def test_a_state_without_a_word_is_a_sign_of_life(self) -> None:
        """The battery alone."""
        assert mqtt_devices.button("b/1", b'{"battery":5}', False) == (Seen("b/1", battery=5),)
        assert isinstance(mqtt_devices.button("b/1", b"\xff", False)[0], Unreadable)
