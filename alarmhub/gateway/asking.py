"""Requests of one device, answered in their order while its beats and receipts go on being read.

A task exists only while a device has requests at work. The engine remembers replies by `req`; this module
only passes on, and refuses more than `PENDING_MAX` at once per device.

Decisions: Requests of a device wait for each other instead of running side by side, because the engine may
look up an old reply before it queues, and an accept must not overtake the release before it. When one could
not be stored, those behind it are refused too: the phone keeps them all and repeats them in order.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from alarmhub.core.wording import error_label
from alarmhub.gateway.seats import Asked, Seat, Seats
from alarmhub.ports import Desk, Intake, NotStored, Refused, StoreUnavailable
from alarmhub.tasks import Crew, spawn
from protocols.phone import Availability, Candidate, Result, encode

PENDING_MAX: Final = 16


class Asking:
    """Passes requests to the engine and results back to whatever connection the device has by then."""

    def __init__(self, intake: Intake, desk: Desk, seats: Seats, crew: Crew) -> None:
        self._intake = intake
        self._desk = desk
        self._seats = seats
        self._crew = crew

    def take(self, seat: Seat, request: Asked) -> None:
        """Queue a request of the person on this seat."""
        pending = seat.pending
        if pending is None:
            pending = seat.pending = deque()
        if len(pending) >= PENDING_MAX:
            _tell(seat, Result(ok=False, req=request.req, error="too_many", retry=True))
            return
        pending.append(request)
        if not seat.asking:
            seat.asking = True
            spawn(self._work(seat, pending), "phone answers", self._crew, ends=True)

    async def _work(self, seat: Seat, pending: deque[Asked]) -> None:
        while pending:
            request = pending.popleft()
            result = await self._ask(seat, request)
            _tell(seat, result)
            if result.error == "not_stored":
                while pending:
                    _tell(seat, _not_stored(pending.popleft().req))
        seat.asking, seat.pending = False, None
        self._seats.settled(seat)

    async def _ask(self, seat: Seat, request: Asked) -> Result:
        staff, device = seat.key
        try:
            if isinstance(request, Availability):
                outcome = await self._intake.availability(
                    staff=staff, device=device, req=request.req, state=request.state,
                    substitute=request.substitute or "",
                )  # fmt: skip
            else:
                outcome = await self._intake.answer(
                    staff=staff, device=device, req=request.req, alarm=request.alarm, answer=request.answer,
                    rev=request.rev, reason=request.clean_reason, via="phone",
                )  # fmt: skip
        except (NotStored, StoreUnavailable):
            return _not_stored(request.req)
        except Refused:
            return Result(ok=False, req=request.req, error="invalid")
        if outcome.ok and not outcome.error:
            return Result(ok=True, req=request.req)
        site = self._desk.world().site
        return Result(
            ok=outcome.ok, req=request.req, error=outcome.error, retry=outcome.retry,
            text=error_label(outcome.error, site.language),
            candidates=tuple(
                Candidate(id, site.staff[id].name) for id in outcome.candidates if id in site.staff
            ),
        )  # fmt: skip


def _not_stored(req: str) -> Result:
    return Result(ok=False, req=req, error="not_stored", retry=True)


def _tell(seat: Seat, result: Result) -> None:
    if seat.connection is not None:
        seat.connection.send(encode(result))
