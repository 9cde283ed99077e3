"""Social alarms over real sockets: units on one side, a hub that behaves on the other."""

from __future__ import annotations

import asyncio
import zlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from alarmhub.core.effects import ReportStatus
from alarmhub.core.events import SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.core.site import Reports
from alarmhub.ports import NotStored, Refused
from load.scaip_alarm import ScaipUnit
from protocols.scaip import CONTENT_TYPE, Mrq, Mrs, write_mrq
from protocols.sip import Request, build, parse
from tests.support.intake import BED
from tests.support.scaip_line import CID, PENDANT, ScaipLine, scaip_line
from tests.support.virtual import VirtualClock
from tests.support.waiting import until

SAMPLES = Path(__file__).parents[1] / "protocols" / "samples" / "scaip"
HELD, DONE, NOT_TREATED, BUSY = 4, 0, 5, 6
RESET = Mrq(ref="A1B2C3", mty="RE", cid=CID, dty="0003")
BEAT = Mrq(ref="HB0001", mty="PI", hbo="001", cid=CID, dty="0002")
ACCEPTED, UNANSWERED = ReportStatus.ACCEPTED, ReportStatus.UNANSWERED


async def snu(unit: ScaipUnit, request: Mrq) -> int | None:
    """What the unit is answered."""
    said = await unit.send(request)
    return None if said is None else said.snu


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("reply", ["message", "response"])
async def test_an_alarm_is_held_until_somebody_accepts(transport: str, reply: str) -> None:
    """4 while it rings, 0 with the voice call once somebody goes; asking again raises nothing."""
    async with scaip_line(reply=reply, voice=1, voice_to="sip:ward2@arc.example") as line:
        async with line.unit(transport) as unit:
            assert await unit.send(PENDANT) == Mrs("A1B2C3", HELD)
            assert await unit.send(PENDANT) == Mrs("A1B2C3", HELD)
            await line.report(ReportStatus.PAGED)
            assert await snu(unit, PENDANT) == HELD
            await line.report(ACCEPTED)
            assert await unit.send(PENDANT) == Mrs("A1B2C3", DONE, mre=1, cre=62, tnu="sip:ward2@arc.example")
        (signal,) = line.hub.taken
        assert (signal.event, signal.place, signal.priority) == (SignalEvent.START, BED, Priority.HIGH)
        assert signal.key == signal.ref == f"{CID}/A1B2C3"
        assert signal.source_text == "manuellt larm, bärbar knapp, Sovrum [dty0003 stc0010 lco012]"
        assert signal.callback == "+46701234567"
        assert line.feed.status.last_answer == "snu 0"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_nothing_positive_before_the_commit(transport: str) -> None:
    """Not even "transported": a unit that hears nothing repeats, and its repetition is the same alarm."""
    async with scaip_line() as line, line.unit(transport) as unit:
        line.hub.gate.clear()
        sending = asyncio.gather(unit.send(PENDANT))
        await until(lambda: line.hub.begun, "the alarm to reach the hub")
        await until(lambda: unit.statuses == [], "no status")
        assert unit.replies == [] and not sending.done()
        line.hub.gate.set()
        assert await sending == [Mrs("A1B2C3", HELD)]
        assert len(line.hub.taken) == 1


async def test_the_news_goes_out_unasked() -> None:
    """Accepted, returned and taken back, each once, as messages of their own."""
    async with scaip_line() as line, line.unit() as unit:
        await unit.send(PENDANT)
        for status in (ReportStatus.QUEUED, ReportStatus.PAGED, UNANSWERED, UNANSWERED, ACCEPTED, ACCEPTED):
            await line.report(status)
        await line.report(ReportStatus.ENDED)
        await until(lambda: [said.snu for said in unit.replies] == [HELD, NOT_TREATED, DONE], "the news")


