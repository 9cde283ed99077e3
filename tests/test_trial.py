"""Trials from a terminal, against a real API."""

from __future__ import annotations

import pytest

from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind
from alarmhub.trial import TrialFailed, asked, lines, walk_lines
from tests.support.intake import BED
from tests.support.web import running

CALL = Signal(
    source="plant",
    event=SignalEvent.START,
    key="k",
    place=BED,
    kind=Kind.PATIENT_CALL,
    source_text="Sal 12 plats 2",
)


async def test_begin_list_and_end() -> None:
    """A test, a window, a walk with a pressed and ticked point."""
    async with running() as (hub, _):
        secret = hub.shelf.admit("local", "api", "local", "trials:write")
        made = await asked(
            hub.url, secret, "", {"by": "anna", "minutes": 5, "source": "plant", "heard": True}
        )
        await asked(
            hub.url, secret, "/maintenance", {"by": "anna", "minutes": 5, "source": "plant", "note": "ny"}
        )
        walk = await asked(hub.url, secret, "/walk", {"by": "anna", "minutes": 5, "source": "plant"})
        assert list(walk_lines(walk))[-1] == "  1 points not verified"
        hub.trials.admit(CALL)
        ticked = await asked(hub.url, secret, "/walk/tick", {"source": "plant", "place": BED})
        assert f"  [x] {BED}: patient_call, 'Sal 12 plats 2'" in list(walk_lines(ticked))
        said = list(lines(await asked(hub.url, secret)))
        assert said[0].startswith(f"test {made['id']}: plant, heard, by anna until 2")
        assert said[1].startswith("maintenance of plant: 2") and said[1].endswith("by anna (ny)")
        await asked(hub.url, secret, "/end", {"id": made["id"]})
        await asked(hub.url, secret, "/maintenance/end", {"source": "plant"})
        await asked(hub.url, secret, "/walk/end", {"source": "plant"})
        assert list(lines(await asked(hub.url, secret))) == []


async def test_what_is_refused_is_one_clear_line() -> None:
    """By the hub, which names the member; and when there is no hub."""
    async with running() as (hub, _):
        secret = hub.shelf.admit("local", "api", "local", "trials:write")
        with pytest.raises(TrialFailed, match=r"^minutes: expected a number of at most 120$"):
            await asked(hub.url, secret, "", {"by": "anna", "minutes": 121, "source": "plant"})
        with pytest.raises(TrialFailed, match=r"^minutes: expected a number above 0$"):
            await asked(hub.url, secret, "", {"by": "anna", "minutes": 0, "source": "plant"})
        with pytest.raises(TrialFailed, match=r"^source: expected one with a walk test under way$"):
            await asked(hub.url, secret, "/walk/end", {"source": "plant"})
        url = hub.url
    with pytest.raises(TrialFailed, match="no hub answers"):
        await asked(url, secret)
