"""The simulated alarm unit, against a receiver written down here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from load import scaip_alarm
from load.scaip_alarm import NoReply, ScaipUnit
from protocols.scaip import Mrq, Mrs, read, write_mrs
from protocols.sip import Request, Response, answer, build, parse
from protocols.sip_digest import challenge

PRESS = Mrq(ref="R1", cid="4670000123", dty="0003")


class Receiver(asyncio.DatagramProtocol):
    """Answers each request as told, one after the other; `heard` is what came."""

    def __init__(self, *answers: Callable[[Request], Response | None]) -> None:
        self.heard: list[Request | Response] = []
        self._answers = list(answers)
        self.transport: asyncio.DatagramTransport | None = None
        self.peer: tuple[str, int] = ("", 0)

    async def __aenter__(self) -> Receiver:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self.transport is not None
        self.transport.close()

    @property
    def port(self) -> int:
        """Its own."""
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])

    def say(self, data: bytes) -> None:
        """To whom it heard last."""
        assert self.transport is not None
        self.transport.sendto(data, self.peer)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Keep it, and answer."""
        message = parse(data)
        assert isinstance(message, Request | Response)
        self.heard.append(message)
        self.peer = addr
        if isinstance(message, Request) and self._answers:
            said = self._answers.pop(0)(message)
            if said is not None:
                self.say(build(said))


def says(status: int, mrs: Mrs | None = None, **headers: str) -> Callable[[Request], Response | None]:
    """A response with this body."""

    def respond(request: Request) -> Response:
        named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        body = b"" if mrs is None else write_mrs(mrs)
        return answer(request, status, source=("127.0.0.1", 1), to_tag="t", headers=named, body=body)

    return respond


def unit(receiver: Receiver, password: str = "hemligt") -> ScaipUnit:
    """A unit that calls it."""
    return ScaipUnit("127.0.0.1", receiver.port, password=password)


async def test_it_answers_a_challenge_and_counts_on() -> None:
    """The second request carries proof at once, with the next count."""
    asks = says(401, www_authenticate=challenge("r", "n"))
    async with Receiver(asks, says(200, Mrs("R1", 4)), says(200, Mrs("R1", 0))) as hub, unit(hub) as luc:
        assert await luc.send(PRESS) == Mrs("R1", 4)
        assert await luc.send(PRESS) == Mrs("R1", 0)
        proofs = [message.header("authorization") for message in hub.heard]
        assert proofs[0] is None
        assert [proof and proof.rpartition("nc=")[2] for proof in proofs[1:]] == ["00000001", "00000002"]
        assert read(hub.heard[2].body) == PRESS


async def test_it_repeats_what_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes; and gives up in the end."""
    monkeypatch.setattr(scaip_alarm, "T1_S", 0.01)
    async with Receiver(lambda request: None, says(200, Mrs("R1", 4))) as hub, unit(hub) as luc:
        assert await luc.send(PRESS) == Mrs("R1", 4)
        assert hub.heard[0] == hub.heard[1]
    monkeypatch.setattr(scaip_alarm, "REPLY_WITHIN_S", 0.05)
    async with Receiver() as hub, unit(hub) as luc:
        with pytest.raises(NoReply):
            await luc.send(PRESS)


async def test_it_asks_again_while_it_is_held() -> None:
    """Until it is not."""
    answers = [says(200, Mrs("R1", snu)) for snu in (4, 4, 5)]
    async with Receiver(*answers) as hub, unit(hub) as luc:
        assert await luc.alarm(PRESS, ask_every_s=0.001) == Mrs("R1", 5)
        assert len(hub.heard) == 3


async def test_it_takes_an_answer_that_travels_alone() -> None:
    """With a 200 of its own; one that is refused by SIP has none."""
    headers = (
        ("via", "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKh"), ("from", "<sip:arc@x>;tag=1"), ("to", "<sip:u@x>"),
        ("call-id", "h"), ("cseq", "1 MESSAGE"),
    )  # fmt: skip
    async with Receiver(says(200), says(403)) as hub, unit(hub) as luc:
        sending = asyncio.gather(luc.send(PRESS))
        while not hub.peer[1]:
            await asyncio.wait([sending], timeout=0.01)
        hub.say(build(Request("MESSAGE", "sip:u@x", headers, write_mrs(Mrs("R1", 0)))))
        assert await sending == [Mrs("R1", 0)]
        assert await luc.send(PRESS) is None
        assert luc.statuses == [200, 403]
        assert any(isinstance(message, Response) and message.status == 200 for message in hub.heard)
