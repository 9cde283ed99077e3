"""The API: every operation of `routes`, from bytes to `Intake`, `Desk` or `Store` and back.

A positive answer to a signal or an answer goes out only after the commit that the engine awaits. The module
refuses to retry, to queue and to decide; what cannot be stored is told to the caller at once, with when to
try again.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

import msgspec
from aiohttp import hdrs, web

from alarmhub import logs
from alarmhub.core.kinds import PRIORITY_RANK, RULES, Priority
from alarmhub.core.signalling import clinical_is_off
from alarmhub.core.wording import error_label
from alarmhub.engine.trials import Trials
from alarmhub.logs import Line
from alarmhub.metrics import CONTENT_TYPE as METRICS_CONTENT_TYPE
from alarmhub.ports import (
    Desk,
    Intake,
    NotStored,
    Refused,
    SourceStatus,
    Store,
    StoreUnavailable,
    Token,
    Webhooks,
)
from alarmhub.web import openapi, reading, wire
from alarmhub.web.auth import Gate, forbidden, permit
from alarmhub.web.hooks import NoWebhooks, alertmanager
from alarmhub.web.posting import Posting
from alarmhub.web.problems import Failed, invalid, later
from alarmhub.web.routes import PHONE, SESSION, SOURCE, Route, allowed_methods, at
from alarmhub.web.server import HttpServer, WebSettings, fault, read_body, refusal, reply
from alarmhub.web.sessions import Sessions
from alarmhub.web.trials import TrialDoor
from alarmhub.web.views import language_of, source_shown

HOSTS_REMEMBERED: Final = 64
RETRY_AFTER_S: Final = 2
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For")

# Names of refused answers (core.answering.ERRORS and the engine's own) that are not a conflict of state.
_ANSWER_STATUS: Final = {
    "unknown_alarm": HTTPStatus.NOT_FOUND,
    "not_concerned": HTTPStatus.FORBIDDEN,
    "not_yours": HTTPStatus.FORBIDDEN,
}

_encode = msgspec.json.Encoder().encode
_log = logs.get("web")

_Serve = Callable[[web.BaseRequest, Token | None, str], Awaitable[web.StreamResponse]]


class Door(Protocol):
    """Some of the operations, by their names in `routes`. They get request, caller and path parameter."""

    def serves(self) -> dict[str, _Serve]:
        """Name of the operation → what answers it."""
        ...


class Api:
    """The hub's HTTP server.

    `metrics_render` gives the text of /metrics. `ready` gives "" while this hub is the active one, else why
    not, in plain words. `on_refused` hears the name of every refusal (a closed list). `lines`: what is known
    of the sources with a line of their own; `hooks`: those that post in a format of theirs. `sessions`:
    admits browsers that are signed in. `doors`: they answer further operations; one that nobody answers is
    not there. Make it inside a running event loop; `start`, then `stop`.
    """

    def __init__(
        self,
        *,
        intake: Intake,
        desk: Desk,
        store: Store,
        metrics_render: Callable[[], bytes],
        settings: WebSettings,
        ready: Callable[[], str],
        on_refused: Callable[[str], None] | None = None,
        lines: Callable[[], Sequence[SourceStatus]] = lambda: (),
        hooks: Webhooks | None = None,
        trials: Trials,
        sessions: Sessions | None = None,
        doors: Sequence[Door] = (),
    ) -> None:
        self._sessions = sessions
        self._lines, self._posting = lines, Posting()
        self._hooks = hooks or NoWebhooks()
        self._intake = intake
        self._desk = desk
        self._store = store
        self._metrics_render = metrics_render
        self._settings = settings
        self._ready = ready
        self._on_refused = on_refused
        self._gate = Gate(store, away=lambda: not desk.storing)
        self._server = HttpServer(self._handle, settings)
        self._stopping = False
        self._hosts_passed: set[str] = set()
        self._openapi = msgspec.json.encode(openapi.document())
        self._serve: dict[str, _Serve] = {
            "postSignal": self._post_signal,
            "postAlertmanager": self._post_alertmanager,
            "listAlarms": self._list_alarms,
            "getAlarm": self._get_alarm,
            "postAnswer": self._post_answer,
            "listSources": self._list_sources,
            "getOpenapi": self._get_openapi,
            "getHealth": self._get_health,
            "getReady": self._get_ready,
            "getMetrics": self._get_metrics,
            **TrialDoor(trials, settings).serves(),
        }
        for door in doors:
            self._serve |= door.serves()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be had."""
        await self._server.start()

    async def stop(self) -> None:
        """Take no new connection, finish what is being answered, close. Idempotent."""
        self._stopping = True
        await self._server.stop()

    def tokens_changed(self) -> None:
        """Tokens were added or revoked: ask for each again."""
        self._gate.forget()

    def carried(self, digest: bytes) -> None:
        """The phone with this secret was handed over, given back or revoked."""
        self._gate.carried(digest)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request to one answer; nothing that goes wrong leaves as anything but a problem."""
        try:
            return await self._dispatch(request)
        except Failed as error:
            failed = error
        except (NotStored, StoreUnavailable) as error:
            wait_s = error.retry_after_s if isinstance(error, NotStored) else RETRY_AFTER_S
            failed = _not_stored(wait_s)
        except ConnectionError:
            raise  # the caller has gone
        except Exception as error:  # noqa: BLE001  the caller gets 500, the log the exception
            _log.error(Line.REQUEST_FAILED, exc=error)
            failed = fault()
        name = failed.args[0]
        _log.debug(Line.REQUEST_REFUSED, status=int(failed.status), reason=name)
        if self._on_refused is not None:
            self._on_refused(name)
        return refusal(failed)

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        self._check_host(request)
        # As it was sent, so that an encoded slash stays within its segment.
        found = at(request.raw_path.partition("?")[0]) or at(request.path)
        if found is None:
            raise _nothing_here()
        methods, parameter = found[0], unquote(found[1])
        if "\x00" in parameter:
            raise _nothing_here()  # no database has such a name, nor takes the question
        route = methods.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            allow = allowed_methods(methods)
            raise Failed(
                HTTPStatus.METHOD_NOT_ALLOWED, "method", f"only {allow} here", headers={"Allow": allow}
            )
        serve = self._serve.get(route.name)
        if serve is None:
            raise _nothing_here()
        token = await self._admit(request, route)
        return await serve(request, token, parameter)

    async def _admit(self, request: web.BaseRequest, route: Route) -> Token | None:
        """Who calls, when the route asks for it. Raises Failed (401, 403, 503)."""
        if not route.kinds:
            return None
        header = request.headers.get(hdrs.AUTHORIZATION, "")
        if SESSION in route.kinds and not header and self._sessions is not None:
            token = await self._sessions.caller(request, always=route.always)
            permit(token, route)
            return token
        if route.local_too and not header and self._settings.local_metrics and _is_local(request):
            return None
        token = await self._gate.caller(header)
        permit(token, route)
        return token

    def _check_host(self, request: web.BaseRequest) -> None:
        """Against DNS rebinding (Host) and foreign web pages (Origin)."""
        host = request.headers.get(hdrs.HOST, "")
        if host not in self._hosts_passed:
            if not _is_our_host(host, self._settings.hosts):
                raise Failed(
                    HTTPStatus.MISDIRECTED_REQUEST,
                    "host",
                    "this server does not answer under that name",
                    field="Host",
                )
            if len(self._hosts_passed) < HOSTS_REMEMBERED:
                self._hosts_passed.add(host)
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and origin not in self._settings.origins and _host_in(origin) != host:
            raise forbidden("pages of this origin may not call", field="Origin")

    # Operations, in the order of `routes`

    async def _post_signal(
        self, request: web.BaseRequest, token: Token | None, alarm: str
    ) -> web.StreamResponse:
        caller = _known(token)
        try:
            response = await self._take_signal(request, caller, alarm)
        except Failed as error:
            if caller.kind == SOURCE:
                self._posting.refused(caller.subject, error.status, error.problem.detail, self._desk.now())
            raise
        except NotStored as error:
            if caller.kind == SOURCE:
                self._posting.refused(caller.subject, 503, error.why, self._desk.now())
            raise
        if caller.kind == SOURCE:
            self._posting.answered(caller.subject, response.status, self._desk.now())
        return response

    async def _take_signal(self, request: web.BaseRequest, token: Token, _alarm: str) -> web.StreamResponse:
        taken = wire.read_signal(await read_body(request, self._settings))
        signal = wire.signal_of(taken, self._source_of(token, taken.source))
        if clinical_is_off(signal, self._desk.world()):
            raise forbidden("clinical is off until someone answers for this source", field="kind")
        try:
            outcome = await self._intake.signal(signal)
        except Refused:
            raise Failed(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid",
                "this signal can never be stored",
                error="invalid",
                retry=False,
            ) from None
        except NotStored as error:
            if error.why == "full" and not self._is_high(taken):
                raise later(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    "backlog",
                    "too many events wait to be stored",
                    error.retry_after_s,
                ) from None
            raise
        note = outcome.note or msgspec.UNSET
        if outcome.alarm is None:
            return reply(_encode(wire.NoAlarm(note=note)))
        body = _encode(wire.SignalOut(alarm=outcome.alarm, phase=outcome.phase, new=outcome.new, note=note))
        return reply(body, HTTPStatus.CREATED if outcome.new else HTTPStatus.OK)

    def _source_of(self, token: Token, named: str | None) -> str:
        """For whom a signal counts. A source speaks for itself; an api token names a source of the site."""
        if token.kind == SOURCE:
            if named is not None and named != token.subject:
                raise forbidden("this secret belongs to another source", field="source")
            return token.subject
        if named is None:
            raise invalid("source", "the id of a source", "source is required with an API token")
        if named not in self._desk.world().site.sources:
            raise invalid("source", "the id of a source of the site")
        return named

    def _is_high(self, taken: wire.SignalIn) -> bool:
        """High priority, by what the sender says or by the floor of its kind."""
        type_ = None if taken.type is None else self._desk.world().site.types.get(taken.type)
        kinds = (taken.kind, None if type_ is None else type_.kind)
        priorities = (
            taken.priority,
            None if type_ is None else type_.priority,
            *(RULES[k].floor for k in kinds if k),
        )
        return any(PRIORITY_RANK[p] >= PRIORITY_RANK[Priority.HIGH] for p in priorities if p)

    async def _post_alertmanager(
        self, request: web.BaseRequest, token: Token | None, _alarm: str
    ) -> web.StreamResponse:
        source = self._source_of(_known(token), request.query.get("source"))
        return await alertmanager(request, self._settings, self._hooks, source)

    async def _list_alarms(
        self, request: web.BaseRequest, token: Token | None, _alarm: str
    ) -> web.StreamResponse:
        page = await reading.page(self._store, self._desk, _known(token), request.query, _accepts(request))
        return reply(_encode(page))

    async def _get_alarm(
        self, request: web.BaseRequest, token: Token | None, alarm: str
    ) -> web.StreamResponse:
        detail = await reading.one(self._store, self._desk, _known(token), _checked(alarm), _accepts(request))
        return reply(_encode(detail))

    async def _post_answer(
        self, request: web.BaseRequest, token: Token | None, alarm: str
    ) -> web.StreamResponse:
        alarm = _checked(alarm)
        taken = wire.read_answer(await read_body(request, self._settings))
        caller = _known(token)
        staff = self._staff_of(caller, taken.staff)
        try:
            outcome = await self._intake.answer(
                staff=staff,
                # Never a device id of a phone: a repeated req of one must not hide an answer of another.
                device=f"http:{staff}" if caller.kind == PHONE else f"api:{caller.subject}",
                req=taken.req,
                alarm=alarm,
                answer=taken.answer,
                rev=int(taken.rev),
                reason=wire.cleaned(taken.reason),
                via="phone" if caller.kind == PHONE else "api",
            )
        except Refused:
            raise Failed(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid",
                "this answer can never be stored",
                error="invalid",
                retry=False,
            ) from None
        if outcome.ok:
            return reply(_encode(wire.AnswerOut(note=outcome.error or msgspec.UNSET)))
        if outcome.retry:
            raise _not_stored(RETRY_AFTER_S)
        status = _ANSWER_STATUS.get(outcome.error, HTTPStatus.CONFLICT)
        language = language_of(_accepts(request), self._desk.world().site)
        detail = error_label(outcome.error, language)
        raise Failed(status, "answer_refused", detail, error=outcome.error, retry=False)

    def _staff_of(self, token: Token, named: str | None) -> str:
        """Whose answer it is. A phone answers for its person; an api token names one of the site's."""
        if token.kind == PHONE:
            if named is not None and named != token.subject:
                raise forbidden("this secret belongs to another person", field="staff")
            return token.subject
        if named is None:
            raise invalid("staff", "the id of a person", "staff is required with an API token")
        if named not in self._desk.world().site.staff:
            raise invalid("staff", "the id of a person of the site")
        return named

    async def _list_sources(
        self, _request: web.BaseRequest, _token: Token | None, _alarm: str
    ) -> web.StreamResponse:
        site = self._desk.world().site
        every = sorted([*self._lines(), *self._posting.all()], key=lambda status: status.source)
        return reply(_encode(wire.SourcePage(sources=tuple(source_shown(one, site) for one in every))))

    async def _get_openapi(
        self, _request: web.BaseRequest, _token: Token | None, _alarm: str
    ) -> web.StreamResponse:
        return reply(self._openapi)

    async def _get_health(
        self, _request: web.BaseRequest, _token: Token | None, _alarm: str
    ) -> web.StreamResponse:
        return reply(_encode(wire.Health(status="ok")))

    async def _get_ready(
        self, _request: web.BaseRequest, _token: Token | None, _alarm: str
    ) -> web.StreamResponse:
        why = "stopping" if self._stopping else self._ready()
        if not why and not self._desk.storing:
            why = "the database takes no writes"
        if why:
            raise later(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", why, RETRY_AFTER_S)
        return reply(_encode(wire.Health(status="ok")))

    async def _get_metrics(
        self, _request: web.BaseRequest, _token: Token | None, _alarm: str
    ) -> web.StreamResponse:
        response = reply(self._metrics_render())
        response.headers[hdrs.CONTENT_TYPE] = METRICS_CONTENT_TYPE
        return response


def _nothing_here() -> Failed:
    return Failed(HTTPStatus.NOT_FOUND, "not_found", "there is nothing at this address")


def _not_stored(wait_s: int) -> Failed:
    return later(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "not_stored",
        "this cannot be stored or read now",
        wait_s,
        error="not_stored",
    )


def _known(token: Token | None) -> Token:
    if token is None:
        raise RuntimeError("a route without kinds has reached an operation that needs a caller")
    return token


def _accepts(request: web.BaseRequest) -> str:
    return request.headers.get(hdrs.ACCEPT_LANGUAGE, "")


def _checked(alarm: str) -> str:
    """An alarm id from a path; what is none of ours exists nowhere."""
    if not reading.UUID.match(alarm):
        raise reading.no_such_alarm()
    return alarm


def _is_local(request: web.BaseRequest) -> bool:
    """A caller on this machine that came directly, not through a proxy here."""
    transport = request.transport
    peer = None if transport is None else transport.get_extra_info("peername")
    if not peer or any(name in request.headers for name in _FORWARDED):
        return False
    return ipaddress.ip_address(str(peer[0]).partition("%")[0]).is_loopback


def _host_in(origin: str) -> str | None:
    """Host and port of an Origin header; None for what is no origin."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _is_our_host(host: str, ours: tuple[str, ...]) -> bool:
    """A name we were given, localhost, or a plain address (which nobody can rebind)."""
    if "*" in ours:
        return True
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name == "localhost" or name in map(str.lower, ours):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
