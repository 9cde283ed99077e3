"""Passkeys (WebAuthn): signing in with the phone's or the computer's own key, and keeping a person's keys.

The key proves itself only with the person's finger, face or code (user verification). A challenge carries its
own end and seal, so that asking for many of them costs the hub nothing and pushes out nobody's; each is used
once. It refuses to say why a proof failed, and keys of other sites (`rp_id`, origins).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import msgspec
import webauthn
from aiohttp import hdrs, web
from msgspec import Meta, Struct
from msgspec.structs import replace
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from alarmhub import logs
from alarmhub.logs import Line
from alarmhub.people import Account, Accounts, Passkey, Taken
from alarmhub.ports import Desk, Token
from alarmhub.web import wire
from alarmhub.web.auth import forbidden
from alarmhub.web.problems import Failed
from alarmhub.web.server import WebSettings, read_body, reply
from alarmhub.web.sessions import Sessions, caller_of, signed_out
from alarmhub.web.sign_in_door import Serve, SignInOut
from alarmhub.web.sign_in_settings import SignIn

CHALLENGE_LIVES_MS: Final = 5 * 60_000
USED_REMEMBERED: Final = 20_000
PASSKEYS_EACH: Final = 20
ID_BYTES: Final = 1023
"""The longest credential id that WebAuthn allows."""
_NONCE: Final = 16
_SEAL: Final = 24

_encode = msgspec.json.Encoder().encode
_log = logs.get("web")


class PasskeyIn(Struct, frozen=True, kw_only=True):
    """What the browser's key answered. `keep`: this is the person's own device."""

    credential: dict[str, Any]
    keep: bool = False


class NewPasskeyIn(Struct, frozen=True, kw_only=True):
    """A key the browser made. `label`: what the person calls it."""

    credential: dict[str, Any]
    label: Annotated[str, Meta(max_length=60, pattern=r"^[^\x00]*$")] = ""


class PasskeyOut(Struct, frozen=True, kw_only=True):
    """One of one's own keys."""

    id: str
    label: str
    created_at: datetime
    used_at: datetime | None


class PasskeysOut(Struct, frozen=True, kw_only=True):
    """Oldest first."""

    passkeys: tuple[PasskeyOut, ...]


class PasskeyGone(Struct, frozen=True, kw_only=True):
    """Done."""

    ok: bool = True


_SIGN_IN: Final = msgspec.json.Decoder(PasskeyIn)
_NEW: Final = msgspec.json.Decoder(NewPasskeyIn)


