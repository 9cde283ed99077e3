"""The gateway as a whole, over real sockets: who gets in, what is shown, who is noticed missing."""

from __future__ import annotations

from alarmhub.core.alarm import Phase
from tests.support.desk import call
from tests.support.phone import running


async def test_a_call_rings_and_is_accepted() -> None:
    """Welcome, synced, the alarm, rang, accept, result; the others hear who took it."""
    async with running() as hub:
        anna, bo = await hub.phone("anna"), await hub.phone("bo")
        hub.engine.put(call("a1", "anna", "bo", at=hub.clock.now()))
        shown = await anna.alarm()
        assert (shown.id, shown.phase, shown.place_label, shown.rings) == (
            "a1",
            "ringing",
            "sal 12 plats 2",
            True,
        )
        await bo.alarm()
        await anna.say(type="rang", alarm="a1", rev=1)
        await anna.ask("accept", "a1", 1, "r1")
        assert (await anna.alarm()).phase == "accepted"
        assert (await anna.result()).ok
        gone = await bo.gone()
        assert (gone.reason, gone.text, gone.rev) == ("taken", "Anna Lind tar den", 2)
        assert hub.engine.receipts == [("anna", "anna-phone", "a1", 1, False)]
        hub.engine.change("a1", phase=Phase.ENDED, ended_by="source", told=())
        assert (await anna.gone()).reason == "reset"
