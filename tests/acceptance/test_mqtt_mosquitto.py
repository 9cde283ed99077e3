"""The link with a real broker and its clients: Debian's mosquitto, which shares no line with the hub."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from alarmhub.core.effects import Report, ReportStatus
from alarmhub.inbound import mqtt
from alarmhub.ports import NotStored
from alarmhub.secret import Secret
from tests.support.hub import House, Nurse, pass_time
from tests.support.intake import BED
from tests.support.mosquitto import Mosquitto, installed
from tests.support.mqtt_link import SIGNALS, ZIGBEE, Rig, link, rig, start
from tests.support.waiting import until

LAMP = f"lamp/{BED}"
QUICKLY = {"reconnect_s": 1.0, "keepalive_s": 2}


@pytest.fixture
async def mosquitto(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker that keeps what it has on disk."""
    broker = Mosquitto(tmp_path)
    await broker.start()
    yield broker
    await broker.stop()


def pubacks(broker: Mosquitto) -> int:
    """How many the broker has had from the hub, by its own log."""
    return broker.log.count("Received PUBACK from alarmhub-plant")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_mosquitto_hears_puback_after_the_commit(mosquitto: Mosquitto, version: str) -> None:
    """By its own log, not ours."""
    async with rig(link(mosquitto.port, version=version)) as it:
        it.hub.gate.clear()
        await mosquitto.pub(SIGNALS, start("r1"))
        await until(lambda: it.hub.begun, "the signal to reach the hub")
        assert pubacks(mosquitto) == 0

        it.hub.gate.set()
        await until(lambda: pubacks(mosquitto) == 1, "the acknowledgement in the broker's log")
        assert it.refs == ["r1"]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_broker_killed_with_an_unacknowledged_message_delivers_it_again(
    mosquitto: Mosquitto, version: str
) -> None:
    """SIGKILL, while the hub could not store: after its restart the press is there, once."""
    async with rig(link(mosquitto.port, version=version, **QUICKLY)) as it:
        it.hub.refuse = NotStored("database away")
        await mosquitto.pub(ZIGBEE, '{"action":"single"}')
        await until(lambda: it.hub.begun, "an attempt")
        await until(lambda: (mosquitto.folder / "mosquitto.db").exists(), "the broker's store")
        await pass_time(1.2, "mosquitto saves once a second")
        await mosquitto.stop(kill=True)
        await until(lambda: not it.feed.status.connected, "the loss to be noticed")
        await mosquitto.start()
        await it.connected()
        it.hub.refuse = None
        await until(lambda: pubacks(mosquitto) == 1, "the acknowledgement", within_s=10)

        assert it.refs == ["bed12_button"]


async def test_a_hub_that_died_gets_what_it_had_not_acknowledged(mosquitto: Mosquitto) -> None:
    """And what came while it was away; its display says that it is gone."""
    first = Rig(link(mosquitto.port))
    await first.start()
    await first.connected()
    await until(lambda: "lamp/hub/plant" in mosquitto.log, "the greeting")
    first.hub.refuse = NotStored("database away")
    await mosquitto.pub(SIGNALS, start("r1"))
    await until(lambda: first.hub.begun, "an attempt")
    connection = first.adapter._connection
    assert connection is not None
    connection.drop("the process is gone")
    assert await mosquitto.sub("lamp/hub/#", 1) == ['1 lamp/hub/plant {"online":false}']
    await first.close()
    await mosquitto.pub(SIGNALS, start("r2"))

    async with rig(link(mosquitto.port)) as second:
        await until(lambda: len(second.hub.taken) == 2, "both signals")
        assert second.refs == ["r1", "r2"]


async def test_a_display_follows_an_alarm_through_a_restart_of_the_broker(mosquitto: Mosquitto) -> None:
    """Retained while it is open, said again to a broker that lost it, cleared when it ends."""
    async with rig(link(mosquitto.port, **QUICKLY)) as it:
        await mosquitto.pub(SIGNALS, start("r1"))
        await until(lambda: it.hub.alarms, "the alarm")
        await it.adapter.report(Report("plant", ReportStatus.QUEUED, "r1"), next(iter(it.hub.alarms)))
        (shown,) = await mosquitto.sub(LAMP, 1)
        assert shown.startswith("1 ") and json.loads(shown.split(" ", 2)[2])["phase"] == "ringing"

        await mosquitto.stop(kill=True)
        (mosquitto.folder / "mosquitto.db").unlink(missing_ok=True)
        await until(lambda: not it.feed.status.connected, "the loss to be noticed")
        await mosquitto.start()
        await it.connected()
        assert len(await mosquitto.sub(LAMP, 1)) == 1

        watching = asyncio.get_running_loop().create_task(mosquitto.sub(LAMP, 2))
        await until(lambda: mosquitto.log.count(f"\t{LAMP} (QoS 0)") >= 2, "the display to watch")
        await mosquitto.pub(SIGNALS, '{"event":"end","ref":"r1"}')
        assert (await watching)[1] == f"0 {LAMP} "


async def test_a_retained_press_rings_nobody(mosquitto: Mosquitto) -> None:
    """Neither at the first connection nor at the next."""
    await mosquitto.pub(ZIGBEE, '{"action":"single"}', "-r")
    async with rig(link(mosquitto.port)) as it:
        await mosquitto.pub(SIGNALS, start("r1"))
        await until(lambda: it.hub.taken, "the signal")

        assert it.refs == ["r1"]


