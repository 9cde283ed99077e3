"""What the numbers of SCAIP mean, in Swedish and English: devices (dty), statuses (stc), locations (lco).

A selection of the lists of SS 91100:2014 (facts only); a code that is not here is shown as its number and
rings like any other. Which alarm a code becomes is the site's to say, in its mapping rules: nothing here
knows a kind. `BEGINS` and `ENDS` pair the statuses that begin a lasting condition with those that end it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

Spoken = tuple[str, str]
"""Swedish, English."""

DEVICES: Final[Mapping[str, Spoken]] = {
    "0001": ("larm", "alarm"),
    "0002": ("larmenhet", "alarm unit"),
    "0003": ("bärbar knapp", "pendant"),
    "0004": ("fast knapp", "fixed trigger"),
    "0005": ("fallarm", "fall detector"),
    "0006": ("överfallsknapp", "personal attack button"),
    "0007": ("panikknapp", "panic button"),
    "0010": ("aktivitetsvakt", "activity monitor"),
    "0012": ("sängvakt", "bed sensor"),
    "0014": ("dörrvakt", "door sensor"),
    "0015": ("vandringslarm", "wandering sensor"),
    "0017": ("epilepsivakt", "epilepsy sensor"),
    "0019": ("pulsvakt", "heart rate sensor"),
    "0023": ("rökdetektor", "smoke detector"),
    "0026": ("koloxidvakt", "carbon monoxide detector"),
    "0033": ("vattenvakt", "flood detector"),
    "0038": ("sabotagekontakt", "tamper contact"),
    "0045": ("styrenhet", "controller"),
    "0047": ("brandlarm", "fire system"),
    "0050": ("radiomottagare", "radio receiver"),
}

STATUSES: Final[Mapping[str, Spoken]] = {
    "0009": ("automatiskt larm", "automatic alarm"),
    "0010": ("manuellt larm", "manual alarm"),
    "0014": ("batterifel", "battery failure"),
    "0016": ("lågt batteri", "battery low"),
    "0019": ("avbrutet", "cancelled"),
    "0042": ("fel", "failure"),
    "0070": ("normalt läge", "normal"),
    "0073": ("utan kontakt", "offline"),
    "0075": ("åter i kontakt", "online"),
    "0085": ("nätspänning saknas", "mains failure"),
    "0086": ("nätspänning åter", "mains restored"),
    "0087": ("närvaro", "presence"),
    "0088": ("närvaro slut", "presence ended"),
    "0091": ("åter i drift", "re-established"),
    "0092": ("automatiskt återställd", "automatic reset"),
    "0093": ("manuellt återställd", "manual reset"),
    "0102": ("provlarm", "test"),
    "0110": ("assistans", "assistance"),
    "0123": ("radioprov uteblev", "radio test missing"),
    "0125": ("sabotage", "tamper"),
}

LOCATIONS: Final[Mapping[str, Spoken]] = {
    "011": ("badrum", "bathroom"),
    "012": ("sovrum", "bedroom"),
    "021": ("kök", "kitchen"),
    "043": ("vardagsrum", "living room"),
    "049": ("rum", "room"),
    "051": ("avdelning", "ward"),
}

PRESENT: Final = "0087"
ABSENT: Final = "0088"
CANCELS: Final = frozenset({"0019", "0092", "0093"})
"""Said of an alarm that was sent before; sent as a message of its own they name no reference."""

NO_STATUS: Final[Spoken] = ("larm", "alarm")
"""A status that is left out means alarm (SS 91100)."""


class Condition(StrEnum):
    """Something that lasts until its counterpart is sent, under another reference."""

    MAINS = "mains"
    CONTACT = "contact"
    FAULT = "fault"


BEGINS: Final[Mapping[str, Condition]] = {
    "0085": Condition.MAINS,
    "0073": Condition.CONTACT,
    "0123": Condition.CONTACT,
    "0014": Condition.FAULT,
    "0016": Condition.FAULT,
    "0042": Condition.FAULT,
}
ENDS: Final[Mapping[str, tuple[Condition, ...]]] = {
    "0086": (Condition.MAINS,),
    "0075": (Condition.CONTACT,),
    "0091": (Condition.CONTACT,),
    "0070": (Condition.FAULT,),
}


def spoken(words: Spoken, language: str) -> str:
    """Swedish for "sv", English for anything else."""
    return words[0] if language == "sv" else words[1]


def device(code: str, language: str) -> str:
    """The words of a device type; 0900 to 0999 are private, others unknown: shown as numbers."""
    known = DEVICES.get(code)
    if known is not None:
        return spoken(known, language)
    return f"{spoken(('enhet', 'device'), language)} {code}"


def status(code: str, language: str) -> str:
    """The words of a status; "" is an alarm."""
    if not code:
        return spoken(NO_STATUS, language)
    known = STATUSES.get(code)
    return f"status {code}" if known is None else spoken(known, language)


def location(code: str, language: str) -> str:
    """The words of a location, "" when there is none."""
    known = LOCATIONS.get(code)
    if known is not None:
        return spoken(known, language)
    return f"{spoken(('plats', 'location'), language)} {code}" if code else ""
