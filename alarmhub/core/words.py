"""What the hub says to people, in Swedish and English, as data (ward.md, "Words").

Each entry is (Swedish, English): labels, buttons and the names inside reasons, whose sentences are
`core.sentences`. No text says "kvittera": it means two things on a ward. This module refuses logic.
"""

from __future__ import annotations

from typing import Final, TypeAlias

Both: TypeAlias = tuple[str, str]

LANGUAGES: Final = ("sv", "en")

KINDS: Final[dict[str, Both]] = {
    "patient_call": ("patientkallelse", "patient call"),
    "toilet_call": ("WC-kallelse", "toilet call"),
    "assistance": ("assistans", "assistance"),
    "emergency": ("akutlarm", "emergency"),
    "team": ("teamlarm", "team alarm"),
    "assault": ("överfallslarm", "assault alarm"),
    "clinical": ("övervakningslarm", "monitor alarm"),
    "technical": ("tekniskt larm", "technical alarm"),
    "door": ("dörrsignal", "door signal"),
    "request": ("förfrågan", "request"),
    "drill": ("provlarm", "drill"),
}

NOTICES: Final[dict[str, Both]] = {
    "source_lost": ("källa tyst", "source silent"),
    "calls_not_arriving": ("kallelser når inte telefonerna", "calls do not reach the phones"),
    "unit_unstaffed": ("enhet utan personal", "unit without staff"),
    "event_set_aside": ("händelse lagd åt sidan", "event set aside"),
    "clock_jumped": ("klockan hoppade", "clock jumped"),
    "phones_lost": ("telefoner utan kontakt", "phones without contact"),
    "stands_in": ("svarar för en kollega", "answers for a colleague"),
    "many_calls": ("många kallelser från samma plats", "many calls from the same place"),
    "untouched_phone": ("telefon som ingen rört", "phone nobody has touched"),
    "phone_silent": ("telefon utan kontakt", "phone without contact"),
    "phone_muted": ("ljudlös telefon", "muted phone"),
    "phone_no_permission": ("telefon utan aviseringar", "phone without notifications"),
    "phone_push_dead": ("telefon som inte kan väckas", "phone that cannot be woken"),
    "phone_battery_low": ("telefon med lågt batteri", "phone with low battery"),
    "phone_battery_critical": ("telefon vars batteri tar slut", "phone whose battery runs out"),
}
"""Types of what the hub itself raises."""

PRIORITIES: Final[dict[str, Both]] = {
    "high": ("hög", "high"),
    "medium": ("medel", "medium"),
    "low": ("låg", "low"),
    "information": ("information", "information"),
}

PHASES: Final[dict[str, Both]] = {
    "ringing": ("ringer", "ringing"),
    "partly_accepted": ("fler behövs", "more needed"),
    "accepted": ("någon kommer", "somebody is coming"),
    "attended": ("någon är på plats", "somebody is there"),
    "ended": ("avslutat", "ended"),
}

FLAGS: Final[dict[str, Both]] = {
    "unanswered": ("obesvarat", "unanswered"),
    "returned": ("källan vet att ingen tagit det", "the source knows that nobody has taken it"),
    "unconfirmed": (
        "inte bekräftat sedan anläggningen tappades",
        "not confirmed since the link to the plant was lost",
    ),
    "reset_unclear": ("en återställning passar flera larm", "a reset fits several alarms"),
    "not_attended": ("ingen kom i tid", "nobody arrived in time"),
    "reset_seen": (
        "återställt, väntar på att någon säger att det är lugnt",
        "reset, waiting for word that it is safe",
    ),
    "safe_said": ("sagt lugnt, väntar på återställning", "said to be safe, waiting for the reset"),
    "reminded": ("påminnelse", "reminder"),
    "place_unknown": ("okänd plats", "unknown place"),
    "place_not_verified": ("platsen är inte kontrollerad", "place not verified"),
    "last_resort": ("sista utvägen ringer", "last resort rings"),
    "acknowledged_at_source": ("besvarat vid källan", "answered at the source"),
    "presence": ("närvaro i rummet", "presence in the room"),
    "newest_policy": ("senaste reglerna gäller", "newest rules apply"),
}

ANSWERS: Final[dict[str, Both]] = {
    "accept": ("Jag tar den", "I'll take it"),
    "decline": ("Kan inte", "Can't"),
    "release": ("Lämna tillbaka", "Give back"),
    "attend": ("På plats", "I'm there"),
    "done": ("Klar", "Done"),
    "help": ("Hjälp hit", "Help here"),
    "extend": ("Mer tid", "More time"),
    "take_over": ("Jag tar över", "I'll take over"),
    "hold": ("Kommer strax", "Coming soon"),
    "safe": ("Platsen är lugn", "It is safe here"),
}
"""Words on buttons."""