async def test_an_answer_that_is_overtaken_is_not_repeated() -> None:
    """ "Accepted", not taken by the unit, must not arrive after "returned"."""
    async with scaip_line() as line, line.unit() as unit:
        await unit.send(PENDANT)
        unit.mute = True
        await asyncio.gather(line.report(ACCEPTED), line.report(UNANSWERED))
        (call,) = [line.adapter._sessions.call_of(PENDANT)]
        assert call is not None
        await until(lambda: list(call.sending.values()) == [NOT_TREATED], "one answer on its way")
        unit.mute = False
        await until(lambda: call.told == NOT_TREATED, "the unit to take it")
        before = len(unit.replies)
        assert unit.replies[-1].snu == NOT_TREATED
        await until(lambda: not len(line.adapter._ends._asked), "nothing to repeat")
        assert len(unit.replies) == before


@pytest.mark.parametrize(("reply", "unasked"), [("message", False), ("response", True)])
async def test_units_that_must_not_be_told_ask(reply: str, unasked: bool) -> None:
    """5 when nobody accepts or can, and 0 again when somebody does later."""
    async with scaip_line(reply=reply, unasked=unasked) as line, line.unit() as unit:
        await unit.send(PENDANT)
        await line.report(ReportStatus.ABSENT)
        assert len(unit.replies) == 1
        assert await snu(unit, PENDANT) == NOT_TREATED
        await line.report(ACCEPTED)
        assert await snu(unit, PENDANT) == DONE
        assert len(line.hub.taken) == 1


async def test_a_reset_ends_the_alarm_and_a_new_press_rings_again() -> None:
    """Also under the same reference; the end is by the alarm's own key."""
    async with scaip_line() as line, line.unit() as unit:
        assert [await snu(unit, m) for m in (PENDANT, RESET, RESET, PENDANT)] == [HELD, DONE, DONE, HELD]
        events = [(signal.event, signal.key) for signal in line.hub.taken]
        start, end = (SignalEvent.START, f"{CID}/A1B2C3"), (SignalEvent.END, f"{CID}/A1B2C3")
        assert events == [start, end, end, start]


async def test_information_is_an_update() -> None:
    """Words of the session's earlier messages stay; the same said twice is one update."""
    news = Mrq(ref="A1B2C3", mty="IN", cid=CID, dty="0003", ite="Ligger i hallen")
    async with scaip_line() as line, line.unit() as unit:
        assert [await snu(unit, m) for m in (PENDANT, news, news)] == [HELD] * 3
        assert [signal.event for signal in line.hub.taken] == [SignalEvent.START, SignalEvent.UPDATE]
        assert line.hub.taken[1].key == f"{CID}/A1B2C3"
        assert "Sovrum, Ligger i hallen" in line.hub.taken[1].source_text


async def test_further_messages_of_a_session_are_collected() -> None:
    """`ame`: the first rings at once, each further one adds what it says."""
    parts = [
        replace(PENDANT, ame="2", ite="Diabetes."),
        replace(PENDANT, ame="1", ite="Nyckel hos granne."),
        replace(PENDANT, ite="Hund."),
    ]
    async with scaip_line() as line, line.unit() as unit:
        for part in [*parts, parts[0]]:
            assert await snu(unit, part) == HELD
        assert [s.event for s in line.hub.taken] == [
            SignalEvent.START,
            SignalEvent.UPDATE,
            SignalEvent.UPDATE,
        ]
        assert "Diabetes. Nyckel hos granne. Hund." in line.hub.taken[-1].source_text


async def test_a_lasting_condition_ends_under_another_reference() -> None:
    """Mains fail and mains restored of one controller are one technical alarm with its end."""
    fails = Mrq(ref="M1", cid=CID, dty="0045", stc="0085")
    async with scaip_line() as line, line.unit() as unit:
        assert await snu(unit, fails) == HELD
        assert await snu(unit, replace(fails, ref="M2", stc="0086")) == DONE
        first, second = line.hub.taken
        assert (first.event, second.event) == (SignalEvent.START, SignalEvent.END)
        assert first.key == second.key == f"{CID}///mains"
        assert await snu(unit, replace(fails, ref="M3")) == HELD
        assert await snu(unit, Mrq(ref="M3", mty="RE", cid=CID, dty="0045")) == DONE
        assert line.hub.taken[-1].key == f"{CID}///mains"


