"""What a commit says about the hub: times to commit, to rang, to accepted, lateness, alarms by phase.

It reads commits and sets instruments; it refuses to influence anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.core.alarm import Alarm, Phase
from alarmhub.engine.folded import Folded
from alarmhub.engine.items import SignalItem
from alarmhub.logs import Line
from alarmhub.metrics import Metrics
from alarmhub.ports import Change, SignalOutcome

LATE_SAID_MS = 250

_log = logs.get("engine")


class Measures:
    """Observes commits. Counts of alarms by phase are kept as running sums."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics, self._clock = metrics, clock
        self._by_phase: dict[str, int] = {}
        metrics.on_render.append(lambda: metrics.set_alarms(self._by_phase))

    def loaded(self, alarms: Sequence[Alarm]) -> None:
        """The open alarms a start found."""
        for alarm in alarms:
            self._count(alarm.phase, 1)

    def committed(self, folded: Folded, changes: Sequence[Change]) -> None:
        """One commit happened just now."""
        now, metrics = self._clock.now(), self._metrics
        for change in changes:
            self._alarm(change, folded, now)
        for late in folded.late:
            late_ms = max(0, now - late.due)
            self._metrics.lateness_s.observe(late_ms / 1000)
            if late_ms > LATE_SAID_MS:
                _log.warning(Line.DEADLINE_LATE, alarm=late.alarm, late_ms=late_ms)
        for item, reply in folded.replies:
            if isinstance(item, SignalItem):
                metrics.of(metrics.signals, item.signal.source, _outcome(reply)).inc()
        self._log_changes(changes)

    def _alarm(self, change: Change, folded: Folded, now: int) -> None:
        before, after, metrics = change.before, change.after, self._metrics
        if before is None:
            metrics.of(metrics.commit_s, after.priority).observe(max(0, now - after.raised_at) / 1000)
        else:
            if after.phase is not before.phase:
                self._count(before.phase, -1)
            if after.paged and not before.paged:
                metrics.of(metrics.rang_s, after.priority).observe(_after_s(after, folded, now))
            if after.acceptances and not before.acceptances:
                metrics.of(metrics.accepted_s, after.priority).observe(_after_s(after, folded, now))
        if after.open and (before is None or after.phase is not before.phase):
            self._count(after.phase, 1)

    def _count(self, phase: Phase, by: int) -> None:
        self._by_phase[phase] = self._by_phase.get(phase, 0) + by

    def _log_changes(self, changes: Sequence[Change]) -> None:
        if not logs.says_debug():
            return
        for change in changes:
            before, after = change.before, change.after
            if before is None or before.phase is not after.phase or before.turn != after.turn:
                _log.debug(
                    Line.DECIDED,
                    alarm=after.id,
                    kind=str(after.kind),
                    was=str(before.phase) if before else "",
                    phase=str(after.phase),
                    turn=after.turn,
                    step=after.step,
                )


def _after_s(alarm: Alarm, folded: Folded, now: int) -> float:
    """How long after it was raised something was first heard of it in this commit, which receipts and answers
    wait a little for."""
    heard_at = min((row.received_at for row in folded.events if row.alarm == alarm.id), default=now)
    return max(0, heard_at - alarm.raised_at) / 1000


def _outcome(reply: object) -> str:
    """new, known (it meant an alarm that was there), nothing (no alarm), refused."""
    if not isinstance(reply, SignalOutcome):
        return "refused"
    if reply.alarm is None:
        return "nothing"
    return "new" if reply.new else "known"
