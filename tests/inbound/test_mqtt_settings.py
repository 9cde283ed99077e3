"""What is wrong with a link's settings is said before it is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from alarmhub.inbound.mqtt_settings import MqttLink
from alarmhub.secret import Secret

BROKER = "mqtt.example:1883"


def faults(**more: object) -> str:
    """All of them."""
    return "; ".join(MqttLink(**{"source": "plant", "broker": BROKER} | more).faults())  # type: ignore[arg-type]


def test_source_and_broker_are_enough() -> None:
    """Our own dialect under our own topic, one client id for ever, no TLS."""
    settings = MqttLink("plant", BROKER)

    assert settings.faults() == []
    assert settings.routes().own == "alarmhub/plant"
    assert settings.client() == "alarmhub-plant"
    assert settings.address() == ("mqtt.example", 1883)
    assert settings.listens() is None
    assert settings.tls_context() is None


def test_tls_with_this_machines_authorities() -> None:
    """And the broker's name is checked."""
    context = MqttLink("plant", BROKER, tls=True).tls_context()

    assert context is not None and context.check_hostname


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"broker": "mqtt.example"}, "broker: expected host:port"),
        ({"broker": "mqtt.example:0"}, "broker: port 0 is none"),
        ({"password": Secret("x")}, "password: without a username"),
        ({"tls_cert_file": "a.pem"}, "tls_cert_file: goes with tls_key_file"),
        ({"topic": "a/#"}, "topic: has a wildcard"),
        ({"chirpstack": "application/"}, "chirpstack: is no topic prefix"),
        ({"buttons": ("a/#/b",)}, 'buttons: "#" must be the whole last level'),
        ({"shelly_gen2": ("",)}, "shelly_gen2: is empty"),
        ({"topic": ""}, "topic: no topic is asked for"),
        ({"idle": ("(",)}, "idle: is no regular expression"),
        ({"state_prefix": "zigbee2mqtt/lamp", "zigbee2mqtt": "zigbee2mqtt"}, "the hub would hear itself"),
        ({"state_prefix": "alarmhub/plant/signals"}, "the hub would hear itself"),
    ],
)
def test_a_contradiction_is_named(more: dict[str, object], said: str) -> None:
    """With its key."""
    assert said in faults(**more)


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """At the start, not at the first alarm."""
    missing = str(tmp_path / "ca.pem")
    (tmp_path / "bad.pem").write_text("no certificate")

    assert "No such file" in faults(tls_ca_file=missing)
    assert faults(tls_ca_file=str(tmp_path / "bad.pem"))
