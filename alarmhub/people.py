"""People and their phones as the database knows them: accounts, sessions, devices, push targets, drills.

Values, and the protocols by which web, gateway and push ask for them; implemented by `store`, each with a
memory twin that passes the same contract tests. These writes are administration: they need no lease, and one
that is answered is committed. It refuses rules: who may do what is `core.rights`.

Every method raises `ports.StoreUnavailable` when the database cannot be asked. `now` is epoch ms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct


class Account(Struct, frozen=True, kw_only=True):
    """A person who can sign in. `password`: argon2id, encoded; None = by passkey or the hospital's sign-in
    only. `external`: HSA identity. `handle`: WebAuthn user handle. `login` is in lower case."""

    staff: str
    login: str
    handle: bytes
    created_at: int
    password: str | None = None
    must_change: bool = False
    external: str | None = None
    disabled_at: int | None = None


class Passkey(Struct, frozen=True, kw_only=True):
    """A WebAuthn credential of a person."""

    id: bytes
    staff: str
    public_key: bytes
    sign_count: int
    label: str
    created_at: int
    used_at: int | None = None


class Session(Struct, frozen=True, kw_only=True):
    """A signed-in browser. `digest`: SHA-256 of its cookie. `grants`: "role:unit" as the hospital's sign-in
    said; a local account's come from the site. `method`: password | passkey | oidc."""

    digest: bytes
    id: str
    staff: str
    method: str
    csrf: str
    label: str
    created_at: int
    seen_at: int
    expires_at: int
    grants: tuple[str, ...] = ()
    revoked_at: int | None = None


class Device(Struct, frozen=True, kw_only=True):
    """An enrolled phone. `digest`: SHA-256 of its secret. `pool`: lent from a unit's drawer. `staff`: who
    carries it now, "" = nobody."""

    id: str
    digest: bytes
    label: str
    enrolled_by: str
    enrolled_at: int
    platform: str = ""
    pool: bool = False
    unit: str = ""
    staff: str = ""
    bound_at: int | None = None
    revoked_at: int | None = None


class PushTarget(Struct, frozen=True, kw_only=True):
    """Where a push reaches a phone. `transport`: apns | fcm | webpush; `address`: token or endpoint;
    `keys`: what the transport needs besides (Web Push: p256dh, auth)."""

    device: str
    transport: str
    address: str
    registered_at: int
    keys: dict[str, str] = {}
    taken_at: int | None = None


class DrillRow(Struct, frozen=True, kw_only=True):
    """A drill of a unit's phones. `result`: what became of each phone and channel (`engine.drills`).
    `cause`: shift_start | policy | source | software | asked."""

    id: str
    unit: str
    cause: str
    began_at: int
    result: Any
    ended_at: int | None = None


class Taken(Exception):
    """What must be unique is somebody else's already; `args[0]` names the field."""


class Accounts(Protocol):
    """Accounts, passkeys and sessions."""

    async def account(
        self,
        *,
        staff: str | None = None,
        login: str | None = None,
        external: str | None = None,
        handle: bytes | None = None,
    ) -> Account | None:
        """By exactly one of these; disabled ones too."""
        ...

    async def accounts(self) -> Sequence[Account]:
        """All, by staff id."""
        ...

    async def put_account(self, account: Account) -> None:
        """Add, or replace the one of this person. Raises Taken (login, external, handle)."""
        ...

    async def change_password(self, staff: str, *, was: str | None, password: str, must_change: bool) -> bool:
        """Another password in place of `was`. False, and nothing is changed, when the account has another by
        now, or is disabled: what an administrator did meanwhile stands."""
        ...

    async def passkeys(self, staff: str) -> Sequence[Passkey]:
        """A person's, oldest first."""
        ...

    async def passkey(self, id: bytes) -> Passkey | None:
        """One, by its credential id."""
        ...

    async def put_passkey(self, passkey: Passkey) -> None:
        """Add or replace. Raises Taken when the credential is another person's."""
        ...

    async def drop_passkey(self, staff: str, id: bytes) -> bool:
        """Whether this person had it."""
        ...

    async def session(self, digest: bytes) -> Session | None:
        """By its cookie's digest; expired and revoked ones too."""
        ...

    async def sessions(self, staff: str, now: int) -> Sequence[Session]:
        """A person's living sessions, newest first."""
        ...

    async def add_session(self, session: Session) -> None:
        """A person has signed in."""
        ...

    async def touch_session(self, digest: bytes, seen_at: int, expires_at: int) -> None:
        """It was used."""
        ...

    async def revoke_sessions(self, now: int, *, id: str | None = None, staff: str | None = None) -> int:
        """End one, or all of a person; how many lived."""
        ...

    async def trim_sessions(self, before: int) -> None:
        """Forget those that expired before."""
        ...


class Devices(Protocol):
    """Enrolled phones. Each write keeps device and token together, in one transaction."""

    async def enrol(self, device: Device) -> None:
        """A new phone, with its secret, carried by `device.staff`."""
        ...

    async def device(self, id: str) -> Device | None:
        """One, revoked or not."""
        ...

    async def devices(
        self, *, staff: str | None = None, units: Sequence[str] | None = None
    ) -> Sequence[Device]:
        """Those not revoked: a person's, or pool phones at home in these units; all when neither is given."""
        ...

    async def seen(self) -> Mapping[str, int]:
        """When a socket of each phone was last known to be open, by id (epoch ms); never: not there."""
        ...

    async def bind(self, id: str, staff: str, now: int) -> bool:
        """From now on this person ("" = nobody) carries it; False when there is none, or it is revoked."""
        ...

    async def revoke(self, id: str, now: int) -> bool:
        """Its secret opens nothing any more; False when it was so already."""
        ...


class PushTargets(Protocol):
    """Where pushes go."""

    async def targets(self) -> Sequence[PushTarget]:
        """All, of phones that are not revoked."""
        ...

    async def carriers(self) -> Mapping[str, str]:
        """Who carries each phone now: device → staff id. Phones that nobody carries, or revoked, are not in
        it."""
        ...

    async def put_target(self, target: PushTarget) -> None:
        """Add, or replace the device's one for this transport; an address of another device moves here."""
        ...

    async def took(self, targets: Sequence[PushTarget], at: int) -> None:
        """Providers took a push for these at that time; one that has another address by now is left alone."""
        ...

    async def drop_target(self, device: str, transport: str, address: str) -> bool:
        """It is dead; False when the device has another address by now."""
        ...


class Drills(Protocol):
    """Results of drills."""

    async def put_drill(self, drill: DrillRow) -> None:
        """Add, or replace by id."""
        ...

    async def drills(self, unit: str, limit: int) -> Sequence[DrillRow]:
        """A unit's, newest first."""
        ...

    async def last_drills(self) -> Sequence[DrillRow]:
        """The newest one of each unit that has ended, by unit."""
        ...

    async def unended(self) -> Sequence[DrillRow]:
        """Those under way, or cut off by a crash, oldest first."""
        ...

    async def forget_phones(self, before: int) -> None:
        """Of those that began before: only the counts remain, no phone and nobody who carried it."""
        ...
