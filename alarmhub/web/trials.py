"""Tests, maintenance windows and walk tests over HTTP: from a body to `engine.trials` and back.

Each operation names the person who answers for it. It refuses to decide what a trial is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from alarmhub.core.trials import LONGEST_S, Maintenance, Test, Walk
from alarmhub.engine.trials import TrialRefused, Trials
from alarmhub.ports import Token
from alarmhub.web import wire
from alarmhub.web.problems import Failed
from alarmhub.web.server import WebSettings, read_body, reply
from alarmhub.web.wire import Moment, Name, moment

Minutes = Annotated[float, Meta(gt=0, le=LONGEST_S // 60, description="How long, at most two hours.")]
By = Annotated[str, Meta(min_length=1, max_length=64, description="The staff id of who answers for it.")]
PlacePath = Annotated[str, Meta(min_length=1, max_length=200)]
Note = Annotated[str, Meta(max_length=160)]

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class TestIn(Struct, frozen=True, kw_only=True):
    """Test mode of a source, or of a place and all below it (exactly one of the two)."""

    __test__ = False

    by: By
    minutes: Minutes
    heard: Annotated[bool, Meta(description="Phones show and speak PROV; else they stay silent.")] = False
    source: Name | None = None
    place: PlacePath | None = None


class TestEnd(Struct, frozen=True, kw_only=True):
    """Which test."""

    __test__ = False

    id: Name


class MaintenanceIn(Struct, frozen=True, kw_only=True):
    """A source is worked on. `from`: when it begins, now unless it is announced ahead."""

    source: Name
    by: By
    minutes: Minutes
    from_: Annotated[Moment | None, Meta(description="When it begins.")] = msgspec.field(
        default=None, name="from"
    )
    note: Note = ""


class SourceNamed(Struct, frozen=True, kw_only=True):
    """Which source."""

    source: Name


class WalkIn(Struct, frozen=True, kw_only=True):
    """A walk test of a source's points."""

    source: Name
    by: By
    minutes: Minutes


class PointIn(Struct, frozen=True, kw_only=True):
    """A point that was pressed in the walk under way."""

    source: Name
    place: PlacePath


class TestOut(Struct, frozen=True, kw_only=True):
    """A test under way."""

    __test__ = False

    id: str
    source: str
    place: str
    heard: bool
    by: str
    since: datetime
    until: datetime


class MaintenanceOut(Struct, frozen=True, kw_only=True):
    """A window, under way or announced."""

    source: str
    by: str
    since: datetime
    until: datetime
    note: str


class PressedOut(Struct, frozen=True, kw_only=True):
    """A point that was pressed: what the hub made of it, and whether it was ticked."""

    place: str
    at: datetime
    kind: str
    text: str
    ticked: bool


class WalkOut(Struct, frozen=True, kw_only=True):
    """A walk test under way. `unticked`: points of the source that nobody has verified."""

    source: str
    by: str
    since: datetime
    until: datetime
    pressed: tuple[PressedOut, ...]
    unticked: tuple[str, ...]


class TrialsOut(Struct, frozen=True, kw_only=True):
    """Everything that is a trial now, or announced."""

    tests: tuple[TestOut, ...]
    maintenance: tuple[MaintenanceOut, ...]
    walks: tuple[WalkOut, ...]


BODIES: Final[dict[str, Any]] = {
    "postTest": TestIn, "endTest": TestEnd, "postMaintenance": MaintenanceIn, "endMaintenance": SourceNamed,
    "postWalk": WalkIn, "tickPoint": PointIn, "endWalk": SourceNamed,
}  # fmt: skip
ANSWERS: Final[dict[str, Any]] = {
    "listTrials": TrialsOut, "postTest": TestOut, "endTest": TestOut, "postMaintenance": MaintenanceOut,
    "endMaintenance": MaintenanceOut, "postWalk": WalkOut, "tickPoint": WalkOut, "endWalk": WalkOut,
}  # fmt: skip
_DECODERS: Final[dict[str, msgspec.json.Decoder[Any]]] = {
    name: msgspec.json.Decoder(body) for name, body in BODIES.items()
}


