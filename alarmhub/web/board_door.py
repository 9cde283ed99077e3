"""A unit's board over HTTP: once as JSON, and live as Server-Sent Events.

Who has a board's own secret sees its unit in the variant the secret was made for; a person signed in and a
program with `boards:read` see the staff variant, or the public one when they ask for it. A connection holds
nothing but which frame it was sent last: who reads slowly misses what came between and gets the newest, who
takes nothing for `TAKEN_WITHIN_S` is let go. Every stream ends after a while, and when secrets change, so
that who lost the right to look soon sees nothing; the page comes again by itself. Not while nothing can be
stored: then nobody could say who may come again. It refuses to render.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import msgspec
from aiohttp import web

from alarmhub import logs
from alarmhub.core.rights import Action
from alarmhub.logs import Line
from alarmhub.ports import Desk, Token
from alarmhub.web.auth import forbidden, require
from alarmhub.web.board_screens import Boards, Screen
from alarmhub.web.problems import Failed, invalid, later
from alarmhub.web.routes import BOARD, SESSION
from alarmhub.web.server import reply

PUBLIC: Final = "public"
STAFF: Final = "staff"
VARIANTS: Final = (STAFF, PUBLIC)
FOLLOWERS_MOST: Final = 500
"""Boards that hang at one time; the next is told to come later."""
FOLLOWERS_EACH: Final = 50
"""Of them by one secret, or one person: whoever has the key of one board holds no other unit's off."""
FOLLOWED_S: Final = 300.0
FOLLOWED_SIGNED_IN_S: Final = 60.0
"""By somebody signed in: nobody tells the hub's streams when a session is revoked."""
TAKEN_WITHIN_S: Final = 8.0

_AGAIN: Final = b"event: again\ndata: {}\n\n"
_HEADERS: Final = {
    "Server": "alarmhub",
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that collects would hold the beats back
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

_encode = msgspec.json.Encoder().encode
_log = logs.get("web")

Serve = Callable[[web.BaseRequest, Token | None, str], Awaitable[web.StreamResponse]]


class BoardDoor:
    """The operations of boards. `followed_s`, `taken_within_s`: how long a stream lasts at most, and how long
    a frame may take to be taken."""

    def __init__(
        self,
        boards: Boards,
        desk: Desk,
        *,
        followed_s: float = FOLLOWED_S,
        taken_within_s: float = TAKEN_WITHIN_S,
        followers_most: int = FOLLOWERS_MOST,
        followers_each: int = FOLLOWERS_EACH,
    ) -> None:
        self._boards, self._desk = boards, desk
        self._followed_s, self._taken_within_s = followed_s, taken_within_s
        self._followers_most, self._followers_each = followers_most, followers_each
        self._following: Counter[tuple[str, object]] = Counter()
        self._loop = asyncio.get_running_loop()

    def serves(self) -> dict[str, Serve]:
        """Each operation as the API calls it."""
        return {"getBoard": self._once, "getBoardEvents": self._follow}

    async def _once(self, request: web.BaseRequest, token: Token | None, unit: str) -> web.StreamResponse:
        public = self._is_public(request, token, unit)
        return reply(_encode(self._boards.once(unit, public=public)))

    async def _follow(self, request: web.BaseRequest, token: Token | None, unit: str) -> web.StreamResponse:
        public = self._is_public(request, token, unit)
        who = _who(token)
        if (
            self._boards.closing
            or self._boards.followers >= self._followers_most
            or self._following[who] >= self._followers_each
        ):
            raise later(HTTPStatus.SERVICE_UNAVAILABLE, "boards_full", "no board more can be followed now", 5)
        response = web.StreamResponse(headers=_HEADERS)
        # A board that goes leaves a connection that nobody uses again.
        response.force_close()
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        signed_in = token is not None and token.kind == SESSION
        followed_s = min(self._followed_s, FOLLOWED_SIGNED_IN_S) if signed_in else self._followed_s
        with self._counted(who), self._boards.following(unit, public=public) as screen:
            try:
                await self._send_all(response, screen, self._loop.time() + followed_s)
            except TimeoutError:
                _log.info(Line.BOARD_SLOW, unit=unit)
                if request.transport is not None:
                    request.transport.abort()
            except ConnectionError:
                pass  # it has gone
        return response

    @contextmanager
    def _counted(self, who: tuple[str, object]) -> Iterator[None]:
        self._following[who] += 1
        try:
            yield
        finally:
            self._following[who] -= 1
            if not self._following[who]:
                del self._following[who]

    async def _send_all(self, response: web.StreamResponse, screen: Screen, until: float) -> None:
        boards = self._boards
        generation, number, beats = boards.generation, 0, 0
        while not (boards.closing or boards.generation != generation or self._is_over(until)):
            if screen.failed:
                await screen.news()
            elif screen.number != number:
                fresh, number = not number, screen.number
                await self._send(response, screen.frame + boards.beat_now() if fresh else screen.frame)
                beats = boards.beats if fresh else beats
            elif number and boards.beats != beats:
                beats = boards.beats
                await self._send(response, boards.beat)
            else:
                await screen.news()
        await self._send(response, _AGAIN)

    def _is_over(self, until: float) -> bool:
        return self._loop.time() >= until and self._desk.storing

    async def _send(self, response: web.StreamResponse, payload: bytes) -> None:
        async with asyncio.timeout(self._taken_within_s):
            await response.write(payload)

    def _is_public(self, request: web.BaseRequest, token: Token | None, unit: str) -> bool:
        """Which variant this caller is shown. Raises Failed: 400, 403, 404."""
        assert token is not None
        if token.kind == BOARD and token.subject != unit:
            raise forbidden("this secret belongs to another unit's board")
        if token.kind == SESSION:
            require(token, Action.BOARD_READ, unit)
        if unit not in self._desk.world().site.units:
            raise Failed(HTTPStatus.NOT_FOUND, "not_found", "there is no such unit")
        asked = request.query.get("variant", PUBLIC if token.kind == BOARD and _made_public(token) else STAFF)
        if asked not in VARIANTS:
            raise invalid("variant", f"one of {', '.join(VARIANTS)}")
        if token.kind == BOARD and _made_public(token) and asked != PUBLIC:
            raise forbidden("this secret is for the public board", field="variant")
        return asked == PUBLIC


def board_url(hub: str, unit: str, secret: str) -> str:
    """What a screen opens: the secret stands in the fragment, which browsers send to nobody."""
    return f"{hub}/board/{quote(unit, safe='')}#{secret}"


def _who(token: Token | None) -> tuple[str, object]:
    """One who follows boards: a person in however many browsers, or a secret."""
    assert token is not None
    return (token.kind, token.subject if token.kind == SESSION else token.digest)


def _made_public(token: Token) -> bool:
    """Whether a board's secret is for the public variant: every one that is not plainly for staff."""
    return STAFF not in token.scopes
