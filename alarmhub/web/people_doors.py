"""Everything about people who sign in, as doors of the API: made together, for they share what they count.

It refuses to serve anything itself.
"""

from __future__ import annotations

from typing import Any, Protocol

from alarmhub.people import Accounts
from alarmhub.ports import Desk
from alarmhub.web.account_door import AccountDoor
from alarmhub.web.failures import Failures
from alarmhub.web.oidc_door import OidcDoor
from alarmhub.web.oidc_provider import Provider
from alarmhub.web.passkey_door import PasskeyDoor
from alarmhub.web.passwords import Passwords
from alarmhub.web.server import WebSettings
from alarmhub.web.sessions import Sessions
from alarmhub.web.sign_in_door import Serve, SignInDoor, WaysIn
from alarmhub.web.sign_in_settings import SignIn


class PeopleDoor(Protocol):
    """As `api.Door`."""

    def serves(self) -> dict[str, Serve]:
        """Name of the operation → what answers it."""
        ...


def people_doors(
    *,
    accounts: Accounts,
    sessions: Sessions,
    passwords: Passwords,
    desk: Desk,
    settings: WebSettings,
    sign_in: SignIn,
    provider: Provider | None = None,
) -> list[PeopleDoor]:
    """The doors that these settings open. `provider`: the hospital's sign-in, where there is one."""
    shared: dict[str, Any] = {
        "accounts": accounts, "sessions": sessions, "desk": desk, "settings": settings,
    }  # fmt: skip
    typed: dict[str, Any] = {"passwords": passwords, "failures": Failures()}
    oidc = OidcDoor(accounts=accounts, sessions=sessions, desk=desk, provider=provider)
    ways = WaysIn(
        local=sign_in.local,
        passkeys=sign_in.passkeys,
        oidc=None if provider is None else provider.settings.name,
    )
    return [
        SignInDoor(**shared, **typed, ways=ways, logout=oidc.logout),
        AccountDoor(**shared, **typed),
        oidc,
        PasskeyDoor(**shared, sign_in=sign_in),
    ]
