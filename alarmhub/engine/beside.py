"""Whether a press may be committed beside a commit in flight, instead of waiting for it.

Both are decided from the same committed state, so neither may touch, nor have been decided from, what the
other changes. A press that opens an alarm in a room of its own is such a case, and the usual one. It refuses
to guess: whatever is not plainly apart waits, which costs a millisecond and nothing else.
"""

from __future__ import annotations

from alarmhub.core.addressing import room_of
from alarmhub.core.world import World
from alarmhub.engine.folded import Folded
from alarmhub.engine.items import WordItem


class Flight:
    """A commit in flight: what a press must be apart from. Looked into only when somebody asks."""

    def __init__(self, folded: Folded, world: World) -> None:
        """`world`: what it was decided from."""
        self._folded, self._world = folded, world
        self._seen = self._wide = False
        self._rooms: set[str] = set()
        self._keys: set[tuple[str, str]] = set()
        self._answered: set[tuple[str, str]] = set()

    def _look(self) -> None:
        folded, world = self._folded, self._world
        # Who is at work, presence in a room and a drill concern more than the alarms they are said of.
        said = folded.overlay
        self._wide = bool(said.presence or said.availability or said.shifts or said.substitutes)
        self._wide = self._wide or any(isinstance(item, WordItem) for item in folded.items)
        # A sender's id that is being answered there: the same again must get that answer.
        self._answered.update((row.scope, row.id) for row in folded.answered)
        for change in folded.changes():
            self._wide = self._wide or change.after.drill
            self._rooms.update((room_of(change.after.place, world), change.after.room))
            self._keys.update(change.after.keys)
        self._seen = True

    def apart(self, press: Folded, world: World) -> bool:
        """Whether these decisions have nothing to do with the commit in flight: they only open alarms, each
        in a known room that the flight leaves alone."""
        if not self._seen:
            self._look()
        if self._wide or press.poison or press.failed or press.facts or world.site is not self._world.site:
            return False
        if any((row.scope, row.id) in self._answered for row in press.answered):
            return False
        changes = press.changes()
        return bool(changes) and all(
            change.before is None
            and not change.after.drill
            and change.after.place in world.site.places
            and room_of(change.after.place, world) not in self._rooms
            and (change.after.source, change.after.key) not in self._keys
            for change in changes
        )
