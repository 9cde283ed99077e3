"""What each message of a button means, and that nothing makes the decoder raise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt_payloads import LONGEST_PAYLOAD_BYTES, Decoder, own_device, own_signal
from protocols.mqtt_says import (
    BridgeSaid,
    Ignored,
    Pressed,
    Said,
    Seen,
    SignalSaid,
    Unreadable,
)
from protocols.mqtt_topics import Routes
from tests.fuzz import fuzz_mqtt

ROUTES = Routes(
    own="alarmhub/buttons",
    chirpstack="application",
    zigbee2mqtt="zigbee2mqtt",
    shelly_gen1="shellies",
    shelly_gen2=("+",),
    buttons=("callbuttons/+/event",),
)
SAMPLES = [
    json.loads(line)
    for line in (Path(__file__).parent / "samples/mqtt/messages.jsonl").read_text().splitlines()
]
BUTTON = "bed12_button"
EXPECTED: dict[str, tuple[Said, ...]] = {
    "zigbee2mqtt/bed12_button": (
        Seen(BUTTON, battery=97),
        Pressed(BUTTON, "single", same="bed12_button\nsingle"),
    ),
    "zigbee2mqtt/bed12_button/action": (Pressed(BUTTON, "single", same="bed12_button\nsingle"),),
    "zigbee2mqtt/bed12_button/availability": (Seen(BUTTON, online=False, live=False, button=False),),
    "zigbee2mqtt/bridge/state": (BridgeSaid("zigbee2mqtt", True),),
    "shellies/shellybutton1-AABBCCDDEEFF/input_event/0": (
        Seen("shellybutton1-AABBCCDDEEFF"),
        Pressed("shellybutton1-AABBCCDDEEFF/0", "single", count=42),
    ),
    "shellyplus1-aabbccddeeff/events/rpc": (
        Seen("shellyplus1-aabbccddeeff"),
        Seen("5c:c7:c1:aa:bb:cc", battery=100),
        Pressed("5c:c7:c1:aa:bb:cc", "single", same="5c:c7:c1:aa:bb:cc\n118\nsingle"),
    ),
    "application/5c4b0f0e-0000-4000-8000-000000000001/device/0102030405060708/event/up": (
        Seen("0102030405060708"),
        Pressed(
            "0102030405060708",
            "bed12 button=1 location=CARD2-12-1 fPort=2",
            id="up/a9a1",
            occurred_at=1_732_262_400_000,
        ),
    ),
    "homeassistant/event/bed12/button/config": (Ignored("not_asked_for"),),
    "callbuttons/bed12/event": (
        Seen("callbuttons/bed12/event"),
        Pressed("callbuttons/bed12/event", "press", same="callbuttons/bed12/event\npress"),
    ),
}
"""What a person would expect of each published sample."""


def wire(payload: object) -> bytes:
    """A sample's payload as it travels."""
    return payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["topic"])
def test_each_sample_says_what_a_person_would_expect(sample: dict[str, object]) -> None:
    """Every message of the published shapes."""
    topic = str(sample["topic"])
    says = Decoder(ROUTES).decode(topic, wire(sample["payload"]), bool(sample.get("retain")))

    assert says == EXPECTED[topic]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["topic"])
def test_no_retained_message_is_a_press(sample: dict[str, object]) -> None:
    """A memory tells states, and that no device lives."""
    says = Decoder(ROUTES).decode(str(sample["topic"]), wire(sample["payload"]), True)

    assert not [said for said in says if isinstance(said, Pressed | SignalSaid)]
    assert not [said for said in says if isinstance(said, Seen) and said.live]


def test_there_is_an_expectation_for_each_sample() -> None:
    """A sample that is added must be thought about."""
    assert {sample["topic"] for sample in SAMPLES} == set(EXPECTED)