class TrialDoor:
    """The operations, by name of their route."""

    def __init__(self, trials: Trials, settings: WebSettings) -> None:
        self._trials, self._settings = trials, settings
        self._acts: dict[str, Callable[[Any], Awaitable[Struct]]] = {
            "postTest": self._begin_test,
            "endTest": self._end_test,
            "postMaintenance": self._begin_maintenance,
            "endMaintenance": self._end_maintenance,
            "postWalk": self._begin_walk,
            "tickPoint": self._tick,
            "endWalk": self._end_walk,
        }

    def serves(self) -> dict[str, Callable[[web.BaseRequest, Token | None, str], Awaitable[web.Response]]]:
        """Each operation as the API calls it."""
        return {"listTrials": self._list, **{name: self._serving(name) for name in self._acts}}

    def _serving(self, name: str) -> Callable[[web.BaseRequest, Token | None, str], Awaitable[web.Response]]:
        async def serve(request: web.BaseRequest, _token: Token | None, _alarm: str) -> web.Response:
            taken = wire.decoded(await read_body(request, self._settings), _DECODERS[name])
            try:
                made = await self._acts[name](taken)
            except TrialRefused as refused:
                raise Failed(
                    HTTPStatus.CONFLICT,
                    "trial_refused",
                    f"{refused.field}: expected {refused.why}",
                    field=refused.field,
                    expected=refused.why,
                ) from None
            return reply(_encode(made), HTTPStatus.CREATED if name in _BEGIN else HTTPStatus.OK)

        return serve

    async def _list(self, _request: web.BaseRequest, _token: Token | None, _alarm: str) -> web.Response:
        trials = self._trials
        shown = TrialsOut(
            tests=tuple(map(_test, trials.tests.values())),
            maintenance=tuple(map(_maintenance, trials.maintenances.values())),
            walks=tuple(map(self._walk, trials.walks.values())),
        )
        return reply(_encode(shown))

    async def _begin_test(self, taken: TestIn) -> TestOut:
        return _test(
            self._trials.begin_test(
                by=taken.by, minutes=taken.minutes, heard=taken.heard, source=taken.source or "",
                place=taken.place or "",
            )
        )  # fmt: skip

    async def _end_test(self, taken: TestEnd) -> TestOut:
        return _test(await self._trials.end_test(taken.id))

    async def _begin_maintenance(self, taken: MaintenanceIn) -> MaintenanceOut:
        return _maintenance(
            self._trials.begin_maintenance(
                source=taken.source,
                by=taken.by,
                minutes=taken.minutes,
                from_at=None if taken.from_ is None else int(taken.from_.timestamp() * 1000),
                note=wire.cleaned(taken.note),
            )
        )

    async def _end_maintenance(self, taken: SourceNamed) -> MaintenanceOut:
        return _maintenance(await self._trials.end_maintenance(taken.source))

    async def _begin_walk(self, taken: WalkIn) -> WalkOut:
        return self._walk(self._trials.begin_walk(source=taken.source, by=taken.by, minutes=taken.minutes))

    async def _tick(self, taken: PointIn) -> WalkOut:
        self._trials.tick(source=taken.source, place=taken.place)
        return self._walk(self._trials.walks[taken.source])

    async def _end_walk(self, taken: SourceNamed) -> WalkOut:
        return self._walk(await self._trials.end_walk(taken.source))

    def _walk(self, walk: Walk) -> WalkOut:
        unticked = self._trials.unticked(walk.source)
        known = self._trials.verified.get(walk.source)
        ticked = set() if known is None else set(known.points)
        pressed = tuple(
            PressedOut(place=place, at=moment(p.at), kind=p.kind, text=p.text, ticked=place in ticked)
            for place, p in walk.pressed.items()
        )
        return WalkOut(
            source=walk.source, by=walk.by, since=moment(walk.from_at), until=moment(walk.until_at),
            pressed=pressed, unticked=unticked,
        )  # fmt: skip


_BEGIN: Final = frozenset({"postTest", "postMaintenance", "postWalk"})


def _test(test: Test) -> TestOut:
    return TestOut(
        id=test.id, source=test.source, place=test.place, heard=test.heard, by=test.by,
        since=moment(test.from_at), until=moment(test.until_at),
    )  # fmt: skip


def _maintenance(window: Maintenance) -> MaintenanceOut:
    return MaintenanceOut(
        source=window.source, by=window.by, since=moment(window.from_at), until=moment(window.until_at),
        note=window.note,
    )  # fmt: skip