async def test_presence_is_presence() -> None:
    """Nobody has to accept it."""
    async with scaip_line() as line, line.unit() as unit:
        assert await snu(unit, replace(PENDANT, ref="P1", stc="0087")) == DONE
        assert await snu(unit, replace(PENDANT, ref="P2", stc="0088")) == DONE
        assert [(s.event, s.present) for s in line.hub.taken] == [
            (SignalEvent.PRESENCE, True),
            (SignalEvent.PRESENCE, False),
        ]


async def test_cancelled_without_a_reference_ends_nothing() -> None:
    """It is told to those who go; with nothing open it rings."""
    cancel = replace(PENDANT, ref="C1", stc="0019")
    async with scaip_line() as line, line.unit() as unit:
        await unit.send(PENDANT)
        assert await snu(unit, cancel) == HELD
        assert line.hub.taken[-1].event is SignalEvent.UPDATE
        assert line.hub.taken[-1].key == f"{CID}/A1B2C3"
        await unit.send(RESET)
        await unit.send(replace(cancel, ref="C2"))
        assert line.hub.taken[-1].event is SignalEvent.START


@pytest.mark.parametrize(
    ("refusal", "not_stored", "answer"),
    [
        (NotStored("database away"), "busy", BUSY),
        (NotStored("database away"), "503", None),
        (Refused("poison"), "busy", NOT_TREATED),
    ],
)
async def test_what_is_not_stored(refusal: Exception, not_stored: str, answer: int | None) -> None:
    """6, or SIP 503; 5 for what never can be. Once it can be stored, the same request is."""
    async with scaip_line(not_stored=not_stored) as line, line.unit() as unit:
        line.hub.refuse = refusal
        assert await snu(unit, PENDANT) == answer
        assert unit.statuses == [503 if answer is None else 200]
        line.hub.refuse = None
        assert await snu(unit, PENDANT) == HELD
        assert len(line.hub.taken) == 1


@pytest.mark.parametrize(("faulty", "rings"), [("ring", 1), ("refuse", 0)])
async def test_a_faulty_alarm_gets_its_number_and_rings_all_the_same(faulty: str, rings: int) -> None:
    """1, and people go, unless the site wants it refused."""
    async with scaip_line(faulty=faulty) as line, line.unit() as unit:
        assert await snu(unit, replace(PENDANT, lte="x" * 40)) == 1
        assert len(line.hub.taken) == rings
        assert line.refused("invalid") == 1
        assert line.feed.status.last_refusal == "lte is longer than 32"


async def test_a_heartbeat_is_answered_with_the_interval() -> None:
    """To a unit that can be told; no signal, no 0 while nothing could be stored."""
    async with scaip_line(heartbeat_min=15) as line, line.unit() as unit:
        assert await unit.send(BEAT) == Mrs("HB0001", DONE, hbi=15)
        assert await unit.send(replace(BEAT, hbo="")) == Mrs("HB0001", DONE)
        line.hub.is_storing = False
        assert await snu(unit, BEAT) == BUSY
        assert line.hub.taken == []


async def test_a_silent_controller_is_news() -> None:
    """Three intervals after its last word, also for one that never came; and over after one of life."""
    clock = VirtualClock()
    async with (
        scaip_line(clock, heartbeat_min=1, controllers=("111",), down_s=0) as line,
        line.unit() as unit,
    ):
        await unit.send(BEAT)
        clock.jump(181)
        line.adapter._check()
        said = {signal.key: signal for signal in line.hub.said}
        assert set(said) == {"trouble:plant:controller:111", f"trouble:plant:controller:{CID}"}
        assert said[f"trouble:plant:controller:{CID}"].text == f"Larmenheten {CID} har slutat höra av sig"
        for _ in range(2):
            await unit.send(BEAT)
            clock.jump(61)
        line.adapter._check()
        assert [(s.key, s.event) for s in line.hub.said][2:] == [
            (f"trouble:plant:controller:{CID}", SignalEvent.END)
        ]