ERRORS: Final[dict[str, Both]] = {
    "ended": ("Larmet är redan avslutat.", "The alarm has already ended."),
    "not_concerned": ("Larmet gäller inte dig nu.", "The alarm does not concern you now."),
    "stale": ("Larmet har gått vidare sedan du såg det.", "The alarm has moved on since you saw it."),
    "taken": ("En kollega har redan tagit det.", "A colleague has already taken it."),
    "noted": (
        "Noterat, men det ringer vidare: här behövs någon på plats.",
        "Noted, but it rings on: somebody is needed on site.",
    ),
    "not_yours": ("Det är inte du som har tagit det.", "You are not the one who has taken it."),
    "not_allowed": ("Det går inte för det här larmet.", "That is not possible for this alarm."),
    "already_extended": ("Mer tid har redan getts en gång.", "More time was given once already."),
    "last_one": (
        "Du är den sista som går att nå: säg vem som svarar medan du är borta.",
        "You are the last one who can be reached: say who answers while you are away.",
    ),
    "receiver_needed": (
        "Du har larm i handen: säg vem som tar över dem.",
        "You have alarms in hand: say who takes them on.",
    ),
    "not_in_site": ("Enheten, sängen eller rollen finns inte.", "There is no such unit, bed or role."),
    "not_signed_on": ("Du har inte börjat ditt pass.", "You have not begun your shift."),
    "no_receiver": (
        "Den kollegan kan inte ta emot det nu.",
        "That colleague cannot take it on now.",
    ),
    "nothing_to_take_over": ("Det finns ingen att ta över från.", "There is nobody to take over from."),
}
"""What a refused answer is told; the keys are `answering.ERRORS` and `shifts.ERRORS`."""

TEXTS: Final[dict[str, Both]] = {
    "rings": (
        "Alarmhub: larm, prioritet {priority}. Svara 1 {code} = jag tar den, 2 {code} = kan inte",
        "Alarmhub: alarm, {priority} priority. Reply 1 {code} = I'll take it, 2 {code} = can't",
    ),
    "taken": ("Alarmhub {code}: du har tagit den", "Alarmhub {code}: you have taken it"),
    "noted": (
        "Alarmhub {code}: noterat, men det ringer vidare. Någon måste vara på plats",
        "Alarmhub {code}: noted, but it rings on. Somebody must be there",
    ),
    "holding": (
        "Alarmhub {code}: du är ensam. Räknas som kommer strax, andra rings också",
        "Alarmhub {code}: you are alone. Counts as coming soon, others are called too",
    ),
    "over": ("Alarmhub {code}: avslutat", "Alarmhub {code}: ended"),
    "passed_on": ("Alarmhub {code}: gäller inte dig längre", "Alarmhub {code}: no longer concerns you"),
}
"""Text messages, by `effects.Says`: readable by anybody, so no name, place or kind; one message of the
telephone network's alphabet each."""

DRILL_MARK: Final[Both] = ("PROV", "DRILL")

WHY: Final[dict[str, Both]] = {
    "care_team": ("vårdlag", "care team"),
    "unit": ("enheten", "the unit"),
    "cover": ("samdrift", "cover"),
    "shift_leader": ("ledningsansvarig", "shift leader"),
    "team": ("larmteamet", "the alarm team"),
    "deputies": ("ersätter en obesatt roll", "standing in for an unfilled role"),
    "neighbours": ("grannenhet", "neighbouring unit"),
    "guards": ("väktare", "guard"),
    "switchboard": ("växel", "switchboard"),
    "on_call": ("jour", "on call"),
    "everyone": ("alla på plats", "everyone on site"),
    "belongs": ("telefonen hör till enheten", "the phone belongs to the unit"),
    "accepted_unasked": ("tog det utan att ha fått det", "took it without having been asked"),
}
"""Why a phone rings, and a policy's target words; `role:x`, `staff:x`, `unit:x` are named by the site."""

LEFT_OUT: Final[dict[str, Both]] = {
    "victim": ("larmets egen bärare", "carries the button"),
    "declined_or_in_room": ("har tackat nej eller är i rummet", "declined or is in the room"),
    "break": ("rast", "on a break"),
    "busy": ("upptagen", "busy"),
}

