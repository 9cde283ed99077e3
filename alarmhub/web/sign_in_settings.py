"""What an installation sets about people who sign in: `[sign_in]`, and `[oidc]` for the hospital's own way.

It refuses to hold what a site says: who somebody is, and with which roles, is the site file's.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from alarmhub.core import rights
from alarmhub.secret import Secret
from protocols.oidc import ALGORITHMS, is_safe_url

Hours = Annotated[float, Meta(gt=0, le=168)]


class SignIn(Struct, frozen=True):
    """`[sign_in]`. `local`: whether the hub's own accounts open anything by password, `passkeys`: by passkey.
    `rp_id`, `origins`: the name passkeys are bound to, and the pages that may use them."""

    local: bool = True
    passkeys: bool = True
    rp_id: str = ""
    origins: tuple[str, ...] = ()
    idle_hours: Hours = 4.0
    longest_hours: Hours = 14.0

    def faults(self) -> list[str]:
        """What these say against themselves: "KEY: why", each."""
        if self.idle_hours > self.longest_hours:
            return ["idle_hours: expected at most longest_hours"]
        return []


class Oidc(Struct, frozen=True):
    """`[oidc]`: the hospital's sign-in; without an `issuer` there is none. See the example file."""

    issuer: str = ""
    client_id: str = ""
    client_secret: Secret | None = None
    secret_in: Literal["header", "body"] = "header"
    public_url: str = ""
    name: Annotated[str, Meta(max_length=60)] = ""
    scope: str = "openid"
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256")
    person_claim: Annotated[str, Meta(min_length=1)] = "sub"
    person_is: Literal["external", "staff"] = "external"
    grants_claim: Annotated[str, Meta(min_length=1)] = "groups"
    grants: dict[str, str] = field(default_factory=dict)
    leeway_s: Annotated[float, Meta(ge=0, le=300)] = 60.0
    within_s: Annotated[float, Meta(ge=0.5, le=30)] = 5.0

    @property
    def base(self) -> str:
        """The hub as browsers reach it, without a slash at the end."""
        return self.public_url.rstrip("/")

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends browsers back to; to be registered there."""
        return f"{self.base}/oidc/return"

    def faults(self) -> list[str]:
        """What these say against themselves: "KEY: why", each."""
        if not self.issuer:
            return []
        faults = [
            f"{key}: expected an https URL"
            for key in ("issuer", "public_url")
            if not is_safe_url(getattr(self, key)) or "?" in getattr(self, key)
        ]
        if not self.client_id:
            faults.append("client_id: missing")
        if "openid" not in self.scope.split():
            faults.append('scope: expected "openid" among them')
        faults += [
            f"algorithms: expected some of {', '.join(ALGORITHMS)}, got {name[:20]}"
            for name in self.algorithms
            if name not in ALGORITHMS
        ]
        if not self.algorithms:
            faults.append("algorithms: expected at least one")
        for value, grant in self.grants.items():
            if rights.read(grant) is None:
                faults.append(f'grants: "{value[:40]}": expected ROLE or ROLE:UNIT, got "{grant[:40]}"')
        return faults
