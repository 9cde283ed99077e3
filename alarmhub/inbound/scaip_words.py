"""From a SCAIP request to the words the site's mapping rules see, as pure functions.

The text is what people read: status, device, place, free text, in the site's language; the codes stand behind
it in brackets (`[dty0003 stc0010 lco012]`), so that a rule can be written on either. It refuses to know kinds
and places: those are the site's rules.
"""

from __future__ import annotations

from typing import Final

from alarmhub.core.events import SignalEvent
from alarmhub.core.kinds import Priority
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.scaip_settings import ScaipLink
from protocols import scaip_codes as codes
from protocols.scaip import INFORMATION, RESET, Mrq

ORIGIN_CHARS: Final = 2_000


def session(request: Mrq) -> str:
    """What names a session: controller and reference. Also what the hub's reports name it by."""
    return f"{request.cid}/{request.ref}"


def key_of(request: Mrq) -> str:
    """What the alarm is answered by while it is open: its session; for a lasting condition, whose end comes
    under another reference, controller, device and condition."""
    condition = codes.BEGINS.get(request.stc)
    if condition is None:
        return session(request)
    return condition_key(request, condition)


def condition_key(request: Mrq, condition: codes.Condition) -> str:
    """See `key_of`."""
    return f"{request.cid}/{request.dco}/{request.did}/{condition}"


def words_of(request: Mrq, settings: ScaipLink, language: str, *, origin: str = "") -> Words:
    """The request in words; its event is set by its message type alone (`events_of` knows the rest)."""
    event, present = None, None
    if request.mty == RESET:
        event = SignalEvent.END
    elif request.mty == INFORMATION:
        event = SignalEvent.UPDATE
    elif request.stc in (codes.PRESENT, codes.ABSENT):
        event, present = SignalEvent.PRESENCE, request.stc == codes.PRESENT
    return Words(
        address=address_of(request, settings.place_from),
        text=text_of(request, language),
        event=event,
        present=present,
        priority=priority_of(request, settings),
        callback=callback_of(request),
        ref=session(request),
        key=key_of(request),
        origin=origin if len(origin) <= ORIGIN_CHARS else "",
        because=(f"scaip:{request.mty}",),
    )


def address_of(request: Mrq, place_from: str) -> str:
    """What the rules' `address` sees."""
    if place_from == "crd":
        return request.crd or request.cid
    extra = {"cid/did": request.did, "cid/lco": request.lco}.get(place_from, "")
    return f"{request.cid}/{extra}" if extra else request.cid


def text_of(request: Mrq, language: str) -> str:
    """What people read, with the codes behind it."""
    says = [request.stt or codes.status(request.stc, language)]
    what = request.dte or codes.device(request.dty or "0001", language)
    if what not in says:
        says.append(what)
    position = request.geo or request.gga
    says += [
        request.lte or codes.location(request.lco, language),
        f"GPS {position}" if position else "",
        request.ite,
    ]
    numbers = [f"{name}{getattr(request, name)}" for name in ("dty", "stc", "lco", "dco", "ico")]
    shown = [number for number in numbers if len(number) > len("dty")]
    return ", ".join(part for part in says if part) + (f" [{' '.join(shown)}]" if shown else "")


def priority_of(request: Mrq, settings: ScaipLink) -> Priority | None:
    """0 (low) to 9 (high) on our scale; None when the unit does not say."""
    if not request.pri:
        return None
    number = int(request.pri)
    if number >= settings.high_from:
        return Priority.HIGH
    return Priority.MEDIUM if number >= settings.medium_from else Priority.LOW


def callback_of(request: Mrq) -> str | None:
    """The number or address to call the person on; a unit without voice has none."""
    scheme, colon, rest = request.crd.partition(":")
    if not colon or scheme.lower() == "no-voice" or not rest:
        return None
    return rest if scheme.lower() in ("gsm", "tel", "pstn") else request.crd