BECAUSE: Final[dict[str, Both]] = {
    "no_answer": ("ingen svarade", "nobody answered"),
    "nobody_rang": ("ingen telefon ringde", "no phone rang"),
    "nobody_reachable": ("ingen går att nå", "nobody can be reached"),
    "resolves_to_nobody": ("det finns ingen i steget", "the step has nobody"),
    "all_declined_or_unreachable": ("ingen kvar som kan", "nobody left who can"),
    "released": ("den som tog det lämnade tillbaka", "whoever took it gave it back"),
    "not_attended": ("ingen kom i tid", "nobody arrived in time"),
    "role_unfilled": ("en roll saknas", "a role is missing"),
    "acceptor_lost": (
        "den som tog det har tappat kontakten",
        "whoever took it has lost contact",
    ),
    "receiver_unreachable": ("mottagaren går inte att nå", "the receiver cannot be reached"),
    "receiver_silent": ("mottagaren svarar inte", "the receiver does not answer"),
    "acceptor_off_duty": ("den som tog det har gått av", "whoever took it went off duty"),
    "worse": ("det blev allvarligare", "it became worse"),
    "more_needed": ("fler behövs och ingen mer i steget kan", "more are needed and the step has nobody left"),
    "pressed_again": ("någon tryckte igen efter återställning", "pressed again after the reset"),
    "nobody_to_ask": ("ingen finns att fråga", "there is nobody to ask"),
    "roster_left_nobody": ("ingen i steget är kvar i tjänst", "nobody of the step is still on duty"),
    "presence_gone": ("ingen är kvar i rummet", "nobody is left in the room"),
}

ENDED_BY: Final[dict[str, Both]] = {
    "source": ("återställt på plats", "reset at the place"),
    "source_and_responder": (
        "återställt, och platsen är lugn",
        "reset, and the place is safe",
    ),
    "staff": ("personalen är klar", "staff are done"),
    "team_leader": ("teamledaren är klar", "the team leader is done"),
    "expired": ("tiden gick ut", "its time ran out"),
    "real_alarm": ("ett riktigt larm kom", "a real alarm came"),
}

PHONE_OWN: Final[dict[str, Both]] = {
    "silent": (
        "Din telefon har tappat kontakten med larmhubben.",
        "Your phone has lost contact with the alarm hub.",
    ),
    "battery_critical": (
        "Batteriet tar slut ({battery} %): ladda nu eller byt telefon.",
        "The battery runs out ({battery} %): charge it now or take another phone.",
    ),
    "no_permission": (
        "Aviseringar är avstängda: tillåt dem, annars ringer telefonen inte i fickan.",
        "Notifications are off: allow them, or the phone will not ring in your pocket.",
    ),
    "push_dead": (
        "Telefonen kan inte väckas i fickan: öppna larmappen och tillåt aviseringar igen.",
        "The phone cannot be woken in your pocket: open the alarm app and allow notifications again.",
    ),
    "muted": (
        "Telefonen är ljudlös: slå på ljudet, du är i tjänst.",
        "The phone is muted: turn the sound on, you are on duty.",
    ),
    "untouched": (
        "Två larm har ringt utan att någon rört telefonen: har du den på dig?",
        "Two alarms rang and nobody touched the phone: do you carry it?",
    ),
    "battery_low": (
        "Batteriet är på {battery} %: ladda telefonen.",
        "The battery is at {battery} %: charge the phone.",
    ),
}
"""What is wrong with a phone, to whoever carries it."""

DRILL_WHY: Final[dict[str, Both]] = {
    "no_receipt": ("telefonen svarade inte i tid", "the phone did not answer in time"),
    "no_contact": ("telefonen har ingen kontakt", "the phone has no contact"),
    "not_taken": ("leverantören tog inte emot", "the provider did not take it"),
    "no_phone": ("ingen telefon", "no phone"),
    "one_way": ("sökare kan inte svara", "a pager cannot answer"),
    "sounds": ("sms provas inte tyst", "a text is not tried in silence"),
}
"""Why a way to a phone failed in a drill, or cannot be drilled."""

PHONE: Final[dict[str, Both]] = {
    "silent": ("telefonen har ingen kontakt", "the phone has no contact"),
    "battery_critical": ("telefonens batteri tar slut ({battery} %)", "the battery runs out ({battery} %)"),
    "no_permission": ("telefonen får inte avisera", "the phone may not notify"),
    "push_dead": ("telefonen kan inte väckas", "the phone cannot be woken"),
    "muted": ("telefonen är ljudlös", "the phone is muted"),
    "untouched": ("ingen har rört telefonen på två larm", "nobody touched the phone for two alarms"),
    "battery_low": ("telefonens batteri är lågt ({battery} %)", "the battery is low ({battery} %)"),
}
"""The same to others, after the phone's name."""
