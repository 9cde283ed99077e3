"""The friendly phone: it shows what the hub says, believes the newest word, and returns results."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve

from load.phone_client import ClosedByHub, PhoneClient
from tests.support.waiting import until

ALARM = {
    "type": "alarm", "id": "a-1", "rev": 1, "phase": "ringing", "kind": "patient_call", "turn": 1,
    "place": "w/1", "text": "Bed 1", "can": ["accept"], "rings": True, "why": [{"code": "x", "text": "y"}],
}  # fmt: skip


class Desk:
    """A gateway on websockets' own server: sends `before_sync` to each phone, answers requests with ok."""

    def __init__(self) -> None:
        self.before_sync: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.sockets: list[ServerConnection] = []
        self.url = ""

    async def serve(self, socket: ServerConnection) -> None:
        """One phone's connection."""
        self.sockets.append(socket)
        async for data in socket:
            said = json.loads(data)
            self.said.append(said)
            if said["type"] == "hello":
                await self.tell({"type": "welcome", "staff": "s", "beat_every": 0.01, "at": 0}, socket)
                for frame in self.before_sync:
                    await self.tell(frame, socket)
                await self.tell({"type": "synced"}, socket)
            elif "req" in said:
                await self.tell({"type": "result", "req": said["req"], "ok": True}, socket)

    async def tell(self, frame: dict[str, Any], socket: ServerConnection | None = None) -> None:
        """One frame to the newest phone."""
        await (socket or self.sockets[-1]).send(json.dumps(frame))

    def types(self) -> list[str]:
        """What phones have said, beats left out."""
        return [said["type"] for said in self.said if said["type"] != "beat"]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A desk with a server on loopback."""
    one = Desk()
    server: Server
    async with serve(
        one.serve, "127.0.0.1", 0, subprotocols=["alarmhub.phone.v1"], close_timeout=0.2
    ) as server:  # type: ignore[list-item]
        one.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/phone"
        yield one


async def test_an_alarm_rings_is_reported_and_accepted(desk: Desk) -> None:
    """Hello, rang, accept: in this order, and the result comes back to who asked."""
    async with PhoneClient(desk.url, "secret", "d-1", name="Anna") as anna:
        await desk.tell(ALARM)
        alarm = await anna.wait_alarm(5, place="w/1", phase="ringing")
        assert alarm.rings
        result = await anna.accept(alarm.id, reason="on my way")
        assert result.ok
        assert desk.types() == ["hello", "rang", "accept"]
        assert desk.said[0]["device"] == "d-1"
        await desk.tell({"type": "gone", "id": "a-1", "rev": 2, "reason": "ended", "at": 0})
        assert await anna.wait_gone("a-1", 5) == "ended"
        assert anna.alarms == {}


async def test_an_older_word_is_ignored(desk: Desk) -> None:
    """Rev 2 has been seen; rev 1 changes nothing."""
    async with PhoneClient(desk.url, "secret") as phone:
        await desk.tell({**ALARM, "rev": 2, "phase": "accepted", "rings": False})
        await desk.tell(ALARM)
        await phone.wait_for(lambda one: len([f for f in one.frames if f["type"] == "alarm"]) == 2, 5)
        assert phone.alarms["a-1"].phase == "accepted"


async def test_what_was_not_sent_at_sync_is_gone(desk: Desk) -> None:
    """After a radio gap the hub's snapshot is the whole truth."""
    desk.before_sync = [ALARM, {**ALARM, "id": "a-2"}]
    phone = PhoneClient(desk.url, "secret", "d-1")
    await phone.connect()
    assert set(phone.alarms) == {"a-1", "a-2"}
    await phone.cut()
    desk.before_sync = [{**ALARM, "id": "a-2", "rev": 2}]
    await phone.connect()
    assert set(phone.alarms) == {"a-2"}
    assert "a-1" in phone.gone
    await phone.close()


async def test_a_silent_drill_is_confirmed_once_without_ringing(desk: Desk) -> None:
    """Nothing sounds, nobody answers; the next frame of the same drill is not confirmed again."""
    async with PhoneClient(desk.url, "secret") as phone:
        drill = {**ALARM, "drill": True, "rings": False, "can": []}
        await desk.tell(drill)
        await phone.wait_alarm(2, drill=True)
        await desk.tell({**drill, "rev": 2})
        await phone.wait_alarm(2, rev=2)
        await phone.status(battery=12)
        await until(lambda: "status" in desk.types(), "the status arrived")
        assert desk.types() == ["hello", "rang", "status"]


async def test_warnings_are_what_the_last_state_says(desk: Desk) -> None:
    """Absent means none."""
    async with PhoneClient(desk.url, "secret") as phone:
        await desk.tell({"type": "state", "storing": True, "warnings": ["Ladda"]})
        await phone.wait_for(lambda p: p.warnings == ["Ladda"], 2)
        await desk.tell({"type": "state", "storing": True})
        await phone.wait_for(lambda p: p.warnings == [], 2)


async def test_a_phone_in_a_locker_does_not_report_that_it_rang(desk: Desk) -> None:
    """With auto_rang off it shows the alarm and says nothing."""
    async with PhoneClient(desk.url, "secret", auto_rang=False) as phone:
        await desk.tell(ALARM)
        await phone.wait_alarm(5, place="w/1")
        await phone.seen("a-1")
        await until(lambda: desk.types() == ["hello", "seen"])


async def test_it_beats_and_is_told_when_the_hub_hangs_up(desk: Desk) -> None:
    """Every beat_every seconds; the closing code and reason are kept."""
    async with PhoneClient(desk.url, "secret") as phone:
        await until(lambda: any(said["type"] == "beat" for said in desk.said))
        await desk.sockets[-1].close(4409, "a newer connection")
        closed = await phone.wait_closed(5)
        assert (closed.code, closed.reason) == (4409, "a newer connection")
        with pytest.raises(ClosedByHub):
            await phone.wait_alarm(5, place="w/1")


async def test_waiting_in_vain_says_what_the_phone_shows(desk: Desk) -> None:
    """A failed expectation in a demo must explain itself."""
    async with PhoneClient(desk.url, "secret", name="Berit") as phone:
        await desk.tell(ALARM)
        await phone.wait_alarm(5, place="w/1")
        with pytest.raises(TimeoutError, match=r"Berit waited 0.05 s; it shows .*patient_call w/1 ringing"):
            await phone.wait_alarm(0.05, phase="accepted")


async def test_a_hub_that_dies_while_the_phone_reports_is_a_closed_connection(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The socket is gone before `rang` could be said: the phone knows it was cut off, and closes in peace."""
    async with PhoneClient(desk.url, "token") as phone:

        async def cut_off(alarm: str) -> None:
            raise ClosedByHub(1006, "connection lost")

        monkeypatch.setattr(phone, "rang", cut_off)
        await desk.tell(ALARM)
        assert (await phone.wait_closed(5)).code == 1006
