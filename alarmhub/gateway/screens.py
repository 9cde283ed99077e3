"""What every phone shows now, and the frames that keep it so: alarms, `gone`, `state`.

Each phone is sent a version of an alarm at most once per connection, and `gone` exactly when it was shown
the alarm and is no longer told. Sends never wait. It refuses to let one phone or one alarm that cannot be
rendered keep the others from theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from alarmhub import logs
from alarmhub.core.alarm import Alarm, concerned
from alarmhub.core.site import Site
from alarmhub.core.world import World
from alarmhub.gateway import views
from alarmhub.gateway.connection import Connection, text_frame
from alarmhub.gateway.seats import Seats
from alarmhub.logs import Line
from alarmhub.ports import Change, Desk
from protocols.phone import Gone, Synced, Welcome, alarm_payload, encode

_SYNCED = text_frame(encode(Synced()))

_log = logs.get("gateway")


class Screens:
    """Sends and remembers, per connection, which version of which alarm it shows."""

    def __init__(
        self, desk: Desk, seats: Seats, *, on_written: Callable[[Change, int, int], None] | None = None
    ) -> None:
        self._desk = desk
        self._on_written = on_written
        self._seats = seats
        self._views = views.Views()
        self._viewers: dict[str, set[Connection]] = {}
        self.frames_out = 0

    def sync(self, connection: Connection, welcome: Welcome) -> None:
        """A newcomer: welcome, all alarms of the person, most urgent first, and `synced`, in one write."""
        staff = welcome.staff
        world = self._desk.world()
        frames = [text_frame(encode(welcome))]
        for alarm in self._desk.shown_to(staff):
            frames.append(text_frame(self._render(alarm, staff, world, welcome.at)))
            self._remember(connection, alarm)
        frames.append(_SYNCED)
        self.frames_out += len(frames)
        connection.send_all(b"".join(frames))

    def frames_of(self, staff: str) -> tuple[int, list[bytes]]:
        """The hub's clock, and what a phone of this person would be sent now, for one without a socket."""
        at, world = self._desk.now(), self._desk.world()
        return at, [self._render(alarm, staff, world, at) for alarm in self._desk.shown_to(staff)]

    def refresh(self, changes: Sequence[Change]) -> None:
        """Committed: bring every screen concerned up to date."""
        at = self._desk.now()
        world: World | None = None
        for change in changes:
            if change.before is not None and change.before.rev == change.after.rev:
                continue  # nothing that any phone shows
            before = self.frames_out
            alarm = change.after
            told = concerned(alarm)
            viewers = self._viewers.get(alarm.id)
            for staff in told:
                for connection in self._seats.of(staff):
                    if connection.shown.get(alarm.id, -1) < alarm.rev:
                        world = world or self._desk.world()
                        self._show(connection, alarm, staff, world, at)
            if viewers:
                world = world or self._desk.world()
                self._take_back(tuple(viewers), alarm, told, world, at)
            if not alarm.open:
                self._views.forget(alarm.id)
            if self._on_written is not None and self.frames_out > before:
                self._on_written(change, self._desk.now(), self.frames_out - before)

    def prepare(self, changes: Sequence[Change]) -> None:
        """Render what phones will share of these, if it is committed."""
        site = self._desk.world().site
        for change in changes:
            before, alarm = change.before, change.after
            news = alarm.open and (before is None or before.rev != alarm.rev)
            if news and any(self._seats.of(staff) for staff in concerned(alarm)):
                self._prerender(alarm, site)

    def left(self, connection: Connection) -> None:
        """The connection shows nothing any more."""
        for alarm in connection.shown:
            viewers = self._viewers.get(alarm)
            if viewers is not None:
                viewers.discard(connection)
                if not viewers:
                    del self._viewers[alarm]
        connection.shown = {}

    def _show(self, connection: Connection, alarm: Alarm, staff: str, world: World, at: int) -> None:
        payload = self._render(alarm, staff, world, at)
        self._remember(connection, alarm)
        if connection.send(payload):
            self.frames_out += 1

    def _take_back(
        self, viewers: tuple[Connection, ...], alarm: Alarm, told: tuple[str, ...], world: World, at: int
    ) -> None:
        for connection in viewers:
            seat = connection.seat
            if seat is None or seat.key.staff in told:
                continue
            self._forget(connection, alarm.id)
            if connection.send(encode(self._gone(alarm, seat.key.staff, world, at))):
                self.frames_out += 1

    def _remember(self, connection: Connection, alarm: Alarm) -> None:
        if not connection.shown:
            connection.shown = {}
        connection.shown[alarm.id] = alarm.rev
        self._viewers.setdefault(alarm.id, set()).add(connection)

    def _forget(self, connection: Connection, alarm: str) -> None:
        connection.shown.pop(alarm, None)
        viewers = self._viewers.get(alarm)
        if viewers is not None:
            viewers.discard(connection)
            if not viewers:
                del self._viewers[alarm]

    def _render(self, alarm: Alarm, staff: str, world: World, at: int) -> bytes:
        try:
            return self._views.alarm(alarm, staff, world, at)
        except Exception as exc:  # noqa: BLE001  a label that fails must not keep a phone from ringing
            _log.error(Line.VIEW_FAILED, exc=exc, alarm=alarm.id, staff=staff)
            common, own = views.bare(alarm, staff, at)
            return alarm_payload(encode(common), own)

    def _prerender(self, alarm: Alarm, site: Site) -> None:
        try:
            self._views.prepare(alarm, site)
        except Exception as exc:  # noqa: BLE001  as above; it will be shown bare
            _log.error(Line.VIEW_FAILED, exc=exc, alarm=alarm.id)

    def _gone(self, alarm: Alarm, staff: str, world: World, at: int) -> Gone:
        try:
            return views.gone(alarm, staff, world.site, at)
        except Exception as exc:  # noqa: BLE001  as above
            _log.error(Line.VIEW_FAILED, exc=exc, alarm=alarm.id, staff=staff)
            return Gone(id=alarm.id, rev=alarm.rev, reason="ended", at=at)