async def test_a_silence_told_before_a_restart_is_over_when_the_controller_is_back() -> None:
    """Of one that is set, and of one that only ever said so itself; neither is told anew."""
    clock = VirtualClock()
    async with scaip_line(clock, heartbeat_min=1, controllers=("111",), down_s=0) as line:
        async with line.unit() as unit:
            await unit.send(BEAT)
        clock.jump(181)
        line.adapter._check()
        for news in line.hub.said:
            await line.hub.signal(news)
        await line.adapter.close()
        line.feed.close()
        line.connect()
        await line.adapter.start()
        async with line.unit() as unit:
            for _ in range(2):
                await unit.send(BEAT)
                clock.jump(61)
        clock.jump(61)
        line.adapter._check()
        assert [(s.key, s.event) for s in line.hub.said][2:] == [
            (f"trouble:plant:controller:{CID}", SignalEvent.END)
        ]


async def test_the_same_press_long_after_rings() -> None:
    """A unit that never changes its reference is not silenced by its own past."""
    clock = VirtualClock()
    async with scaip_line(clock, reply="response", down_s=0) as line, line.unit() as unit:
        await unit.send(PENDANT)
        clock.jump(59)
        await unit.send(PENDANT)
        assert len(line.hub.taken) == 1
        clock.jump(61)
        await unit.send(PENDANT)
        assert [signal.event for signal in line.hub.taken] == [SignalEvent.START, SignalEvent.START]
        await line.report(ACCEPTED)
        await line.report(ReportStatus.ENDED)
        assert await snu(unit, PENDANT) == DONE
        assert await snu(unit, PENDANT) == HELD
        assert len(line.hub.taken) == 3


async def test_after_a_restart_the_unit_is_still_told() -> None:
    """The way to it is kept with the alarm; asking again finds the open alarm and raises none."""
    async with scaip_line() as line, line.unit() as unit:
        await unit.send(PENDANT)
        origin = line.hub.taken[0].origin
        port = line.adapter.port_of("udp")
        await line.adapter.close()
        line.settings = replace(line.settings, udp=f"127.0.0.1:{port}")
        line.connect()
        await line.adapter.start()
        await line.report(ACCEPTED, key=f"{CID}/A1B2C3", origin=origin)
        await until(lambda: unit.replies[-1].snu == DONE, "the news")
        assert await snu(unit, PENDANT) == DONE
        assert len(line.hub.alarms) == 1
        await line.report(ACCEPTED, ref="nobody/knows", origin="")


