"""Where a SIP address can be reached at present (RFC 3261 section 10): bindings with an end.

Pure: time is an argument (integer ms). It refuses to authenticate (who may register what is the owner's
business) and to hold more than `most` bindings: the one that ends first goes.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from protocols.sip import Request, address_of, uri_of

DEFAULT_EXPIRES_S: Final = 3_600
LEAST_EXPIRES_S: Final = 10
MOST_EXPIRES_S: Final = 86_400
MAX_BINDINGS: Final = 4_096
MAX_CONTACTS: Final = 4
"""Of one address: a unit and its predecessor, hardly more."""


class Binding(Struct, frozen=True):
    """One contact of an address. `uri` as the client wrote it, `until` in ms; `order`: Call-ID and CSeq."""

    uri: str
    until: int
    call_id: str
    cseq: int

    def remaining_s(self, now: int) -> int:
        """Seconds it is still good for, rounded up."""
        return max(0, -(-(self.until - now) // 1000))


class Registered(Struct, frozen=True):
    """The bindings after a REGISTER was done."""

    bindings: tuple[Binding, ...]


class RefusedRegister(Struct, frozen=True):
    """Why it was not done, with the SIP status for it."""

    status: int
    cause: str


class Bindings:
    """All addresses of one door."""

    def __init__(self, *, most: int = MAX_BINDINGS) -> None:
        self._most = most
        self._known: dict[tuple[str, str], dict[str, Binding]] = {}

    def __len__(self) -> int:
        return sum(len(contacts) for contacts in self._known.values())

    def register(self, request: Request, now: int, *, owner: str = "") -> Registered | RefusedRegister:
        """Do a REGISTER: add, refresh, remove (`expires=0`, `*`), or only ask (no Contact). `owner`: who was
        let in; what one registers, no other finds or changes."""
        to = uri_of(address_of(request.header("to") or "")[0])
        number = (request.header("cseq") or "").partition(" ")[0]
        if to is None or not number.isdigit():
            return RefusedRegister(400, "no address to register")
        call_id = request.header("call-id") or ""
        wanted = _wanted(request)
        if isinstance(wanted, RefusedRegister):
            return wanted
        place = (owner, to.address_of_record)
        contacts = self._living(place, now)
        for uri, _expires_s in wanted:
            old = contacts.get(uri)
            if old is not None and old.call_id == call_id and old.cseq >= int(number):
                return RefusedRegister(400, "overtaken by a later registration")
        for uri, expires_s in wanted:
            if uri == "*":
                contacts.clear()
            elif expires_s == 0:
                contacts.pop(uri, None)
            else:
                contacts.pop(uri, None)
                contacts[uri] = Binding(uri, now + expires_s * 1000, call_id, int(number))
        while len(contacts) > MAX_CONTACTS:
            del contacts[next(iter(contacts))]
        self._keep(place, contacts)
        return Registered(tuple(contacts.values()))

    def contact(self, address_of_record: str, now: int, *, owner: str = "") -> Binding | None:
        """The newest living contact of `user@host`."""
        living = list(self._living((owner, address_of_record), now).values())
        return living[-1] if living else None

    def _living(self, place: tuple[str, str], now: int) -> dict[str, Binding]:
        known = self._known.get(place, {})
        return {uri: binding for uri, binding in known.items() if binding.until > now}

    def _keep(self, place: tuple[str, str], contacts: dict[str, Binding]) -> None:
        self._known.pop(place, None)
        if not contacts:
            return
        while self._known and len(self) + len(contacts) > self._most:
            del self._known[min(self._known, key=self._ends)]
        self._known[place] = contacts

    def _ends(self, place: tuple[str, str]) -> int:
        return max(binding.until for binding in self._known[place].values())


def _wanted(request: Request) -> list[tuple[str, int]] | RefusedRegister:
    """Contacts with the seconds asked for; `*` stands alone and with 0 (10.2.2)."""
    default = _seconds(request.header("expires"), DEFAULT_EXPIRES_S)
    wanted: list[tuple[str, int]] = []
    for value in request.all("contact"):
        if value == "*":
            if default != 0 or len(request.all("contact")) > 1:
                return RefusedRegister(400, "contact * without expires 0")
            return [("*", 0)]
        uri, params = address_of(value)
        if uri_of(uri) is None:
            return RefusedRegister(400, "contact is no sip address")
        expires_s = _seconds(params.get("expires"), default)
        if 0 < expires_s < LEAST_EXPIRES_S:
            return RefusedRegister(423, "interval too brief")
        wanted.append((uri, min(expires_s, MOST_EXPIRES_S)))
    if len(wanted) > MAX_CONTACTS:
        return RefusedRegister(400, "too many contacts")
    return wanted


def _seconds(text: str | None, otherwise: int) -> int:
    if text is None or not text.isascii() or not text.isdigit():
        return otherwise
    return min(int(text[:10]), MOST_EXPIRES_S)
