"""One ESPA line in the hub's terms: how it is had, what is agreed for it, and what its plant is told.

It makes doors and lines out of `espa_settings`. It refuses to speak: that is `inbound.espa` and
`inbound.espa_sender`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from alarmhub.core.effects import ReportStatus
from alarmhub.inbound.dial import Dial, Dialer, Door, tcp
from alarmhub.inbound.espa_settings import EspaLink, EspaSender, EspaWay
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.serial_line import character_us, is_seven_bit, serial_line
from alarmhub.inbound.settings import allows, host_port
from alarmhub.inbound.stream import Connection, Limits, Session, StreamServer
from protocols.espa444 import Link, LinkMode
from protocols.espa444_control import ControlLine
from protocols.espa444_events import EspaEvent
from protocols.espa444_line import Timers

SPOKEN: Final[dict[ReportStatus, str]] = {
    ReportStatus.QUEUED: "2",
    ReportStatus.PAGED: "3",
    ReportStatus.ABSENT: "4",
    ReportStatus.ENDED: "5",
    ReportStatus.ACCEPTED: "6",
    ReportStatus.UNANSWERED: "8",
}
"""Record 7 for each status (ESPA 4.4.4, call status). Which are sent unasked: `says`."""

RETURNED: Final = (SPOKEN[ReportStatus.ABSENT], SPOKEN[ReportStatus.UNANSWERED])
"""Those that return responsibility; where "acknowledged" is not said, a later "paged" takes it back."""

OpenSession = Callable[[Connection[EspaEvent]], Session[EspaEvent]]


def link_of(settings: EspaLink) -> Link:
    """The line as the pager system's codec knows it. Raises ValueError when the settings cannot be used."""
    return Link(
        own=settings.own,
        control=settings.control_address,
        mode=LinkMode(settings.mode),
        eot_select=settings.poll_select,
        charset=settings.charset,
        seven_bit=_seven_bit(settings),
        timers=_timers(settings),
    )


def control_of(settings: EspaLink) -> ControlLine:
    """The line as the control station's codec knows it. Raises as `link_of`."""
    return ControlLine(
        own=settings.own,
        stations=settings.stations,
        poll_every_ms=round(settings.poll_every_s * 1000),
        charset=settings.charset,
        seven_bit=_seven_bit(settings),
        timers=_timers(settings),
    )


def sending_of(settings: EspaSender) -> ControlLine:
    """As `control_of`, for the line to a pager transmitter. It is polled for its own news and as a sign of
    life, unless it cannot stand that."""
    return ControlLine(
        own=settings.own_address,
        stations=(settings.pager_address,) if settings.poll_every_s else (),
        poll_every_ms=round(settings.poll_every_s * 1000),
        charset=settings.charset,
        seven_bit=_seven_bit(settings),
        timers=_timers(settings),
    )


def _seven_bit(settings: EspaWay) -> bool:
    return settings.seven_bit or (settings.serial is not None and is_seven_bit(settings.frame))


def _timers(settings: EspaWay) -> Timers:
    """On a slow line a block takes seconds by itself."""
    return Timers() if settings.serial is None else Timers(character_us=character_us(settings.baud))


def door_of(
    settings: EspaWay, open_session: OpenSession, feed: Feed, *, limits: Limits | None = None
) -> Door:
    """The line's door, as it is set: listening, calling, or on a wire."""
    if settings.listen is not None:
        return _Listening(settings, open_session, feed, limits)
    return Dialer(
        _dial(settings),
        open_session,
        peer=settings.connect or settings.serial or "",
        crew=feed.crew,
        clock=feed.clock,
        failed=lambda cause: feed.refused("no_connection", cause, fault=False),
        limits=limits,
    )


def _dial(settings: EspaWay) -> Dial:
    if settings.serial is not None:
        return serial_line(settings.serial, settings.baud, settings.frame)
    return tcp(*host_port(settings.connect or ""))


class _Listening:
    """A door that others call at. Whoever may not is sent away and counted."""

    def __init__(
        self, settings: EspaWay, open_session: OpenSession, feed: Feed, limits: Limits | None
    ) -> None:
        self._settings, self._feed = settings, feed
        self._server: StreamServer[EspaEvent] = StreamServer(
            open_session,
            crew=feed.crew,
            clock=feed.clock,
            limits=limits,
            name=f"espa {settings.source}",
            admits=self._admits if settings.allow else None,
        )

    @property
    def port(self) -> int:
        """See `Door`."""
        return self._server.port

    async def start(self) -> None:
        """See `Door`."""
        host, port = host_port(self._settings.listen or "")
        await self._server.start(host, port)
        self._feed.listening(f"{host}:{self.port}")

    async def close(self) -> None:
        """See `Door`."""
        await self._server.close()

    def _admits(self, host: str) -> bool:
        if allows(self._settings.allow, host):
            return True
        self._feed.refused("not_allowed", "address is not allowed", peer=host, fault=False)
        return False


def says(settings: EspaLink, status: ReportStatus) -> bool:
    """Whether the plant is told this unasked. Queued and ended are only said when it asks (header 3)."""
    if status is ReportStatus.PAGED:
        return settings.paged_status
    if status is ReportStatus.ACCEPTED:
        return settings.accepted_status
    return status in (ReportStatus.ABSENT, ReportStatus.UNANSWERED)


def remembered(settings: EspaLink, status: ReportStatus) -> bool:
    """Whether a status may be said when the plant asks. One that must not hear "acknowledged" unasked must
    not hear it then either: it hears again what it was told before."""
    return status in (ReportStatus.QUEUED, ReportStatus.ENDED) or says(settings, status)
