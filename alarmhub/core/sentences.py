"""The closed vocabulary of reasons, each as a sentence in Swedish and English, as data.

The texts are templates for `core.wording`: `{fact:type}` puts a fact in as a person would say it, `[...]` is
left out when a fact inside has nothing to say, `[...|...]` says the other instead. This module refuses logic.
"""

from __future__ import annotations

from typing import Final

from alarmhub.core.words import Both

REASONS: Final[dict[str, Both]] = {
    # beginning
    "raised": (
        "Larm från {source:source}: {kind:kind}[, {place:place}][, {unit:unit}], "
        "prioritet {priority:priority}.",
        "Alarm from {source:source}: {kind:kind}[, {place:place}][, {unit:unit}], "
        "priority {priority:priority}.",
    ),
    "place_unknown": (
        "Platsen[ {place:text}] är okänd; larmet går till[ {fallback_unit:unit}] i stället.",
        "The place[ {place:text}] is unknown; the alarm goes to[ {fallback_unit:unit}] instead.",
    ),
    "call_with_presence_is_assistance": (
        "Kallelse från rum med närvaro sedan {since:time}: assistans.",
        "Call from a room with presence since {since:time}: assistance.",
    ),
    "raised_to_floor": (
        "Källan sade prioritet {asked:priority}; lägst {floor:priority} gäller.",
        "The source said priority {asked:priority}; {floor:priority} is the least.",
    ),
    "covered_by": ("{by:unit} svarar för {unit:unit} nu.", "{by:unit} answers for {unit:unit} now."),
    "presence_stale": (
        "Närvaron är äldre än en halvtimme (sedan {since:time}): även assistansens telefoner ringer.",
        "The presence is older than half an hour (since {since:time}): assistance phones ring too.",
    ),
    "rings_again_after_reset": (
        "Ringer igen, {times:number}:a gången[; senast var {last_attended:staff} där].",
        "Rings again, time number {times:number}[; {last_attended:staff} was there last].",
    ),
    "many_in_an_hour": (
        "{times:number} kallelser på en timme: ledningsansvarig får veta det.",
        "{times:number} calls in an hour: the shift leader is told.",
    ),
    "untouched_phone": (
        "Telefonen hos {staff:staff} har ringt två gånger orörd: nästa steg ringer samtidigt.",
        "The phone of {staff:staff} has rung twice untouched: the next step rings at the same time.",
    ),
    # turns
    "paged_instead": (
        "Telefonen hos {staff:staff} är borta: personsökaren i stället.",
        "The phone of {staff:staff} is gone: the pager instead.",
    ),
    "pushed_instead": (
        "Telefonen hos {staff:staff} har ingen förbindelse: väcks med push.",
        "The phone of {staff:staff} has no connection: woken by push.",
    ),
    "turn_started": (
        "Ringer[ {told:told}].[ Inte: {left_out:left_out}.][ Går inte att nå: {unreachable:staff}.]"
        "[ Går vidare {next_step_at:time}.]",
        "Rings[ {told:told}].[ Not: {left_out:left_out}.][ Cannot be reached: {unreachable:staff}.]"
        "[ Passes on at {next_step_at:time}.]",
    ),
    "no_care_team": (
        "{place:place} har inget vårdlag: alla i tjänst på enheten ringer.",
        "{place:place} has no care team: everyone on duty in the unit rings.",
    ),
    "unit_unstaffed": (
        "Ingen är i tjänst på {unit:unit} och ingen svarar i stället: enhetens alla telefoner och sista "
        "utvägen ringer.",
        "Nobody is on duty in {unit:unit} and nobody covers it: all its phones and the last resort ring.",
    ),
    "step_passed": ("Går vidare: {because:because}.", "Passes on: {because:because}."),
    "step_passed_at_once": ("Går vidare genast: {because:because}.", "Passes on at once: {because:because}."),
    "role_has_nobody": (
        "Ingen i tjänst som {roles:role}[; {deputies:staff} ersätter].",
        "Nobody on duty as {roles:role}[; {deputies:staff} stands in].",
    ),
    "last_resort_rings": (
        "Sista utvägen ringer, gång {times:number}[: {targets:targets}]; igen om {every_s:seconds}.",
        "The last resort rings, time number {times:number}[: {targets:targets}]; again in {every_s:seconds}.",
    ),
    "nobody_reachable_at_all": (
        "Ingen enda telefon går att nå.",
        "Not a single phone can be reached.",
    ),
    "newest_policy_applies": (
        "Senast publicerade regler gäller: {policy:text}, version {policy_version:number}.",
        "The newest published rules apply: {policy:text}, version {policy_version:number}.",
    ),
    "rings_until_it_expires": (
        "Ringer tills tiden går ut[ {expire_at:time}].",
        "Rings until its time runs out[ at {expire_at:time}].",
    ),
    "rings_again": (
        "Ringer igen: {because:because}[ ({late:staff})].",
        "Rings again: {because:because}[ ({late:staff})].",
    ),
    "decision_failed": (
        "Fel i reglerna: larmet går till sista utvägen.",
        "A fault in the rules: the alarm goes to the last resort.",
    ),
    # repeats and worsening
    "joined": (
        "Samma händelse även från {source:source}[: {source_text:text}], ett larm med {first:source}.",
        "The same event also from {source:source}[: {source_text:text}], one alarm with {first:source}.",
    ),
    "priority_not_lowered": (
        "En väg säger nu prioritet {asked:priority}; {priority:priority} gäller, som den andra sade.",
        "One path now says priority {asked:priority}; {priority:priority} applies, as the other said.",
    ),
    "repeated": (
        "Samma larm kom igen, {count:number} gånger nu.",
        "The same alarm came again, {count:number} times now.",
    ),
    "updated": ("Källan lämnade nya uppgifter.", "The source gave new details."),
    "worse": (
        "Allvarligare: {kind:kind}, prioritet {priority:priority} (var {was:kind}, {was_priority:priority}).",
        "Worse: {kind:kind}, priority {priority:priority} (was {was:kind}, {was_priority:priority}).",
    ),
    "kind_not_lowered": (
        "Källan säger nu {asked:kind}; larmet förblir {kind:kind}.",
        "The source now says {asked:kind}; the alarm stays {kind:kind}.",
    ),
    "priority_fell": (
        "Källan sänkte prioriteten till {asked:priority}; {priority:priority} gäller.",
        "The source lowered the priority to {asked:priority}; {priority:priority} applies.",
    ),
    # the room and the source
    "presence_attends": (
        "Närvaro i rummet: någon är på plats.",
        "Presence in the room: somebody is there.",
    ),
    "presence_does_not_attend": (
        "Närvaro i rummet stoppar inte {kind:kind}.",
        "Presence in the room does not stop: {kind:kind}.",
    ),
    "presence_gone_without_reset": (
        "Närvaron upphörde utan återställning[: ringer igen {rings_at:time}].",
        "Presence ended without a reset[: rings again at {rings_at:time}].",
    ),
    "acknowledged_at_source": ("Besvarat vid källan.", "Answered at the source."),
    "acknowledged_at_source_noted": (
        "Besvarat vid källan; {kind:kind} ringer vidare.",
        "Answered at the source; it rings on: {kind:kind}.",
    ),
    "link_lost_since": (
        "Förbindelsen med anläggningen är bruten: inte bekräftat sedan dess, ringer vidare.",
        "The link to the plant is lost: not confirmed since, rings on.",
    ),
    "reset_unclear": (
        "En återställning passar flera larm eller ett allvarligare: inget stängdes.",
        "A reset fits several alarms or a more urgent one: none was closed.",
    ),
    "reset_needs_safe_word": (
        "Återställt; någon på plats måste också säga att det är lugnt.",
        "Reset; somebody there must also say that it is safe.",
    ),
    "safe_said": ("{staff:staff} säger att platsen är lugn.", "{staff:staff} says the place is safe."),
    "ended": (
        "Avslutat: {by:ended_by}[ ({staff:staff})].",
        "Ended: {by:ended_by}[ ({staff:staff})].",
    ),
    "returned_to_source": (
        "Ingen har tagit det sedan {since:time}: källan får veta det.",
        "Nobody has taken it since {since:time}: the source is told.",
    ),
    "responsibility_taken_back": (
        "Någon tar det nu: källan får veta det.",
        "Somebody takes it now: the source is told.",
    ),
    # phones
    "rang": ("Det ringde hos {staff:staff}.", "It rang at {staff:staff}."),
    "reach_checked": (
        "[Ringer hos {rang:staff}.|Ingen telefon kan säga att den ringt.][ Väntar till {waits_until:time}.]",
        "[It rings at {rang:staff}.|No phone can say that it rang.][ Waits until {waits_until:time}.]",
    ),
    "seen": ("{staff:staff} har sett det.", "{staff:staff} has seen it."),
    "texted": ("SMS till {staff:staff}.", "Text message to {staff:staff}."),
    "text_delivered": (
        "SMS:et har kommit fram till telefonen hos {staff:staff}.",
        "The text message has reached the phone of {staff:staff}.",
    ),
    "text_undelivered": (
        "SMS:et kom inte fram till {staff:staff}[: {cause:text}].",
        "The text message did not reach {staff:staff}[: {cause:text}].",
    ),
    # answers
    "accepted": (
        "{staff:staff} tar det[ som {role:role}].",
        "{staff:staff} takes it[ as {role:role}].",
    ),
    "accepted_already": ("{staff:staff} har redan tagit det.", "{staff:staff} had taken it already."),
    "already_taken": (
        "{staff:staff} ville ta det; {by:staff} har det redan.",
        "{staff:staff} wanted it; {by:staff} has it already.",
    ),
    "accept_noted_only": (
        "{staff:staff} svarade via {via:via} utan att vara på plats: noterat, det ringer vidare.",
        "{staff:staff} answered by {via:via} without being on site: noted, it rings on.",
    ),
    "others_released": (
        "Tystar {released:staff}: {taken_by:staff} tar det.",
        "Silences {released:staff}: {taken_by:staff} takes it.",
    ),
    "declined": ("{staff:staff} kan inte[: {reason:text}].", "{staff:staff} can't[: {reason:text}]."),
    "declined_unasked": (
        "{staff:staff} tackade nej till något som inte ringt där.",
        "{staff:staff} declined what had not rung there.",
    ),
    "acceptor_must_release": (
        "{staff:staff} har tagit det: Lämna tillbaka, inte Kan inte.",
        "{staff:staff} has taken it: Give back, not Can't.",
    ),
    "declined_while_alone": (
        "{staff:staff} är ensam på avdelningen: räknas som Kommer strax.",
        "{staff:staff} is alone on the ward: counts as Coming soon.",
    ),
    "held_by_who_is_alone": (
        "{staff:staff} kommer strax; samdrift ringer genast.",
        "{staff:staff} is coming soon; cover rings at once.",
    ),
    "hold_is_for_who_is_alone": (
        "Kommer strax är för den som är ensam på avdelningen, inte för {staff:staff}.",
        "Coming soon is for whoever is alone on the ward, not for {staff:staff}.",
    ),
    "released": (
        "{staff:staff} lämnade tillbaka[: {reason:text}].",
        "{staff:staff} gave it back[: {reason:text}].",
    ),
    "released_without_accept": (
        "{staff:staff} lämnade tillbaka det {staff:staff} inte hade.",
        "{staff:staff} gave back what {staff:staff} did not have.",
    ),
    "arrived": (
        "{staff:staff} är på plats ({arrived:number} av {needed:number}).",
        "{staff:staff} is there ({arrived:number} of {needed:number}).",
    ),
    "done_is_for_the_team_leader": (
        "Klar sägs av teamledaren[ ({leader:role})], inte av {staff:staff}.",
        "Done is said by the team leader[ ({leader:role})], not by {staff:staff}.",
    ),
    "ended_by_reset_only": (
        "Avslutas bara med återställning på plats: {kind:kind}.",
        "Ended only by the reset at the place: {kind:kind}.",
    ),
    "done_is_for_who_attends": (
        "Klar sägs av den som är på plats, inte av {staff:staff}.",
        "Done is said by who is there, not by {staff:staff}.",
    ),
    "safe_is_for_assault": (
        "Bara ett överfallslarm sägs lugnt.",
        "Only an assault alarm is said to be safe.",
    ),
    "safe_is_for_a_responder": (
        "Lugnt sägs av den som är på plats, inte av {staff:staff}.",
        "Safe is said by who is there, not by {staff:staff}.",
    ),
    "help_called": (
        "{staff:staff} ropar på hjälp till {place:place}.",
        "{staff:staff} calls for help at {place:place}.",
    ),
    "extended": ("{staff:staff} behöver {by_s:seconds} till.", "{staff:staff} needs {by_s:seconds} more."),
    "extend_is_for_who_comes": (
        "Mer tid ges den som har tagit det, inte {staff:staff}.",
        "More time is for who has taken it, not for {staff:staff}.",
    ),
    "extended_once_already": (
        "{staff:staff} har redan fått mer tid en gång.",
        "{staff:staff} was given more time once already.",
    ),
    "handed_over": (
        "{staff:staff} går av och lämnar över till {to:staff}.",
        "{staff:staff} goes off duty and hands it over to {to:staff}.",
    ),
    "accepted_from_colleague": (
        "{staff:staff} har tagit emot det.",
        "{staff:staff} has taken it on.",
    ),
    "handed_over_without_accept": (
        "{staff:staff} ville lämna över utan att ha tagit det.",
        "{staff:staff} wanted to hand over without having taken it.",
    ),
    "receiver_cannot_come": (
        "{staff:staff} är inte i tjänst där och kan inte ta emot.",
        "{staff:staff} is not on duty there and cannot take it on.",
    ),
    "receiver_unreachable": (
        "Mottagaren går inte att nå: det {staff:staff} hade ringer igen.",
        "The receiver cannot be reached: what {staff:staff} had rings again.",
    ),
    "receiver_silent": (
        "{staff:staff} fick det överlämnat och svarar inte: det ringer igen.",
        "{staff:staff} was handed it and does not answer: it rings again.",
    ),
    "taken_over": (
        "{staff:staff} tar över från {was:staff}.",
        "{staff:staff} takes over from {was:staff}.",
    ),
    "nobody_to_take_over_from": (
        "{staff:staff} ville ta över, men ingen har det.",
        "{staff:staff} wanted to take over, but nobody has it.",
    ),
    "answer_after_end": (
        "{staff:staff} svarade {answer:answer}, men larmet var avslutat.",
        "{staff:staff} answered {answer:answer}, but the alarm had ended.",
    ),
    "victim_cannot_answer": (
        "Bäraren av överfallslarmet kan inte svara på det.",
        "Whoever carries the assault button cannot answer it.",
    ),
    "answer_from_outside": (
        "{staff:staff} svarade {answer:answer}, men larmet gäller inte {staff:staff}.",
        "{staff:staff} answered {answer:answer}, but the alarm does not concern {staff:staff}.",
    ),
    "answer_for_another_turn": (
        "{staff:staff} svarade på en ringning som redan gått vidare.",
        "{staff:staff} answered a ringing that had moved on.",
    ),
    # arrival, duty and contact
    "reminded": (
        "Påminner[ {staff:staff}]: ingen är på plats än.",
        "Reminds[ {staff:staff}]: nobody is there yet.",
    ),
    "acceptor_lost": (
        "{staff:staff} har varit utan kontakt i en minut: larmet lämnas tillbaka.",
        "{staff:staff} has been without contact for a minute: the alarm is given back.",
    ),
    "acceptor_off_duty": (
        "{staff:staff} har gått av: larmet lämnas tillbaka.",
        "{staff:staff} went off duty: the alarm is given back.",
    ),
    "acceptor_contact": (
        "Kontakten med {staff:staff} [bruten {lost_at:time}|är tillbaka].",
        "Contact with {staff:staff} [lost at {lost_at:time}|is back].",
    ),
    "still_open": (
        "Fortfarande öppet[: {attended_by:staff} tillfrågas].",
        "Still open[: {attended_by:staff} is asked].",
    ),
    "roster_changed": (
        "Tjänstgöringen ändrades.[ Slipper: {let_go:staff}.][ Ringer nu: {joined:staff}.]",
        "Duty changed.[ Let go: {let_go:staff}.][ Rings now: {joined:staff}.]",
    ),
    "roster_left_nobody": (
        "Tjänstgöringen ändrades och lämnade ingen kvar: {kept:staff} behåller larmet.",
        "Duty changed and left nobody: {kept:staff} keeps the alarm.",
    ),
}
"""Why a decision was taken; the keys are all codes `say` and `refuse` may use."""