class TestWhoMaySend:
    """Digest, addresses, floods."""

    async def test_the_right_password_and_no_other(self) -> None:
        """401, then 403; nothing of it reaches the hub."""
        async with scaip_line() as line:
            for more in ({"password": ""}, {"password": "fel"}, {"user": "okänd"}):
                async with line.unit(**more) as unit:
                    assert await unit.send(PENDANT) is None
                    assert unit.statuses == [401 if more == {"password": ""} else 403]
            assert line.hub.begun == 0
            assert line.refused("unauthorized") == 2

    async def test_a_stale_nonce_is_asked_for_again(self) -> None:
        """With stale=true, and the password is not in doubt."""
        clock = VirtualClock()
        async with scaip_line(clock, down_s=0) as line, line.unit() as unit:
            await unit.send(BEAT)
            clock.jump(400)
            assert await snu(unit, BEAT) == DONE
            assert "stale=true" in unit._challenge

    async def test_basic_is_refused(self) -> None:
        """SS 91100 forbids it."""
        async with scaip_line() as line, line.unit(password="") as unit:
            response = await unit.request("MESSAGE", (("authorization", "Basic bHVjOmhlbWxpZ3Q="),))
            assert response.status == 401
            assert (response.header("www-authenticate") or "").startswith("Digest ")
            assert line.refused("unauthorized") == 1

    async def test_a_user_may_be_held_to_its_own_controller(self) -> None:
        """403 for any other."""
        async with scaip_line(user_is_cid=True) as line:
            async with line.unit(user="gateway", password="annat") as unit:
                assert await unit.send(PENDANT) is None
                assert unit.statuses == [403]
            async with line.unit() as unit:
                assert await snu(unit, PENDANT) == HELD

    async def test_nobody_is_asked_where_the_site_says_so(self) -> None:
        """But only peers of its networks."""
        async with scaip_line(auth="none", users=None, allow=("127.0.0.0/8",)) as line, line.unit() as unit:
            assert await snu(unit, PENDANT) == HELD
        async with (
            scaip_line(allow=("192.0.2.0/24",)) as line,
            line.unit("tcp") as unit,
            line.unit() as other,
        ):
            other.write(b"OPTIONS sip:x SIP/2.0\r\n\r\n")
            await until(lambda: line.refused("not_allowed") == 2, "the refusals")
            assert unit.replies == other.replies == []

    async def test_a_flood_hears_503(self) -> None:
        """One line in the log for all of it; another address is served."""
        open_door: dict[str, Any] = {"auth": "none", "users": None, "requests_per_s": 1.0}
        async with scaip_line(reply="response", **open_door) as line, line.unit() as unit:
            for _ in range(4):
                await unit.send(BEAT)
            assert unit.statuses == [200, 200, 503, 503]
            assert line.refused("flood") == 1


