"""What is known of the sources that post."""

from __future__ import annotations

from alarmhub.web.posting import LONGEST_CAUSE_CHARS, Posting


def test_a_source_is_known_by_its_last_signal_answer_and_refusal() -> None:
    """Each with its instant; a cause as long as somebody's text is cut."""
    posting = Posting()
    assert list(posting.all()) == []
    posting.answered("plant", 201, 10)
    posting.refused("plant", 400, "x" * 999, 20)
    posting.answered("other", 200, 30)
    plant, other = posting.all()
    assert (plant.source, plant.protocol, plant.last_signal_at, plant.last_answer_at) == (
        "plant",
        "http",
        10,
        20,
    )
    assert (plant.last_answer, plant.refused, plant.last_refusal_at) == ("400", 1, 20)
    assert plant.last_refusal == "x" * LONGEST_CAUSE_CHARS
    assert (other.last_answer, other.refused) == ("200", 0)
