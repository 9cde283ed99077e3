"""What is agreed for one ESPA link, in the hub's terms: its settings, and what it is told.

`LinkSettings` is the shape the adapter needs; `alarmhub.settings.EspaLink` has it, and adapters do not import
settings. It refuses to open anything: that is `inbound.espa`.
"""

from __future__ import annotations

from typing import Final, Protocol

from alarmhub.core.effects import ReportStatus
from protocols.espa444 import Link, LinkMode

SPOKEN: Final[dict[ReportStatus, str]] = {
    ReportStatus.QUEUED: "2",
    ReportStatus.PAGED: "3",
    ReportStatus.ABSENT: "4",
    ReportStatus.ENDED: "5",
    ReportStatus.ACCEPTED: "6",
    ReportStatus.UNANSWERED: "8",
}
"""Record 7 for each status (ESPA 4.4.4, call status). Which are sent unasked: `says`."""


class LinkSettings(Protocol):
    """What is set for one link; `alarmhub.settings.EspaLink` has this shape. Durations in seconds."""

    @property
    def source(self) -> str:
        """Id of the source in the site file."""
        ...

    @property
    def mode(self) -> str:
        """polled, select-only or auto."""
        ...

    @property
    def own_address(self) -> str:
        """One digit."""
        ...

    @property
    def control_address(self) -> str:
        """One digit."""
        ...

    @property
    def charset(self) -> str:
        """A name of `protocols.espa444_charset.CHARSETS`."""
        ...

    @property
    def poll_select(self) -> bool:
        """Take `EOT me ENQ` as a select."""
        ...

    @property
    def paged_status(self) -> bool:
        """Tell "paged" once a phone has rung."""
        ...

    @property
    def accepted_status(self) -> bool:
        """Tell "acknowledged" once somebody has accepted."""
        ...

    @property
    def repeat_window_s(self) -> float:
        """Within this an identical block is the same press."""
        ...

    @property
    def link_down_s(self) -> float:
        """Silence after which the link counts as down."""
        ...

    @property
    def link_up_s(self) -> float:
        """Stability after which it counts as up again."""
        ...

    @property
    def address_separator(self) -> str | None:
        """Between several addresses in record 1."""
        ...

    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        ...


def link_of(settings: LinkSettings) -> Link:
    """The line as the codec knows it. Raises ValueError when the settings cannot be used."""
    return Link(
        own=settings.own_address,
        control=settings.control_address,
        mode=LinkMode(settings.mode),
        eot_select=settings.poll_select,
        charset=settings.charset,
    )


def says(settings: LinkSettings, status: ReportStatus) -> bool:
    """Whether the plant is told this unasked. Queued and ended are only said when it asks (header 3)."""
    if status is ReportStatus.PAGED:
        return settings.paged_status
    if status is ReportStatus.ACCEPTED:
        return settings.accepted_status
    return status in (ReportStatus.ABSENT, ReportStatus.UNANSWERED)


def remembered(settings: LinkSettings, status: ReportStatus) -> bool:
    """Whether a status may be said when the plant asks. One that must not hear "acknowledged" unasked must
    not hear it then either: it hears again what it was told before."""
    return status in (ReportStatus.QUEUED, ReportStatus.ENDED) or says(settings, status)
