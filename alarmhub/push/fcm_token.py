"""The token by which Firebase knows us: OAuth 2.0 with a signed assertion (RFC 7523), renewed ahead of time.

One task asks for it, with a deadline, long before the old one ends; so a token endpoint that is slow or away
disturbs nobody while a token is valid, and when none is, every push that waits gets the next one. google-auth
reads the account and signs; its own refresh blocks a thread without a deadline and is not used.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from google.auth import jwt
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import service_account
from msgspec import Struct

from alarmhub import logs
from alarmhub.clock import Clock
from alarmhub.logs import Line
from alarmhub.push.http1 import Unanswered, Wire
from alarmhub.push.settings import FcmSettings, endpoint_faults
from alarmhub.tasks import Crew, end, spawn

SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FETCH_WITHIN_S: Final = 10.0
ASSERTION_S: Final = 3600
RENEW_AT: Final = 0.75
"""The part of a token's life after which the next one is asked for."""
BACKOFF_S: Final = (0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
REFUSED_S: Final = 5.0
"""The shortest wait after Google refused the account, however much a token is wanted."""
YOUNG_S: Final = 60.0

_log = logs.get("push")


class AccountFault(Exception):
    """The account cannot be used; `args[0]` says why: "SETTING: what was expected", or what Google said."""


class _NoToken(Exception):
    def __init__(self, why: str, *, is_refused: bool = False) -> None:
        super().__init__(f"the token endpoint: {why}")
        self.is_refused = is_refused


class _Granted(Struct):
    access_token: str
    expires_in: float = 3600.0


class _Denied(Struct):
    error: str = ""
    error_description: str = ""


class Account(Struct, frozen=True):
    """A service account."""

    credentials: Any
    token_uri: str


def account(settings: FcmSettings) -> Account:
    """The account of these settings. Raises AccountFault."""
    field = "service_account_file" if settings.service_account_file else "service_account"
    expected = f"{field}: expected a service account's key file from Firebase (JSON)"
    try:
        text = _text(settings)
        info = msgspec.json.decode(text, type=dict[str, Any])
        credentials = service_account.Credentials.from_service_account_info(info, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except OSError as exc:
        raise AccountFault(f"{field}: {exc.strerror or exc}") from exc
    except (ValueError, TypeError, KeyError, GoogleAuthError) as exc:
        raise AccountFault(expected) from exc
    token_uri = str(info.get("token_uri", ""))
    if not credentials.project_id:
        raise AccountFault(f"{expected}; project_id is missing")
    if endpoint_faults("token_uri", token_uri, has_path=True):
        raise AccountFault(f"{expected}; token_uri is no https address")
    return Account(credentials, token_uri)


def _text(settings: FcmSettings) -> bytes:
    if settings.service_account_file:
        return Path(settings.service_account_file).read_bytes()
    return settings.service_account.reveal().encode() if settings.service_account else b""


class AccessToken:
    """The token of one account. Make it inside a running event loop; `start` it, `stop` it."""

    def __init__(self, account: Account, wire: Wire, *, clock: Clock, crew: Crew) -> None:
        self._account, self._wire, self._clock, self._crew = account, wire, clock, crew
        self._text = ""
        self._granted_at = self._valid_until = 0.0
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.fault = ""
        """Why the newest try failed; "" after one that did not."""
        self._is_refused = False

    def start(self) -> None:
        """Ask for the first one."""
        self._task = spawn(self._keep(), "push fcm token", self._crew, ends=True)

    async def stop(self) -> None:
        """Ask no more."""
        await end(self._task)

    async def current(self) -> str:
        """A valid token; waits for one, so give it a deadline. Raises AccountFault when Google refuses us."""
        while not self._is_valid():
            if self._is_refused:
                self._wanted.set()
                raise AccountFault(self.fault)
            self._wanted.set()
            await self._news.wait()
        return self._text

    def rejected(self, text: str) -> bool:
        """Firebase does not take this token any more: the next one is asked for at once. False when it is so
        new that another would be refused too."""
        if text != self._text:
            return True
        if asyncio.get_running_loop().time() - self._granted_at < YOUNG_S:
            return False
        self._text = ""
        self._wanted.set()
        return True

    def _is_valid(self) -> bool:
        return self._text != "" and asyncio.get_running_loop().time() < self._valid_until

    async def _keep(self) -> None:
        failures = 0
        while True:
            granted = await self._fetched()
            if granted is None:
                failures += 1
                pause_s = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1]
            else:
                failures = 0
                self._text = granted.access_token
                self._granted_at = asyncio.get_running_loop().time()
                self._valid_until = self._granted_at + granted.expires_in
                pause_s = granted.expires_in * RENEW_AT
            # Whoever waits now looks again, and wants the next one if this try failed; whoever comes later
            # looks first.
            self._wanted.clear()
            self._news.set()
            self._news.clear()
            await self._pause(pause_s)

    async def _pause(self, seconds: float) -> None:
        """Until it is time for the next; sooner when somebody needs one, but never at once."""
        shortest_s = min(seconds, REFUSED_S if self._is_refused else BACKOFF_S[0])
        await asyncio.sleep(shortest_s)
        try:
            async with asyncio.timeout(seconds - shortest_s):
                await self._wanted.wait()
        except TimeoutError:
            pass

    async def _fetched(self) -> _Granted | None:
        try:
            granted = await self._asked()
        except _NoToken as exc:
            if str(exc) != self.fault:
                _log.warning(Line.PUSH_UNREACHABLE, transport="fcm", cause=str(exc))
            self.fault, self._is_refused = str(exc), exc.is_refused
            return None
        self.fault, self._is_refused = "", False
        return granted

    async def _asked(self) -> _Granted:
        body = urlencode({"grant_type": GRANT, "assertion": self._assertion()}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            async with asyncio.timeout(FETCH_WITHIN_S):
                answer = await self._wire.post(self._account.token_uri, headers, body, is_fresh=True)
        except TimeoutError as exc:
            raise _NoToken(f"no answer within {FETCH_WITHIN_S:g} s") from exc
        except Unanswered as exc:
            raise _NoToken(str(exc)) from exc
        if answer.status != 200:
            said = f"{answer.status} {_denial(answer.body)}".strip()
            raise _NoToken(said, is_refused=answer.status in (400, 401, 403))
        try:
            return msgspec.json.decode(answer.body, type=_Granted)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise _NoToken("its answer holds no token") from exc

    def _assertion(self) -> str:
        now = self._clock.now() // 1000
        claims = {
            "iss": self._account.credentials.service_account_email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": now,
            "exp": now + ASSERTION_S,
        }
        return jwt.encode(self._account.credentials.signer, claims).decode()  # type: ignore[no-untyped-call,no-any-return]


def _denial(body: bytes) -> str:
    try:
        denied = msgspec.json.decode(body, type=_Denied)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return f"{denied.error}: {denied.error_description}"[:200].strip(": ")
