"""Social alarms over SCAIP (SS 91100): the hub as alarm receiver, on the ends of a SIP door.

A unit's request becomes signals; it is answered after their commit and not before: 4 (hold) while nobody has
accepted, 0 once somebody has, 5 when responsibility returns, 6 when nothing can be stored. The answer goes as
a MESSAGE of its own to the unit, or in the 200, as is set. Heartbeats are watched per controller.

It refuses to answer 0 for mere storing, to end an alarm by a guess, and to take part in the voice call.

Decisions: the 200 waits for the commit too, though it would only say "transported": a unit that hears nothing
repeats its message by itself, one that hears 200 may not. A message whose fields are faulty is answered with
the number the standard has for it and rings all the same (`faulty`): the unit goes on to its next receiver,
and nobody waits in vain meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from alarmhub.core.effects import Report
from alarmhub.core.site import Reports
from alarmhub.inbound import tls
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.peers import Peers
from alarmhub.inbound.scaip_beats import Beats
from alarmhub.inbound.scaip_calls import Call, Way
from alarmhub.inbound.scaip_replies import Replies, way_in
from alarmhub.inbound.scaip_sessions import NotNow, Sessions
from alarmhub.inbound.scaip_settings import ScaipLink
from alarmhub.inbound.settings import host_port
from alarmhub.inbound.sip_admission import Admission, TurnedAway
from alarmhub.inbound.sip_ends import RETRY_AFTER_S, TCP, TLS, UDP, Path, SipEnds
from alarmhub.inbound.supervision import LinkState
from alarmhub.tasks import spawn
from protocols.scaip import CONTENT_TYPES, PING, Fault, Mrq, Mrs, Snu, inflated, read, write_mrs
from protocols.sip import Request, Response
from protocols.sip_registrar import Bindings, RefusedRegister

METHODS: Final = "MESSAGE, REGISTER, OPTIONS"
WORD_BYTES: Final = 12
REPORT_WITHIN_S: Final = 2.0
"""How long a report waits for the unit to take it, while no other is still unanswered. A unit that cannot be
reached asks by itself, and those of the others of the link must not wait for it."""
MINUTE_MS: Final = 60_000


def _silent(cid: str) -> str:
    return f"controller:{cid}"


def _word() -> str:
    return secrets.token_hex(WORD_BYTES)


class ScaipAdapter:
    """One `[[scaip]]` link. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: ScaipLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        peers = Peers(settings.allow)
        self._ends = SipEnds(
            feed,
            self._answer,
            word=_word,
            connections=settings.connections,
            requests_per_s=settings.requests_per_s,
            allows=peers.allows,
        )
        users = (settings.users or {}) if settings.auth == "digest" else None
        self._admission = Admission(settings.realm, users, _word)
        self._bindings = Bindings()
        self._replies = Replies(settings, self._ends, self._bindings, feed, peers, _word)
        self._sessions = Sessions(settings, feed, self._heard)
        self._beats = Beats((), every_ms=settings.heartbeat_min * MINUTE_MS, now=feed.now())
        self._checking: asyncio.TimerHandle | None = None
        self._telling: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> None:
        """Listen on what is set. Raises OSError when an address or a certificate cannot be had."""
        settings = self._settings
        try:
            if settings.udp is not None:
                await self._ends.listen_udp(*host_port(settings.udp))
            if settings.tcp is not None:
                await self._ends.listen(TCP, *host_port(settings.tcp))
            if settings.tls is not None and settings.tls_cert is not None and settings.tls_key is not None:
                context = tls.server_context(settings.tls_cert, settings.tls_key)
                await self._ends.listen(TLS, *host_port(settings.tls), context)
        except BaseException:
            await self._ends.close()
            raise
        for name, address in ((UDP, settings.udp), (TCP, settings.tcp), (TLS, settings.tls)):
            if address is not None:
                self._feed.listening(f"{name} {host_port(address)[0]}:{self._ends.port(name)}")
        if self._feed.rules().hears is Reports.NONE:
            self._feed.habit('reports = "none" in the site file: units are held and never hear more')
        self._beats = Beats(
            settings.controllers,
            every_ms=settings.heartbeat_min * MINUTE_MS,
            now=self._feed.now(),
            told=lambda cid: self._feed.in_trouble(_silent(cid)),
        )
        if settings.down_s:
            self._feed.supervise(down_s=settings.down_s, up_s=settings.up_s, polls=True)
        self._watch_on()

    @property
    def port(self) -> int:
        """The first port listened on: UDP, TCP, TLS."""
        return self.port_of(UDP) or self.port_of(TCP) or self.port_of(TLS)

    def port_of(self, transport: str) -> int:
        """The port of "udp", "tcp" or "tls", 0 when that is not open."""
        return self._ends.port(transport)

    async def close(self) -> None:
        """Stop listening; what was read is still stored and answered."""
        self._closed = True
        if self._checking is not None:
            self._checking.cancel()
            self._checking = None
        await self._ends.close()

    # SIP

    async def _answer(self, request: Request, path: Path) -> Response:
        if request.method == "OPTIONS":
            return self._reply(request, path, 200, self._abilities())
        if request.method == "CANCEL":
            return self._reply(request, path, 481)
        if request.method not in ("MESSAGE", "REGISTER"):
            return self._reply(request, path, 405, (("allow", METHODS),))
        if unknown := request.all("require"):
            return self._reply(request, path, 420, (("unsupported", ", ".join(unknown)[:200]),))
        if not request.uri.lower().startswith(("sip:", "sips:")):
            return self._reply(request, path, 416)
        verdict = self._admission.judge(request, self._feed.now())
        if isinstance(verdict, TurnedAway):
            if verdict.reason:
                self._feed.refused(verdict.reason, verdict.cause, peer=path.peer, fault=False)
            return self._reply(request, path, verdict.status, verdict.headers)
        self._feed.life()
        if request.method == "REGISTER":
            return self._register(request, path, verdict.user)
        return await self._message(request, path, verdict.user)

    def _reply(
        self,
        request: Request,
        path: Path,
        status: int,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> Response:
        return self._ends.answered(request, path, status, headers, body)

    def _abilities(self) -> tuple[tuple[str, str], ...]:
        accept = ("accept", ", ".join(CONTENT_TYPES))
        return (("allow", METHODS), accept, ("accept-encoding", "deflate, identity"))

    def _register(self, request: Request, path: Path, user: str) -> Response:
        now = self._feed.now()
        done = self._bindings.register(request, now, owner=user)
        if isinstance(done, RefusedRegister):
            self._feed.refused("register", done.cause, peer=path.peer)
            extra = (("min-expires", "10"),) if done.status == 423 else ()
            return self._reply(request, path, done.status, extra)
        contacts = [("contact", f"<{b.uri}>;expires={b.remaining_s(now)}") for b in done.bindings]
        return self._reply(request, path, 200, tuple(contacts))

    async def _message(self, request: Request, path: Path, user: str) -> Response:
        form = (request.header("content-type") or "").partition(";")[0].strip().lower()
        body = inflated(request.body, request.header("content-encoding") or "")
        if form not in CONTENT_TYPES or isinstance(body, str):
            cause = body if isinstance(body, str) else f"content type {form[:40]!r}"
            self._feed.refused("content", cause, peer=path.peer)
            return self._reply(request, path, 415, self._abilities()[1:])
        said = read(body)
        if isinstance(said, Mrs):
            # An answer to an answer: nothing to do, and nothing to argue about.
            return self._reply(request, path, 200)
        asked = said.read if isinstance(said, Fault) else said
        if self._settings.user_is_cid and user and asked is not None and asked.cid != user:
            self._feed.refused("wrong_user", "the controller is not the user's own", peer=path.peer)
            return self._reply(request, path, 403)
        way = way_in(request, path, user, form, said.root)
        self._replies.heard(way, path.line)
        reply = await self._sessions.said(said, way, path.peer)
        if isinstance(reply, NotNow):
            retry = ("retry-after", str(max(reply.retry_after_s, RETRY_AFTER_S)))
            return self._reply(request, path, 503, (retry,))
        self._feed.answered(f"snu {reply.snu}")
        call = None if asked is None else self._sessions.call_of(asked)
        if self._settings.reply == "response":
            if call is not None and not isinstance(said, Fault):
                call.told = Snu(reply.snu)
            return self._reply(request, path, 200, (("content-type", form),), write_mrs(reply))
        self._send(reply, way, call)
        return self._reply(request, path, 200)

    # What became of an alarm

    async def report(self, report: Report, alarm: str) -> None:
        """Tell the unit (`Adapter.report`). It is noted for when the unit asks; unasked it is sent where the
        settings allow. A unit that does not take it asks by itself, so that is no failure."""
        call = self._sessions.reported(report)
        if call is None or self._closed or not (self._settings.unasked and self._settings.reply == "message"):
            return
        reply = self._sessions.standing(call, call.known, call.way)
        self._feed.answered(f"snu {reply.snu}")
        sent = self._send(reply, call.way, call)
        waits = not self._telling
        self._telling.add(sent)
        sent.add_done_callback(self._telling.discard)
        if waits:
            await asyncio.wait([sent], timeout=REPORT_WITHIN_S)

    def _send(self, reply: Mrs, way: Way, call: Call | None) -> asyncio.Task[None]:
        """Send an answer. One that says otherwise and is still being repeated to the unit is given up: it
        must not arrive after this one."""
        sent = spawn(self._deliver(reply, way, call), "scaip reply", self._feed.crew, ends=True)
        if call is not None:
            for other, snu in call.sending.items():
                if snu != reply.snu:
                    other.cancel()
            call.sending[sent] = reply.snu
            sent.add_done_callback(lambda done: call.sending.pop(done, None))
        return sent

    async def _deliver(self, reply: Mrs, way: Way, call: Call | None) -> None:
        if await self._replies.send(reply, way) and call is not None:
            call.told = Snu(reply.snu)

    # Heartbeats

    def _heard(self, request: Mrq) -> None:
        if not self._beats.heard(request.cid, self._feed.now(), beats=request.mty == PING):
            self._feed.refused("controllers", "too many controllers to watch", fault=False)
        self._watch_on()

    def _watch_on(self) -> None:
        """Look again when a controller may have fallen silent. Looking too early costs nothing."""
        due = self._beats.next_check()
        if self._checking is None and due is not None and not self._closed:
            wait_s = max(0.001, (due - self._feed.now()) / 1000)
            self._checking = asyncio.get_running_loop().call_later(wait_s, self._check)

    def _check(self) -> None:
        self._checking = None
        for news in self._beats.check(self._feed.now()):
            what = _silent(news.source)
            if news.state is LinkState.UP:
                self._feed.well(what)
            else:
                swedish = f"Larmenheten {news.source} har slutat höra av sig"
                self._feed.trouble(what, swedish, f"Alarm controller {news.source} has fallen silent")
        self._watch_on()