class Challenges:
    """Sealed challenges: nonce, end and seal in one. `now`: epoch ms."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._key = secrets.token_bytes(32)
        self._used: OrderedDict[bytes, int] = OrderedDict()

    def make(self, purpose: str) -> bytes:
        """A challenge for one use, for this purpose alone."""
        head = secrets.token_bytes(_NONCE) + (self._now() + CHALLENGE_LIVES_MS).to_bytes(8, "big")
        return head + self._seal(head, purpose)

    def counts(self, challenge: bytes, purpose: str) -> bool:
        """Whether it is ours, for this purpose, in time and not used yet."""
        head, seal = challenge[:-_SEAL], challenge[-_SEAL:]
        if len(head) != _NONCE + 8 or not hmac.compare_digest(seal, self._seal(head, purpose)):
            return False
        now, end = self._now(), int.from_bytes(head[_NONCE:], "big")
        return end > now and head not in self._used

    def take(self, challenge: bytes, purpose: str) -> bool:
        """Whether it counts; it is used then. Only for what is proved: no stranger fills the memory."""
        now = self._now()
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if len(self._used) >= USED_REMEMBERED or not self.counts(challenge, purpose):
            return False
        head = challenge[:-_SEAL]
        self._used[head] = int.from_bytes(head[_NONCE:], "big")
        return True

    def _seal(self, head: bytes, purpose: str) -> bytes:
        return hmac.digest(self._key, head + purpose.encode(), sha256)[:_SEAL]


class PasskeyDoor:
    """The operations, by name of their route."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        sessions: Sessions,
        desk: Desk,
        settings: WebSettings,
        sign_in: SignIn,
    ) -> None:
        self._accounts, self._sessions, self._desk = accounts, sessions, desk
        self._settings, self._sign_in = settings, sign_in
        self._challenges = Challenges(desk.now)

    def serves(self) -> dict[str, Serve]:
        """Each operation as the API calls it."""
        return {
            "passkeyOptions": self._options,
            "signInPasskey": self._enter,
            "newPasskeyOptions": self._new_options,
            "addPasskey": self._add,
            "listPasskeys": self._list,
            "dropPasskey": self._drop,
        }

    async def _options(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        self._open()
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id(request), challenge=self._challenges.make("sign in"),
            timeout=CHALLENGE_LIVES_MS, user_verification=UserVerificationRequirement.REQUIRED,
        )  # fmt: skip
        return reply(webauthn.options_to_json(options).encode())

    async def _enter(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        self._open()
        taken = wire.decoded(await read_body(request, self._settings), _SIGN_IN)
        account = await self._proven(request, taken.credential)
        if account is None:
            _log.info(Line.SIGN_IN_REFUSED, reason="passkey", peer=self._sessions.peer(request))
            raise signed_out("this passkey opens nothing here", "wrong")
        response = reply(b"")
        session = await self._sessions.begin(request, response, account.staff, "passkey", keep=taken.keep)
        _log.info(Line.SIGNED_IN, staff=account.staff, method="passkey")
        person = self._desk.world().site.staff[account.staff]
        response.body = _encode(
            SignInOut(
                staff=account.staff, name=person.name, csrf=session.csrf, must_change=account.must_change
            )
        )  # fmt: skip
        return response

    async def _proven(self, request: web.BaseRequest, credential: dict[str, Any]) -> Account | None:
        id, challenge = _bytes(credential.get("rawId")), _challenge(credential)
        if not 0 < len(id) <= ID_BYTES or not self._challenges.counts(challenge, "sign in"):
            return None
        passkey = await self._accounts.passkey(id)
        account = None if passkey is None else await self._accounts.account(staff=passkey.staff)
        if passkey is None or account is None or account.disabled_at is not None:
            return None
        if account.staff not in self._desk.world().site.staff:
            return None
        response = credential.get("response")
        handle = _bytes(response.get("userHandle")) if isinstance(response, dict) else b""
        if not hmac.compare_digest(handle, account.handle):
            return None
        try:
            proof = webauthn.verify_authentication_response(
                credential=credential, expected_challenge=challenge, expected_rp_id=self._rp_id(request),
                expected_origin=self._origins(request), credential_public_key=passkey.public_key,
                credential_current_sign_count=passkey.sign_count, require_user_verification=True,
            )  # fmt: skip
        except Exception:  # noqa: BLE001  whatever the library makes of a stranger's bytes, it is no proof
            return None
        if not self._challenges.take(challenge, "sign in"):
            return None
        now = self._desk.now()
        await self._accounts.put_passkey(replace(passkey, sign_count=proof.new_sign_count, used_at=now))
        return account

    async def _new_options(self, request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        self._open()
        signed = self._sessions.signed(request)
        self._sessions.must_be_fresh(signed.session)
        account, site = signed.account, self._desk.world().site
        own = await self._room_for_another(account.staff)
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id(request), rp_name=site.name, user_name=account.login, user_id=account.handle,
            user_display_name=site.staff[account.staff].name, timeout=CHALLENGE_LIVES_MS,
            challenge=self._challenges.make(f"register {signed.session.id}"),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, require_resident_key=True,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=passkey.id) for passkey in own],
        )  # fmt: skip
        return reply(webauthn.options_to_json(options).encode())

    async def _add(self, request: web.BaseRequest, _token: Token | None, _: str) -> web.StreamResponse:
        self._open()
        taken = wire.decoded(await read_body(request, self._settings), _NEW)
        signed = self._sessions.signed(request)
        self._sessions.must_be_fresh(signed.session)
        challenge, purpose = _challenge(taken.credential), f"register {signed.session.id}"
        if not self._challenges.counts(challenge, purpose):
            raise _no_key()
        try:
            made = webauthn.verify_registration_response(
                credential=taken.credential, expected_challenge=challenge,
                expected_rp_id=self._rp_id(request), expected_origin=self._origins(request),
                require_user_verification=True,
            )  # fmt: skip
        except Exception:  # noqa: BLE001  whatever the library makes of a stranger's bytes, it is no key
            raise _no_key() from None
        if not self._challenges.take(challenge, purpose):
            raise _no_key()
        await self._room_for_another(signed.account.staff)
        passkey = Passkey(
            id=made.credential_id, staff=signed.account.staff, public_key=made.credential_public_key,
            sign_count=made.sign_count, label=wire.cleaned(taken.label).strip() or signed.session.label,
            created_at=self._desk.now(),
        )  # fmt: skip
        try:
            await self._accounts.put_passkey(passkey)
        except Taken:
            raise _no_key() from None
        _log.info(Line.ACCOUNT_CHANGED, staff=passkey.staff, change="passkey added", by=passkey.staff)
        return reply(_encode(_shown(passkey)), HTTPStatus.CREATED)

    async def _list(self, _request: web.BaseRequest, token: Token | None, _: str) -> web.StreamResponse:
        own = await self._accounts.passkeys(caller_of(token).subject)
        return reply(_encode(PasskeysOut(passkeys=tuple(map(_shown, own)))))

    async def _drop(self, _request: web.BaseRequest, token: Token | None, id: str) -> web.StreamResponse:
        staff = caller_of(token).subject
        if not await self._accounts.drop_passkey(staff, _bytes(id)):
            raise Failed(HTTPStatus.NOT_FOUND, "not_found", "there is no such passkey")
        _log.info(Line.ACCOUNT_CHANGED, staff=staff, change="passkey removed", by=staff)
        return reply(_encode(PasskeyGone()))

    async def _room_for_another(self, staff: str) -> Sequence[Passkey]:
        """The keys there are. Raises Failed (409) when they are as many as one may have."""
        own = await self._accounts.passkeys(staff)
        if len(own) >= PASSKEYS_EACH:
            raise Failed(
                HTTPStatus.CONFLICT, "too_many", f"at most {PASSKEYS_EACH} passkeys: remove one first",
                error="too_many_passkeys",
            )  # fmt: skip
        return own

    def _open(self) -> None:
        if not self._sign_in.passkeys:
            raise forbidden("passkeys open nothing here: use the hospital's sign-in", error="not_local")

    def _rp_id(self, request: web.BaseRequest) -> str:
        """The name that keys are bound to: as set, else the one this request came to (`hosts` allows it)."""
        name = self._sign_in.rp_id or urlsplit(f"//{request.headers.get(hdrs.HOST, '')}").hostname or ""
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name
        raise Failed(
            HTTPStatus.CONFLICT, "no_name", "passkeys need a name: open this page under one, not an address",
            error="no_name",
        )  # fmt: skip

    def _origins(self, request: web.BaseRequest) -> list[str]:
        if self._sign_in.origins:
            return list(self._sign_in.origins)
        scheme = "https" if self._sessions.settings.secure else "http"
        return [f"{scheme}://{request.headers.get(hdrs.HOST, '')}"]


def _shown(passkey: Passkey) -> PasskeyOut:
    return PasskeyOut(
        id=bytes_to_base64url(passkey.id), label=passkey.label, created_at=wire.moment(passkey.created_at),
        used_at=None if passkey.used_at is None else wire.moment(passkey.used_at),
    )  # fmt: skip


def _no_key() -> Failed:
    expected = "a new passkey of this site, made just now, with user verification"
    return Failed(
        HTTPStatus.CONFLICT, "no_passkey", f"credential: expected {expected}", field="credential",
        expected=expected, error="no_passkey",
    )  # fmt: skip


def _challenge(credential: dict[str, Any]) -> bytes:
    """The challenge that a credential says it answers; b"" for what is none."""
    response = credential.get("response")
    data = _bytes(response.get("clientDataJSON")) if isinstance(response, dict) else b""
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    return _bytes(said.get("challenge")) if isinstance(said, dict) else b""


def _bytes(text: object) -> bytes:
    """From base64url; b"" for what is none."""
    if not isinstance(text, str) or not text.isascii():
        return b""
    try:
        return base64url_to_bytes(text)
    except ValueError:
        return b""
