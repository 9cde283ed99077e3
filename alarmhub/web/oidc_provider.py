"""The hospital's sign-in (an OpenID Connect provider) as the hub speaks to it: discovery, keys, codes.

What it says of itself is kept for an hour, its keys are asked for again when a token names a new one. Every
answer has a deadline, a size and a shape. It refuses redirects, other signatures than those that are set, and
to try again while the provider has just been away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

import aiohttp
import msgspec
from joserfc import jwk, jwt
from joserfc.errors import JoseError
from multidict import MultiDict

from alarmhub.web.sign_in_settings import Oidc
from protocols.oidc import Discovered, claims_fault, discovery_url, read_discovery

KEPT_MS: Final = 3_600_000
AWAY_FOR_MS: Final = 5_000
KEYS_ASKED_EVERY_MS: Final = 10_000
ANSWER_BYTES: Final = 512 * 1024
TOKEN_CHARS: Final = 16_384


class ProviderAway(Exception):
    """It does not answer, or not as a provider does; the text says how, for the log and the doctor."""


class ProofRefused(Exception):
    """It answers, and what it says proves nothing; the text names what is wrong."""


class Provider:
    """See the module. `now`: epoch ms. Make it inside a running event loop; `close` when done."""

    def __init__(self, settings: Oidc, now: Callable[[], int]) -> None:
        self.settings = settings
        self._now = now
        self._http: aiohttp.ClientSession | None = None
        self._found: Discovered | None = None
        self._found_at = 0
        self._away_until = 0
        self._why_away = ""
        self._keys: jwk.KeySet | None = None
        self._keys_at = 0
        self._asking = asyncio.Lock()

    async def close(self) -> None:
        """Let go of its connections."""
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def discovered(self) -> Discovered:
        """What it says of itself, from an hour's memory. Raises ProviderAway."""
        async with self._asking:
            if self._found is not None and self._now() - self._found_at < KEPT_MS:
                return self._found
            found = read_discovery(
                await self._asked("GET", discovery_url(self.settings.issuer)), self.settings.issuer
            )
            if isinstance(found, str):
                raise self._gone(found)
            self._found, self._found_at = found, self._now()
            return found

    async def checked(self) -> str:
        """Why nobody could sign in so just now, for the doctor; "" = they could."""
        try:
            await self._key_set(await self.discovered(), afresh=False)
        except ProviderAway as away:
            return str(away)
        return ""

    async def exchanged(self, code: str, *, verifier: str, redirect_uri: str) -> str:
        """The ID token for a code. Raises ProviderAway, ProofRefused."""
        provider, settings = await self.discovered(), self.settings
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }  # fmt: skip
        auth = None
        if settings.client_secret is None:
            form["client_id"] = settings.client_id
        elif settings.secret_in == "body":
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret.reveal()}
        else:
            auth = aiohttp.encode_basic_auth(
                *map(_form_encoded, (settings.client_id, settings.client_secret.reveal()))
            )
        headers = {} if auth is None else {"Authorization": auth}
        answer = await self._asked("POST", provider.token_endpoint, data=MultiDict(form), headers=headers)
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if not isinstance(token, str) or len(token) > TOKEN_CHARS:
            raise ProofRefused("the answer holds no ID token")
        return token

    async def claims(self, token: str, *, nonce: str) -> Mapping[str, Any]:
        """The claims of an ID token, once signature and all else hold. Raises ProviderAway, ProofRefused."""
        provider = await self.discovered()
        claims = await self._verified(token, provider)
        fault = claims_fault(
            claims, issuer=provider.issuer, client_id=self.settings.client_id, nonce=nonce,
            now_s=self._now() / 1000, leeway_s=self.settings.leeway_s,
        )  # fmt: skip
        if fault:
            raise ProofRefused(f"the ID token's {fault} does not hold")
        return claims

    async def _verified(self, token: str, provider: Discovered) -> Mapping[str, Any]:
        for afresh in (False, True):
            keys = await self._key_set(provider, afresh=afresh)
            try:
                return jwt.decode(token, keys, algorithms=list(self.settings.algorithms)).claims
            except (JoseError, ValueError, TypeError, KeyError, UnicodeError) as error:
                # A provider that has changed its keys signs with one we have not seen.
                if afresh or self._now() - self._keys_at < KEYS_ASKED_EVERY_MS:
                    raise ProofRefused(f"the ID token's signature: {type(error).__name__}") from None
        raise AssertionError("both ways were tried")

    async def _key_set(self, provider: Discovered, *, afresh: bool) -> jwk.KeySet:
        async with self._asking:
            age_ms = self._now() - self._keys_at
            if self._keys is not None and age_ms < (KEYS_ASKED_EVERY_MS if afresh else KEPT_MS):
                return self._keys
            document = await self._asked("GET", provider.jwks_uri)
            self._keys, self._keys_at = self._read_keys(document), self._now()
            return self._keys

    def _read_keys(self, document: object) -> jwk.KeySet:
        listed = document.get("keys") if isinstance(document, dict) else None
        keys = []
        for one in listed if isinstance(listed, list) else ():
            # A key of a sort we do not know must not hide the others; a shared secret is no key of theirs.
            if isinstance(one, dict) and one.get("kty") != "oct" and one.get("use", "sig") == "sig":
                try:
                    keys.append(jwk.import_key(one))
                except (JoseError, ValueError, TypeError, KeyError):
                    continue
        if not keys:
            raise self._gone("its key set holds no key that can be used")
        return jwk.KeySet(keys)

    async def _asked(self, method: str, url: str, **more: Any) -> Any:
        """One request, one JSON answer. Raises ProviderAway, ProofRefused (a 400 or 401 to a code)."""
        if self._now() < self._away_until:
            raise ProviderAway(self._why_away)
        if self._http is None:
            self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.settings.within_s))
        try:
            async with self._http.request(method, url, allow_redirects=False, **more) as answer:
                body = await _limited(answer)
                if method == "POST" and answer.status in (400, 401, 403):
                    raise ProofRefused(f"the provider refused the code ({answer.status}{_error_in(body)})")
                if answer.status != 200:
                    raise self._gone(f"it answered {answer.status} at {url}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._gone(f"{type(error).__name__} at {url}") from None
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._gone(f"no JSON at {url}") from None

    def _gone(self, why: str) -> ProviderAway:
        # Whoever signs in meanwhile is told at once, and need not wait for the same silence.
        self._away_until, self._why_away = self._now() + AWAY_FOR_MS, why
        return ProviderAway(why)


async def _limited(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_chunked(16_384):
        body += part
        if len(body) > ANSWER_BYTES:
            raise aiohttp.ClientPayloadError("too much")
    return bytes(body)


def _error_in(body: bytes) -> str:
    """The provider's name for its error, where it is one (RFC 6749, 5.2)."""
    try:
        said = msgspec.json.decode(body).get("error")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError):
        return ""
    known = ("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope")
    return f" {said}" if said in known else ""


def _form_encoded(text: str) -> str:
    """RFC 6749, 2.3.1: id and secret are form-encoded before they become a Basic header."""
    return quote_plus(text)
