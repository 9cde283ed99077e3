"""The outcome of a batch: one row per alarm, empty or not, and the way back."""

from __future__ import annotations

from msgspec.structs import replace

from alarmhub.engine.folded import Folded
from alarmhub.engine.state import Overlay, State
from alarmhub.ports import FactRow
from tests.support.stored import NOW, alarm


def blank() -> Folded:
    """Nothing decided yet."""
    return Folded("b1", [], Overlay(State()))


def test_nothing_decided_is_nothing_to_write() -> None:
    """A look that changes nothing costs no commit; a reply alone neither; a fact does."""
    folded = blank()
    folded.replies.append((None, None))  # type: ignore[arg-type]
    folded.rearm.append("a1")
    assert folded.empty
    folded.facts.append(FactRow("seen", "d", NOW, b"1"))
    assert not folded.empty


def test_one_row_per_alarm_with_its_last_state() -> None:
    """However often it changed; the change shown goes from before the batch to after it."""
    folded = blank()
    first = alarm("a1", answer_at=NOW + 5)
    folded.before["a1"] = None
    for version in (1, 2, 3):
        folded.overlay.put(replace(first, version=version))
    (row,) = folded.batch().alarms
    assert (row.version, row.due) == (3, NOW + 5)
    (change,) = folded.changes()
    assert change.before is None and change.after.version == 3


def test_the_way_back_forgets_all_that_came_after() -> None:
    """In every container, of the batch's view of the state too."""
    folded = blank()
    folded.overlay.put(alarm("a1", room="r"))
    saved = folded.saved()
    folded.overlay.put(alarm("a2", key="other", room="r"))
    folded.overlay.replies["source:plant", "e1"] = b"{}"
    folded.before["a2"] = None
    folded.rearm.append("a2")
    folded.restore(saved)
    assert [a.id for a in folded.overlay.in_room("r")] == ["a1"]
    assert folded.overlay.by_key("plant", "other") is None
    assert not folded.overlay.replies and not folded.before and not folded.rearm