async def test_tls_with_certificates_and_a_password(tmp_path: Path) -> None:
    """Both sides show who they are; a wrong password is told as such."""
    installed()
    for program in ("openssl", "mosquitto_passwd"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    await asyncio.to_thread(certificates, tmp_path)
    users = tmp_path / "users"  # written with the certificates
    broker = Mosquitto(
        tmp_path,
        f"cafile {tmp_path}/ca.pem",
        f"certfile {tmp_path}/broker.pem",
        f"keyfile {tmp_path}/broker.key",
        "require_certificate true",
        users=f"allow_anonymous false\npassword_file {users}",
    )
    await broker.start()
    files = ("ca", "pem"), ("cert", "pem"), ("key", "key")
    more = {
        f"tls_{name}_file": f"{tmp_path}/{'ca' if name == 'ca' else 'hub'}.{kind}" for name, kind in files
    }
    settings = link(broker.port, username="hub", password=Secret("hush"), **more)
    assert settings.faults() == []
    try:
        async with rig(settings) as it:
            secure = ("--cafile", more["tls_ca_file"], "--cert", more["tls_cert_file"])
            secure += ("--key", more["tls_key_file"], "-u", "hub", "-P", "hush", "-h", "localhost")
            await asyncio.gather(*(broker.pub(SIGNALS, start(f"r{n}"), *secure) for n in range(5)))
            await until(lambda: len(it.hub.taken) == 5, "all signals")

        wrong = Rig(link(broker.port, username="hub", password=Secret("wrong"), link_down_s=0.3, **more))
        await wrong.start()
        await until(lambda: wrong.hub.links == [("plant", False)], "the news")
        await wrong.close()
    finally:
        await broker.stop()


def certificates(folder: Path) -> None:
    """An authority, a broker called localhost and 127.0.0.1, and a hub with certificate and password."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(folder / "users"), "hub", "hush"],
        check=True,
        capture_output=True,
    )
    new = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    openssl(*new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", names, "-addext", "basicConstraints=CA:FALSE")
    for who in ("broker", "hub"):
        openssl(*new, *by, "-keyout", f"{who}.key", "-out", f"{who}.pem", "-subj", f"/CN={who}")


def test_many_presses_under_uvloop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own loop; each is stored and acknowledged, and the broker keeps none back."""
    installed()
    monkeypatch.setattr(mqtt, "LOOK_EVERY_S", 60.0)

    async def press() -> None:
        broker = Mosquitto(tmp_path)
        await broker.start()
        try:
            async with rig(link(broker.port)) as it:
                process = await asyncio.create_subprocess_exec(
                    *("mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", SIGNALS),
                    *("-q", "1", "-l"),
                    stdin=subprocess.PIPE,
                )
                await process.communicate("\n".join(start(f"r{n}") for n in range(500)).encode())
                await until(lambda: pubacks(broker) == 500, "all acknowledgements", within_s=20)
                assert it.refs == [f"r{n}" for n in range(500)]
        finally:
            await broker.stop()

    uvloop.run(press())


SOURCE = """
[[source]]
id = "buttons"
name = "Help buttons"
fallback_unit = "u0000"
protocol = "mqtt"
ends = "staff"
reports = "alarm"
rules = [{ address = '^bed(?P<bed>\\d+)$', place = "u0000/r{bed}/bed", type = "load-hold" }]
"""


@pytest.mark.timeout(120)
async def test_a_whole_hub_killed_under_presses_loses_none(database_dsn: str, mosquitto: Mosquitto) -> None:
    """SIGKILL again and again: every press with an id of its own is there in the end, and none twice."""
    async with House(database_dsn, extra=SOURCE) as house:
        port = mosquitto.port
        hub = house.hub(
            config=f'[[mqtt]]\nsource = "buttons"\nbroker = "127.0.0.1:{port}"\nreconnect_s = 1.0\n'
        )
        await hub.start()
        await hub.said("source_connected")
        pressed: list[str] = []
        for round_ in range(3):
            for n in range(15):
                ref = f"{round_}-{n}"
                body = {
                    "event": "once",
                    "ref": ref,
                    "id": ref,
                    "place": house.layout.place(n),
                    "type": "load-hold",
                }
                await mosquitto.pub("alarmhub/buttons/signals", json.dumps(body))
                pressed.append(ref)
                if n == 7:
                    hub.kill()
            await hub.start()

        async def stored() -> list[str]:
            rows = await house.sql("SELECT body FROM alarm WHERE source = 'buttons'")
            return sorted(json.loads(row["body"])["ref"] for row in rows)

        async def complete() -> bool:
            return await stored() == sorted(pressed)

        await until(complete, "every press to be an alarm, once", within_s=20)
        assert await hub.stop() == 0


@pytest.mark.timeout(120)
async def test_a_lamp_follows_what_a_nurse_answers(database_dsn: str, mosquitto: Mosquitto) -> None:
    """From the press to the accept on a phone, by the whole hub."""
    async with House(database_dsn, extra=SOURCE) as house:
        broker = (
            f'broker = "127.0.0.1:{mosquitto.port}"\nzigbee2mqtt = "zigbee2mqtt"\nstate_prefix = "lamp"\n'
        )
        hub = house.hub(config=f'[[mqtt]]\nsource = "buttons"\n{broker}')
        await hub.start()
        await hub.said("source_connected")
        await mosquitto.pub("zigbee2mqtt/bed1", '{"action":"single","battery":88}')
        (shown,) = await mosquitto.sub("lamp/+/u0000/#", 1, within_s=10)
        assert json.loads(shown.split(" ", 2)[2])["phase"] == "ringing"

        async with Nurse(hub, 0) as nurse:
            await until(lambda: nurse.took, "the nurse to take it", within_s=10)

            async def accepted() -> bool:
                (now,) = await mosquitto.sub("lamp/+/u0000/#", 1)
                return bool(json.loads(now.split(" ", 2)[2])["phase"] == "accepted")

            await until(accepted, "the lamp to show that somebody comes", within_s=10)
        assert await hub.stop() == 0
