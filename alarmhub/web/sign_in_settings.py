"""What an installation sets about people who sign in: `[sign_in]`.

It refuses to hold what a site says: who somebody is, and with which roles, is the site file's.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

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
