"""Requests of a device: in order, beside its beats, answered wherever the device is by then."""

from __future__ import annotations

from alarmhub.gateway.asking import PENDING_MAX
from alarmhub.ports import NotStored, Refused, StoreUnavailable
from protocols.phone import BeatAnswer, Result
from tests.support.desk import call
from tests.support.phone import running
from tests.support.waiting import until


async def test_answers_are_given_in_order_and_beats_meanwhile() -> None:
    """A commit that takes its time holds up the next answer, not the phone's life sign."""
    async with running() as hub:
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        anna = await hub.phone("anna")
        hub.engine.gate.clear()
        await anna.ask("decline", "a1", 1, "r1", reason="i rum 3\0")
        await anna.ask("accept", "a1", 1, "r2")
        await anna.say(type="beat")
        await anna.expect(BeatAnswer)
        hub.engine.gate.set()
        results = []
        while len(results) < 2:
            frame = await anna.next()
            if isinstance(frame, Result):
                results.append((frame.req, frame.ok))
        assert results == [("r1", True), ("r2", True)]
        assert [(a["answer"], a["reason"], a["rev"]) for a in hub.engine.answers] == [
            ("decline", "i rum 3", 1), ("accept", "", 1),
        ]  # fmt: skip


async def test_a_repeated_request_gets_its_first_result_on_any_connection() -> None:
    """The phone did not hear the result, asks again elsewhere, and the engine acts once."""
    async with running() as hub:
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        anna = await hub.phone("anna")
        await anna.ask("decline", "a1", 1, "r1")
        await anna.gone()
        assert (await anna.result()).ok
        again = await hub.phone("anna")
        await again.ask("decline", "a1", 1, "r1")
        assert (await again.result()).ok
        assert len(hub.engine.answers) == 1


async def test_the_result_finds_the_device_on_its_new_connection() -> None:
    """Asked over a socket that died while the engine was at work."""
    async with running() as hub:
        hub.engine.put(call("a1", "anna", at=hub.clock.now()))
        anna = await hub.phone("anna")
        hub.engine.gate.clear()
        await anna.ask("decline", "a1", 1, "r1")
        await anna.socket.close()
        await until(lambda: hub.gateway.live == 0)
        back = await hub.phone("anna")
        hub.engine.gate.set()
        await back.gone()
        assert (await back.result()).req == "r1"


async def test_a_refused_answer_says_why_to_the_person_too() -> None:
    """The error's name for the app, its words for the nurse."""
    async with running() as hub:
        bo = await hub.phone("bo")
        await bo.ask("accept", "no-such-alarm", 1, "r1")
        result = await bo.result()
        assert (result.ok, result.error, result.retry) == (False, "not_concerned", False)
        assert result.text == "Larmet gäller inte dig nu."


async def test_what_cannot_be_stored_is_to_be_repeated() -> None:
    """With everything asked behind it, so that the order is kept when it comes again."""
    for failure in (NotStored("database away"), StoreUnavailable("gone")):
        async with running() as hub:
            anna = await hub.phone("anna")
            hub.engine.gate.clear()
            await anna.ask("release", "a1", 1, "r1")
            await anna.ask("accept", "a1", 1, "r2")
            await anna.say(type="availability", state="busy", req="r3")
            await anna.hears_nothing_before_beat()
            hub.engine.fail, hub.engine.fail_once = failure, True
            hub.engine.gate.set()
            for req in ("r1", "r2", "r3"):
                result = await anna.result()
                assert (result.req, result.ok, result.error, result.retry) == (req, False, "not_stored", True)
            await anna.say(type="availability", state="busy", req="r3")
            assert (await anna.result()).ok and hub.engine.availabilities == [("anna", "busy")]


async def test_what_the_engine_refuses_for_good_is_invalid() -> None:
    """And not to be repeated."""
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.engine.fail = Refused("poison")
        await anna.ask("accept", "a1", 1, "r1")
        result = await anna.result()
        assert (result.error, result.retry) == ("invalid", False)


async def test_a_device_may_have_only_so_many_requests_at_work() -> None:
    """One too many is refused at once, and may be repeated."""
    async with running() as hub:
        anna = await hub.phone("anna")
        hub.engine.gate.clear()
        for number in range(PENDING_MAX + 2):
            await anna.say(type="availability", state="busy", req=f"r{number}")
        result = await anna.result()
        assert (result.req, result.error, result.retry) == (f"r{PENDING_MAX + 1}", "too_many", True)
        hub.engine.gate.set()
        assert [(await anna.result()).req for _ in range(PENDING_MAX + 1)] == [
            f"r{number}" for number in range(PENDING_MAX + 1)
        ]
