"""A hospital's sign-in that behaves, and misbehaves on demand: real HTTP, real signatures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from joserfc import jwk, jwt

from alarmhub.secret import Secret
from alarmhub.web.sign_in_settings import Oidc
from protocols.oidc import challenge_of
from tests.support.intake import NOW

CLIENT, SECRET = "alarmhub", "client-secret"


class OidcHouse:
    """`spoil`: changes the claims before they are signed; `answers`: replaces the answer of a path; `now`:
    its clock."""

    def __init__(self) -> None:
        self.key = jwk.generate_key("RSA", 2048, {"kid": "k1", "use": "sig"}, private=True)
        self.published = [self.key.as_dict(private=False)]
        self.person: dict[str, Any] = {"sub": "SE-A"}
        self.spoil: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.answers: dict[str, web.Response] = {}
        self.asked: list[str] = []
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "k1"}
        self.signer: Any = self.key
        self.url = ""
        self.now: Callable[[], int] = lambda: NOW
        self._codes: dict[str, dict[str, str]] = {}

    def settings(self, hub_url: str, **more: Any) -> Oidc:
        """How a hub is told of it."""
        usual: dict[str, Any] = {
            "issuer": self.url, "client_id": CLIENT, "client_secret": Secret(SECRET), "public_url": hub_url,
            "name": "Region Fjällmark", "within_s": 2.0,
        }  # fmt: skip
        return Oidc(**(usual | more))

    def approve(self, location: str, code: str = "a-code") -> str:
        """The person signs in there: the query with which the browser comes back."""
        asked = dict(parse_qsl(urlsplit(location).query))
        self._codes[code] = asked
        return f"code={code}&state={asked['state']}"

    def token(self, asked: dict[str, str]) -> str:
        """The ID token for what was asked."""
        now = self.now() // 1000
        claims = {
            "iss": self.url, "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": asked["nonce"],
            **self.person,
        }  # fmt: skip
        return jwt.encode(self.header, self.spoil(claims), self.signer, algorithms=[self.header["alg"]])

    async def serve(self, request: web.Request) -> web.Response:
        """One request."""
        self.asked.append(request.path)
        if request.path in self.answers:
            return self.answers[request.path]
        if request.path == "/.well-known/openid-configuration":
            return web.json_response(
                {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/auth",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/keys",
                    "end_session_endpoint": f"{self.url}/out",
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        if request.path == "/keys":
            return web.json_response({"keys": self.published})
        form = dict(await request.post())
        asked = self._codes.pop(str(form.get("code")), None)
        if asked is None or challenge_of(str(form["code_verifier"])) != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if form["redirect_uri"] != asked["redirect_uri"] or "Authorization" not in request.headers:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"id_token": self.token(asked), "access_token": "x", "token_type": "Bearer"})


@asynccontextmanager
async def oidc_house() -> AsyncIterator[OidcHouse]:
    """It listens on loopback."""
    house = OidcHouse()
    app = web.Application()

    async def serve(request: web.Request) -> web.Response:
        return await house.serve(request)

    app.router.add_route("*", "/{tail:.*}", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    house.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield house
    finally:
        await runner.cleanup()