class TestSip:
    """What the layer below answers."""

    async def test_options_says_what_is_spoken(self) -> None:
        """Without a password."""
        async with scaip_line() as line, line.unit(password="") as unit:
            response = await unit.request("OPTIONS")
            assert response.status == 200
            assert response.header("allow") == "MESSAGE, REGISTER, OPTIONS"
            assert response.header("accept") == "application/scaip+xml, application/xml, text/xml"

    @pytest.mark.parametrize(
        ("method", "headers", "status"),
        [
            ("INVITE", (), 405),
            ("CANCEL", (), 481),
            ("MESSAGE", (("require", "100rel"),), 420),
            ("MESSAGE", (("content-type", "text/plain"),), 415),
            ("MESSAGE", (("content-type", "application/scaip+xml"), ("content-encoding", "gzip")), 415),
            ("REGISTER", (("contact", "<tel:1>"),), 400),
            ("REGISTER", (("contact", "<sip:a@b>;expires=1"),), 423),
        ],
    )
    async def test_what_is_refused(self, method: str, headers: Any, status: int) -> None:
        """Each with its own status."""
        async with scaip_line() as line, line.unit() as unit:
            assert (await unit.request(method, headers)).status == status
            assert line.hub.begun == 0

    async def test_a_repeated_request_gets_the_same_response(self) -> None:
        """Byte for byte, and is done once."""
        data = _request(write_mrq(PENDANT))
        async with scaip_line(auth="none", users=None, reply="response") as line, line.unit() as unit:
            heard: list[bytes] = []
            unit.came = heard.append  # type: ignore[method-assign]
            unit.write(data)
            await until(lambda: heard, "the response")
            unit.write(data)
            await until(lambda: len(heard) == 2, "the repetition")
            assert heard[0] == heard[1]
            assert line.hub.begun == 1

    async def test_deflate_is_taken(self) -> None:
        """Above some 1000 bytes a unit may pack."""
        headers = (("content-type", "application/scaip+xml"), ("content-encoding", "deflate"))
        async with scaip_line(reply="response") as line, line.unit() as unit:
            response = await unit.request("MESSAGE", headers, zlib.compress(write_mrq(PENDANT)))
            assert response.body == b"<mrs><ref>A1B2C3</ref><snu>4</snu></mrs>"
            assert len(line.hub.taken) == 1

    async def test_syntilios_form(self) -> None:
        """`<scaip>` in application/xml, answered in kind in the 200."""
        form: dict[str, Any] = {"form": "application/xml", "root": "scaip"}
        async with scaip_line(reply="response") as line, line.unit("tcp", **form) as unit:
            assert await unit.send(PENDANT) == Mrs("A1B2C3", HELD, root="scaip")

    async def test_a_registered_contact_is_where_answers_go(self) -> None:
        """And not the socket the alarm came from."""
        async with scaip_line() as line, line.unit() as unit, line.unit() as sender:
            assert (await unit.request("REGISTER", (("contact", f"<{unit.contact}>"),))).status == 200
            response = await sender.request("MESSAGE", (("content-type", CONTENT_TYPE),), write_mrq(PENDANT))
            assert response.status == 200
            assert (await unit.reply("A1B2C3")).snu == HELD
            assert sender.replies == []

    async def test_a_unit_that_takes_no_answers_is_told_by_asking(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The report does not wait for it, and the next question is answered."""
        monkeypatch.setattr("alarmhub.inbound.scaip.REPORT_WITHIN_S", 0.05)
        async with scaip_line() as line, line.unit() as unit:
            unit.mute = True
            await unit.request("MESSAGE", (("content-type", CONTENT_TYPE),), write_mrq(PENDANT))
            await line.report(UNANSWERED)
            assert unit.replies == []
            unit.mute = False
            assert await snu(unit, PENDANT) == NOT_TREATED

    async def test_junk_is_counted_and_stops_nobody(self) -> None:
        """On either transport."""
        async with scaip_line() as line:
            async with line.unit() as unit:
                for junk in (b"junk", b"\r\n", b"\xff" * 300, b"OPTIONS sip:x SIP/2.0\r\n\r\n"):
                    unit.write(junk)
                assert await snu(unit, PENDANT) == HELD
            async with line.unit("tcp") as unit:
                unit.write(b"GET / HTTP/1.1\r\n\r\n")
            async with line.unit("tcp") as unit:
                assert await snu(unit, PENDANT) == HELD
            assert line.refused("garbled") == 4


def _request(body: bytes, branch: str = "z9hG4bKsame") -> bytes:
    message = parse((SAMPLES / "sip_message_mrq.txt").read_bytes())
    assert isinstance(message, Request)
    via = ("via", f"SIP/2.0/UDP 127.0.0.1:5070;branch={branch};rport")
    return build(Request("MESSAGE", message.uri, (via, *message.headers[1:]), body))


@pytest.mark.parametrize(("reports", "warned"), [(Reports.NONE, True), (Reports.ALARM, False)])
async def test_a_site_that_tells_units_nothing_is_told(
    reports: Reports, warned: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their alarms would be held for ever."""
    line = ScaipLine()
    site = line.hub.world_now.site
    sources = {**site.sources, "plant": replace(site.sources["plant"], reports=reports)}
    line.hub.world_now = replace(line.hub.world_now, site=replace(site, sources=sources))
    await line.adapter.start()
    await line.adapter.close()
    line.feed.close()
    assert await line.crew.close()
    assert ("units are held and never hear more" in capsys.readouterr().err) is warned


async def test_a_port_that_is_taken_stops_the_start() -> None:
    """A hub without its door would look well and hear nothing."""
    async with scaip_line() as line:
        other = ScaipLine(udp=None, tcp=f"127.0.0.1:{line.adapter.port_of('tcp')}")
        with pytest.raises(OSError):
            await other.adapter.start()
        await other.crew.close()
    assert other.adapter.port == 0