class TestOurOwn:
    """As of POST /api/v1/signals."""

    def test_all_of_it(self) -> None:
        """Every member arrives; unknown ones are ignored."""
        body = (
            b'{"event":"once","ref":"r","place":"p","kind":"team","type":"t","priority":"high","text":"x",'
            b'"id":"i","callback":"123","person":"anna","heard":true,"occurred_at":"2024-11-22T09:00:00+01:00",'
            b'"present":true,"more":[1]}'
        )

        assert own_signal(body) == SignalSaid(
            event="once",
            ref="r",
            place="p",
            kind="team",
            type="t",
            priority="high",
            text="x",
            id="i",
            callback="123",
            person="anna",
            heard=True,
            occurred_at=1_732_262_400_000,
        )

    def test_presence_has_a_place_and_no_ref(self) -> None:
        """It belongs to a room."""
        said = own_signal(b'{"event":"presence","place":"p","present":false}')

        assert said == SignalSaid(event="presence", place="p", present=False)

    @pytest.mark.parametrize(
        ("body", "why"),
        [
            (b'{"event":"start","ref":"r"}', "kind: kind or type is required"),
            (b'{"event":"once","kind":"team"}', "ref: is required"),
            (b'{"event":"end"}', "ref: is required"),
            (b'{"event":"presence","place":"p"}', "place and present are required"),
            (b'{"event":"ring","ref":"r"}', "event: Invalid enum value"),
            (b'{"ref":"r"}', "missing required field event"),
            (b'{"event":"end","ref":7}', "ref: Expected str"),
            (b'{"event":"end","ref":"a\\u0000"}', "ref: Expected str matching"),
            (b'{"event":"end","ref":"r","occurred_at":"2024-11-22T09:00:00"}', "occurred_at: Expected"),
            (b"[]", "Expected object"),
            (b"\xff\xfe", "JSON is malformed"),
            (b"", "truncated"),
            (b"[" * 40_000, ""),
        ],
    )
    def test_what_cannot_be_used_is_named(self, body: bytes, why: str) -> None:
        """The field first."""
        said = own_signal(body)

        assert isinstance(said, Unreadable)
        assert why in said.why

    def test_a_last_will_and_a_battery(self) -> None:
        """A device's own state; a will is no sign of life."""
        assert own_device("b1", b'{"online":false}', False) == Seen("b1", online=False, live=False)
        assert own_device("b1", b'{"battery":12,"low":true}', False) == Seen("b1", battery=12, low=True)
        assert own_device("b1", b"online", False) == Seen("b1", online=True)
        assert own_device("b1", b"", True) == Ignored("empty")
        assert isinstance(own_device("b1", b"{}", False), Unreadable)


def test_an_idle_word_makes_a_press_a_sign_of_life() -> None:
    """The site knows what its devices say at rest."""
    topic = "application/a/device/01/event/up"
    body = b'{"data":"AA==","fPort":5}'

    assert isinstance(Decoder(ROUTES).decode(topic, body, False)[1], Pressed)
    assert Decoder(ROUTES, ["fPort=5$"]).decode(topic, body, False)[1] == Ignored("at_rest")


def test_a_device_without_a_name_is_called_by_its_topic() -> None:
    """It may ring all the same."""
    says = Decoder(ROUTES).decode("application/a/device//event/up", b'{"data":"AQ=="}', False)

    assert [said.device for said in says if isinstance(said, Pressed | Seen)] == [
        "application/a/device//event/up"
    ] * 2


def test_too_long_is_too_long() -> None:
    """Except for the bridge's list of devices, which is long and not for us."""
    long = b'"' + b"x" * LONGEST_PAYLOAD_BYTES + b'"'
    decoder = Decoder(ROUTES)

    assert isinstance(decoder.decode("alarmhub/buttons/signals", long, False)[0], Unreadable)
    assert isinstance(decoder.decode("zigbee2mqtt/" + "x" * 2_000, b"{}", False)[0], Unreadable)
    assert decoder.decode("zigbee2mqtt/bridge/devices", long, True) == (Ignored("zigbee2mqtt_topic"),)


TOPICS = st.sampled_from([*EXPECTED, "alarmhub/buttons/signals", "alarmhub/buttons/devices/b1"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
# fmt: off
NAMES = st.sampled_from([
    "action", "battery", "state", "event", "event_cnt", "deviceInfo", "object", "data", "fCnt", "time",
    "tags", "deduplicationId", "method", "params", "events", "component", "button", "address", "pid",
    "batteryLevel", "ref", "kind", "place", "present", "occurred_at", "id", "online",
])
# fmt: on
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=5), inner)
)


@given(TOPICS, st.binary(max_size=300) | VALUES.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_nothing_makes_it_raise(topic: str, payload: bytes, retained: bool) -> None:
    """Rubbish and well-formed surprises alike; what is said stays bounded."""
    for said in Decoder(ROUTES).decode(topic, payload, retained):
        fuzz_mqtt.check(said)


@pytest.mark.parametrize("seed", fuzz_mqtt.SEEDS, ids=range(len(fuzz_mqtt.SEEDS)))
def test_the_fuzz_target_takes_its_seeds(seed: bytes) -> None:
    """Each is a message it can begin from."""
    fuzz_mqtt.target(seed)
