"""The pages people see, and what they are made of: files of this package, read once, with strict headers.

Nothing is made at request time but the Content-Security-Policy, which names the phone socket, and the phone
app's configuration, which does too. It refuses
inline script and style, other origins, being framed, and every path that is not a file of its folder.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import hdrs, web
from msgspec import Struct

from alarmhub.ports import Token
from alarmhub.web.problems import Failed

PAGES: Final[Mapping[str, str]] = {
    "getPhonePage": "phone.html",
    "getWorker": "sw.js",
    "getManifest": "manifest.webmanifest",
    "getSignInPage": "sign-in.html",
    "getAccountPage": "account.html",
    "getBoardPage": "board.html",
}
"""Operations of `routes` that answer with one file."""

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "connect-src 'self' {socket}"
)
_HEADERS: Final = {
    "Server": "alarmhub",
    # Asked for again each time and mostly answered 304: after an update nobody keeps an old page.
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}

Serve = Callable[[web.BaseRequest, Token | None, str], Awaitable[web.StreamResponse]]


class _File(Struct, frozen=True):
    body: bytes
    type: str
    tag: str


class SignInWays(Struct, frozen=True):
    """How people may sign in here: `local`: with a password, `passkeys`, `oidc`: at the hospital."""

    local: bool = False
    passkeys: bool = False
    oidc: bool = False


class PhoneConfig(Struct, frozen=True):
    """What the phone app must know first. `socket`: the phone socket's URL. `vapid_public`: the hub's key for
    Web Push, "" = it does not push that way. `version`: of the files; another one, load again."""

    socket: str
    vapid_public: str
    sign_in: SignInWays
    version: str


class Pages:
    """See the module. `socket_url`: the phone socket as phones reach it; "" = the host a page was asked at,
    on `socket_port`. `secure`: browsers reach the hub over TLS (a proxy before it).
    `vapid_public`, `sign_in`: see `PhoneConfig`."""

    def __init__(
        self,
        *,
        socket_port: Callable[[], int],
        socket_url: str = "",
        secure: bool = False,
        vapid_public: Callable[[], str] = lambda: "",
        sign_in: Callable[[], SignInWays] = SignInWays,
    ) -> None:
        self._socket_port, self._socket_url, self._secure = socket_port, socket_url, secure
        self._vapid_public, self._sign_in = vapid_public, sign_in
        self._files = _read()
        tags = "".join(self._files[name].tag for name in sorted(self._files))
        self._version = sha256(tags.encode()).hexdigest()[:16]
        missing = set(PAGES.values()) - set(self._files)
        if missing:
            raise RuntimeError(f"the package lacks {', '.join(sorted(missing))}")

    def serves(self) -> dict[str, Serve]:
        """The operations of the pages."""
        return {
            "getStatic": self._static,
            "getPhoneConfig": self._config,
            **{name: self._page(file) for name, file in PAGES.items()},
        }

    def socket_for(self, request: web.BaseRequest) -> str:
        """The phone socket's URL for who asked for this page."""
        if self._socket_url:
            return self._socket_url
        host = urlsplit(f"//{request.headers.get(hdrs.HOST, '')}").hostname or "localhost"
        host = f"[{host}]" if ":" in host else host
        return f"{'wss' if self._secure else 'ws'}://{host}:{self._socket_port()}/phone"

    def _page(self, name: str) -> Serve:
        async def serve(
            request: web.BaseRequest, _caller: Token | None, _parameter: str
        ) -> web.StreamResponse:
            return self._answer(request, self._files[name])

        return serve

    async def _static(self, request: web.BaseRequest, _caller: Token | None, name: str) -> web.StreamResponse:
        file = self._files.get(name)
        if file is None:
            raise Failed(HTTPStatus.NOT_FOUND, "not_found", "there is no such file")
        return self._answer(request, file)

    async def _config(
        self, request: web.BaseRequest, _caller: Token | None, _name: str
    ) -> web.StreamResponse:
        config = PhoneConfig(self.socket_for(request), self._vapid_public(), self._sign_in(), self._version)
        return web.Response(
            body=msgspec.json.encode(config), content_type="application/json", headers={**_HEADERS}
        )

    def _answer(self, request: web.BaseRequest, file: _File) -> web.Response:
        socket = urlsplit(self.socket_for(request))
        headers = {
            **_HEADERS,
            "ETag": file.tag,
            "Content-Security-Policy": _POLICY.format(socket=f"{socket.scheme}://{socket.netloc}"),
        }
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if file.tag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(body=file.body, headers={**headers, "Content-Type": file.type})


def _read() -> dict[str, _File]:
    found = {}
    for file in files("alarmhub.web").joinpath("static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            body = file.read_bytes()
            found[file.name] = _File(body, kind, f'"{sha256(body).hexdigest()[:32]}"')
    return found
