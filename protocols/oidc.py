"""OpenID Connect, the relying party's side of the code flow with PKCE, as far as it needs no I/O.

OpenID Connect Core 1.0 (3.1), Discovery 1.0, RFC 7636 (PKCE, S256), RFC 9207 (iss in the answer),
RP-Initiated Logout 1.0. Signatures are the caller's. Nothing here raises on what a provider says.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, TypeGuard
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with the provider's private key. Never none, and no HS256: our secret must sign nothing."""
TEXT_CHARS: Final = 2048
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


class Discovered(Struct, frozen=True):
    """What a provider says of itself."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""


def discovery_url(issuer: str) -> str:
    """Discovery 4: below the issuer, whose last slash is none of it."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def is_safe_url(url: str) -> bool:
    """Whether secrets may go there: TLS, or this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.username or parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def read_discovery(document: object, issuer: str) -> Discovered | str:
    """The provider's document, or why it cannot be used, in words."""
    if not isinstance(document, dict):
        return "the discovery document is no JSON object"
    if document.get("issuer") != issuer:
        return f'the document speaks for the issuer "{str(document.get("issuer"))[:200]}"'
    found = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        url = document.get(name)
        if not isinstance(url, str) or not is_safe_url(url):
            return f"{name}: expected an https URL"
        found[name] = url
    end = document.get("end_session_endpoint", "")
    if not isinstance(end, str) or (end and not is_safe_url(end)):
        return "end_session_endpoint: expected an https URL"
    methods = document.get("code_challenge_methods_supported")
    if isinstance(methods, list) and "S256" not in methods:
        return "the provider does not know PKCE with S256"
    return Discovered(issuer, **found, end_session_endpoint=end)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, 4.2)."""
    digest = sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def authorization_url(
    provider: Discovered,
    *,
    client_id: str,
    redirect_uri: str,
    scope: str,
    state: str,
    nonce: str,
    verifier: str,
) -> str:
    """Where the browser goes to sign in."""
    asked = {
        "response_type": "code", "client_id": client_id, "redirect_uri": redirect_uri, "scope": scope,
        "state": state, "nonce": nonce, "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }  # fmt: skip
    return _with_query(provider.authorization_endpoint, asked)


def logout_url(provider: Discovered, *, client_id: str, back: str) -> str:
    """Where the browser goes to sign out of the provider too; "" where it offers none."""
    if not provider.end_session_endpoint:
        return ""
    asked = {"client_id": client_id, "post_logout_redirect_uri": back}
    return _with_query(provider.end_session_endpoint, asked)


def claims_fault(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str, now_s: float, leeway_s: float
) -> str:
    """What is wrong with an ID token whose signature holds (Core 3.1.3.7); "" = nothing."""
    if claims.get("iss") != issuer:
        return "iss"
    aud = claims.get("aud")
    audience = [aud] if isinstance(aud, str) else aud if isinstance(aud, list) else []
    if client_id not in audience:
        return "aud"
    azp = claims.get("azp")
    if (len(audience) > 1 or azp is not None) and azp != client_id:
        return "azp"
    said = claims.get("nonce")
    if not nonce or not isinstance(said, str) or said != nonce:
        return "nonce"
    exp, iat, nbf = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not _is_time(exp) or now_s >= exp + leeway_s:
        return "exp"
    if not _is_time(iat) or iat > now_s + leeway_s:
        return "iat"
    if not _is_time(nbf) or nbf > now_s + leeway_s:
        return "nbf"
    sub = claims.get("sub")
    return "" if isinstance(sub, str) and 0 < len(sub) <= 255 else "sub"


def texts_of(claims: Mapping[str, Any], path: str) -> tuple[str, ...]:
    """The texts of a claim, one or a list; "realm_access.roles" looks inside. () for what is none."""
    found: object = claims
    whole = claims.get(path)
    for name in (path,) if whole is not None else path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    texts = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(text for text in texts if isinstance(text, str) and 0 < len(text) <= TEXT_CHARS)


def own_path(text: str, otherwise: str) -> str:
    """A path of this very site, or `otherwise`: no host, no scheme, nothing a browser reads as one."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or len(text) > 512:
        return otherwise
    if "\\" in text or not text.isascii() or not text.isprintable() or " " in text:
        return otherwise
    return text


def _with_query(endpoint: str, asked: Mapping[str, str]) -> str:
    return endpoint + ("&" if "?" in endpoint else "?") + urlencode(asked)


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12
