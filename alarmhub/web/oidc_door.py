"""The hospital's sign-in from the browser's side: off to the provider, and back with a code.

Between the two, everything that must fit stands in a sealed cookie of this browser, so that nobody is signed
in by a link somebody else made. It refuses to send anybody to another site (`next`), to believe a claim that
is not mapped, and to tell the provider's faults apart on the page: the log says which.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from msgspec import Struct

from alarmhub import logs
from alarmhub.core import rights
from alarmhub.logs import Line
from alarmhub.people import Account, Accounts, Taken
from alarmhub.ports import Desk, StoreUnavailable, Token
from alarmhub.web.oidc_provider import ProofRefused, Provider, ProviderAway
from alarmhub.web.problems import Failed
from alarmhub.web.server import reply
from alarmhub.web.sessions import Sessions
from alarmhub.web.sign_in_door import Serve
from protocols.oidc import authorization_url, logout_url, own_path, texts_of

JOURNEY_LIVES_MS: Final = 10 * 60_000
CODE_CHARS: Final = 2048
HOME: Final = "/account"

_log = logs.get("web")
_encode = msgspec.json.Encoder().encode


class Journey(Struct, frozen=True):
    """What a browser takes along to the provider and back."""

    state: str
    nonce: str
    verifier: str
    next: str
    keep: bool
    end: int


_read_journey = msgspec.json.Decoder(Journey).decode


class OidcDoor:
    """The operations, by name of their route. `provider` None: this hub has no hospital's sign-in."""

    def __init__(
        self, *, accounts: Accounts, sessions: Sessions, desk: Desk, provider: Provider | None
    ) -> None:
        self._accounts, self._sessions, self._desk, self._provider = accounts, sessions, desk, provider
        self._key = secrets.token_bytes(32)

    def serves(self) -> dict[str, Serve]:
        """Each operation as the API calls it."""
        return {"startOidc": self._start, "returnOidc": self._return}

    @property
    def cookie(self) -> str:
        """The name of the journey's cookie."""
        return "__Host-alarmhub_oidc" if self._sessions.settings.secure else "alarmhub_oidc"

    async def logout(self, method: str) -> str:
        """Where somebody signed in so signs out at the provider too; "" = nowhere."""
        if self._provider is None or method != "oidc":
            return ""
        try:
            found = await self._provider.discovered()
        except ProviderAway:
            return ""  # signed out here all the same
        settings = self._provider.settings
        return logout_url(found, client_id=settings.client_id, back=f"{settings.base}/sign-in")

    async def _start(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        provider = self._known()
        next_ = own_path(request.query.get("next", ""), HOME)
        journey = Journey(
            state=secrets.token_urlsafe(24), nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48), next=next_, keep=request.query.get("keep") == "1",
            end=self._desk.now() + JOURNEY_LIVES_MS,
        )  # fmt: skip
        try:
            found = await provider.discovered()
        except ProviderAway as away:
            return self._back_to_sign_in("away", next_, str(away))
        settings = provider.settings
        response = _sent_to(
            authorization_url(
                found, client_id=settings.client_id, redirect_uri=settings.redirect_uri, scope=settings.scope,
                state=journey.state, nonce=journey.nonce, verifier=journey.verifier,
            )
        )  # fmt: skip
        self._sessions.set_cookie(
            response, self.cookie, self._sealed(journey), "Lax", JOURNEY_LIVES_MS // 1000
        )
        return response

    async def _return(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        provider, query = self._known(), request.query
        journey = self._opened(request.cookies.get(self.cookie, ""))
        said = query.get("state", "")
        if journey is None or not hmac.compare_digest(
            said.encode("utf-8", "replace"), journey.state.encode()
        ):
            return self._back_to_sign_in("stale", "", "no journey of this browser fits")
        code, issuer = query.get("code", ""), query.get("iss")
        if issuer is not None and issuer != provider.settings.issuer:
            return self._back_to_sign_in("refused", journey.next, "another issuer answered")
        if not 0 < len(code) <= CODE_CHARS:
            return self._back_to_sign_in("refused", journey.next, "the provider sent no code")
        try:
            token = await provider.exchanged(
                code, verifier=journey.verifier, redirect_uri=provider.settings.redirect_uri
            )
            claims = await provider.claims(token, nonce=journey.nonce)
        except ProviderAway as away:
            return self._back_to_sign_in("away", journey.next, str(away))
        except ProofRefused as refused:
            return self._back_to_sign_in("refused", journey.next, str(refused))
        try:
            return await self._entered(request, claims, journey)
        except StoreUnavailable as cause:
            return self._back_to_sign_in("later", journey.next, str(cause))

    async def _entered(
        self, request: web.BaseRequest, claims: Mapping[str, Any], journey: Journey
    ) -> web.StreamResponse:
        account = await self._account(claims)
        if account is None:
            return self._back_to_sign_in("unknown", journey.next, "nobody here has this identity")
        response = _sent_to(journey.next)
        self._sessions.drop_cookie(response, self.cookie)
        await self._sessions.begin(
            request, response, account.staff, "oidc", grants=self._grants(claims), keep=journey.keep
        )
        _log.info(Line.SIGNED_IN, staff=account.staff, method="oidc")
        return response

    async def _account(self, claims: Mapping[str, Any]) -> Account | None:
        """Whose identity it is; a person of the site who comes for the first time gets an account."""
        assert self._provider is not None
        settings = self._provider.settings
        names = texts_of(claims, settings.person_claim)
        if len(names) != 1:
            return None
        if settings.person_is == "external":
            account = await self._accounts.account(external=names[0])
        else:
            account = await self._accounts.account(staff=names[0]) or await self._first_time(names[0])
        if account is None or account.disabled_at is not None:
            return None
        return account if account.staff in self._desk.world().site.staff else None

    async def _first_time(self, staff: str) -> Account | None:
        person = self._desk.world().site.staff.get(staff)
        if person is None or person.desk:
            return None
        account = Account(
            staff=staff, login=staff.lower(), handle=secrets.token_bytes(32), created_at=self._desk.now()
        )
        try:
            await self._accounts.put_account(account)
        except Taken:
            return None
        _log.info(Line.ACCOUNT_CHANGED, staff=staff, change="added", by="oidc")
        return account

    def _grants(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """Roles by unit, as the settings read the claim's values; what they do not name gives nothing."""
        assert self._provider is not None
        settings = self._provider.settings
        said = texts_of(claims, settings.grants_claim)
        grants = [settings.grants[value] for value in said if value in settings.grants]
        return tuple(dict.fromkeys(grant for grant in grants if rights.read(grant) is not None))

    def _known(self) -> Provider:
        if self._provider is None:
            raise Failed(HTTPStatus.NOT_FOUND, "not_found", "this hub has no hospital's sign-in")
        return self._provider

    def _back_to_sign_in(self, error: str, next_: str, why: str) -> web.Response:
        _log.info(Line.SIGN_IN_REFUSED, reason=f"oidc_{error}", cause=why)
        asked = {"error": error} | ({"next": next_} if next_ else {})
        response = _sent_to(f"/sign-in?{urlencode(asked)}")
        self._sessions.drop_cookie(response, self.cookie)
        return response

    def _sealed(self, journey: Journey) -> str:
        body = base64.urlsafe_b64encode(_encode(journey))
        return (body + b"." + self._seal(body)).decode()

    def _opened(self, cookie: str) -> Journey | None:
        body, _, seal = cookie.encode("utf-8", "replace").partition(b".")
        if not hmac.compare_digest(seal, self._seal(body)):
            return None
        journey = _read_journey(base64.urlsafe_b64decode(body))
        return journey if journey.end > self._desk.now() else None

    def _seal(self, body: bytes) -> bytes:
        return base64.urlsafe_b64encode(hmac.digest(self._key, body, sha256))


def _sent_to(url: str) -> web.Response:
    response = reply(b"", HTTPStatus.SEE_OTHER)
    response.headers["Location"] = url
    return response
