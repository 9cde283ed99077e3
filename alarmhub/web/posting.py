"""What is known of the sources that post over HTTP, as of every other source's way in.

It refuses to know a source before it has posted: a line that is set is another matter, a secret is none.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from alarmhub.ports import SourceStatus

LONGEST_CAUSE_CHARS: Final = 200


class Posting:
    """Last signal, answer and refusal by source."""

    def __init__(self) -> None:
        self._by_source: dict[str, SourceStatus] = {}

    def answered(self, source: str, status: int, at: int) -> None:
        """A signal was stored and answered (HTTP status)."""
        known = self._of(source)
        known.last_signal_at = known.last_answer_at = at
        known.last_answer = str(status)

    def refused(self, source: str, status: int, cause: str, at: int) -> None:
        """A signal was turned away."""
        known = self._of(source)
        known.refused += 1
        known.last_refusal, known.last_refusal_at = cause[:LONGEST_CAUSE_CHARS], at
        known.last_answer, known.last_answer_at = str(status), at

    def all(self) -> Collection[SourceStatus]:
        """Of each source that has posted."""
        return self._by_source.values()

    def _of(self, source: str) -> SourceStatus:
        known = self._by_source.get(source)
        if known is None:
            known = self._by_source[source] = SourceStatus(source, "http")
        return known
