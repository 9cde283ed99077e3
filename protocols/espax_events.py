"""ESPA-X 1.00, what a client's session hands to its owner, and the words a request is answered by.

Values only; `espax_session` makes them. A request that needs the hub carries a `token`, by which the owner
answers it once. It refuses to print a password.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct


class LoginAsked(Struct, frozen=True):
    """REQ.LOGIN. Answer with `admit` or `deny`; nothing else is read until then."""

    token: int
    user: str
    password: str
    client: str = ""
    software: str = ""

    def __repr__(self) -> str:
        return f"LoginAsked(token={self.token}, user={self.user!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As `repr`: without the password."""
        return [("token", self.token), ("user", self.user)]


class StartAsked(Struct, frozen=True):
    """REQ.P-START: its fields as sent. Answer with `answer_start`."""

    token: int
    fields: dict[str, str]


class StopAsked(Struct, frozen=True):
    """REQ.P-STOP of the process named by `ref` (CP-PR-REF, "" = none) or `tan` (SP-PR-TAN).

    `mask`: the states in which it is to be stopped; empty is taken for all. Answer with `answer`.
    """

    token: int
    ref: str
    tan: int | None
    mask: frozenset[str]


class StatusAsked(Struct, frozen=True):
    """REQ.P-GETSTAT, fields as in `StopAsked`; without `ref` and `tan` all processes. Answer with `answer`,
    then the IND.P-STATUS, then IND.P-SYNC."""

    token: int
    ref: str
    tan: int | None
    mask: frozenset[str]


class Heard(Struct, frozen=True):
    """The client said something that is answered already (heartbeat, condition …): a sign of life."""

    element: str


class LoggedOut(Struct, frozen=True):
    """REQ.LOGOUT; it is answered and the conversation ends."""

    reason: str


class MessageRefused(Struct, frozen=True):
    """A message was turned away with `code`. `element`: "" when it could not be read."""

    code: int
    why: str
    element: str = ""


class SessionLapsed(Struct, frozen=True):
    """The client, once logged in, was silent for the session's limit; the conversation is over."""

    after_ms: int


EspaxEvent: TypeAlias = (
    LoginAsked | StartAsked | StopAsked | StatusAsked | Heard | LoggedOut | MessageRefused | SessionLapsed
)
