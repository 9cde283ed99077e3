"""Text messages to people whom no socket reaches: who gets one, how often, what it says, what replies get.

Whoever is to ring, has a number and has no open socket is texted. A message carries a code and how urgent it
is, never a name, a place or what happened. It cannot say that it rang: delivered by the network is a fact of
its own, and a reply from afar silences nobody where hands are needed (`core.answering`). This module refuses
to choose whom an alarm rings, to give codes (they are drawn when the effect is stored) and to send.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from alarmhub.core.alarm import Alarm, Texted, Told, concerned, told_of
from alarmhub.core.draft import Draft, change, say
from alarmhub.core.effects import Says, Sms
from alarmhub.core.events import Answer, Answered, TextReported
from alarmhub.core.kinds import Kind
from alarmhub.core.reach import Reach
from alarmhub.core.words import DRILL_MARK, PRIORITIES, TEXTS, Both

BY_TEXT: Final = "sms"
"""`Answered.via` of a reply."""
AGAIN_AFTER_MS: Final = 60_000
"""The same alarm rings on, a step or a last resort later: so long after a message the next one goes out. It
lies on the phone and says the same; a last resort rings every 15 s."""
WITHOUT_SOCKET: Final = frozenset({Reach.ONE_WAY, Reach.PUSHABLE})


def text(draft: Draft, staff: str) -> None:
    """Text this person of the alarm, if she has a number and does not know all of it already."""
    alarm, number = draft.alarm, _number(draft, staff)
    told = told_of(alarm, staff)
    if told is None or number is None or (alarm.drill and not alarm.heard):
        return  # a silent trial sounds on no phone, and a text message can only sound
    if told.texted is not None and _is_enough(told.texted, number, alarm, draft.now):
        return
    # Its instant is its name, also where the one before has failed at once.
    at = draft.now if told.texted is None else max(draft.now, told.texted.at + 1)
    texted = Texted(number, at, str(alarm.priority))
    change(
        draft,
        told=tuple(
            replace(t, texted=texted, declined_by_text=False) if t.staff == staff else t for t in alarm.told
        ),
    )
    say(draft, "texted", staff=staff)
    _send(draft, alarm, staff, number, Says.RINGS, at=at)


def _is_enough(sent: Texted, number: str, alarm: Alarm, now: int) -> bool:
    lately = not sent.failed and now < sent.at + AGAIN_AFTER_MS
    return lately and sent.number == number and sent.priority == alarm.priority


def text_reported(draft: Draft, event: TextReported) -> bool:
    """The network says what became of a message. True where that takes a hope away; what is said of another
    than the last message, or again, is no news."""
    told = told_of(draft.alarm, event.staff)
    sent = None if told is None else told.texted
    if sent is None or sent.at != event.text_at or sent.failed or sent.delivered_at is not None:
        return False
    if event.delivered:
        after = replace(sent, delivered_at=draft.now)
        say(draft, "text_delivered", staff=event.staff)
    else:
        after = replace(sent, failed=True)
        say(draft, "text_undelivered", staff=event.staff, cause=event.cause)
    change(
        draft,
        told=tuple(replace(t, texted=after) if t.staff == event.staff else t for t in draft.alarm.told),
    )
    return not event.delivered


def take_back_texts(before: Alarm, draft: Draft) -> None:
    """Whoever was texted and is not concerned any more, unless that was her own answer, or she has turned out
    to be the victim of an assault: her phone stays dark."""
    if all(told.texted is None for told in before.told):
        return
    alarm = draft.alarm
    was, still = concerned(before), concerned(alarm)
    for told in before.told:
        if told.texted is None or told.staff not in was or told.staff in still:
            continue
        now = told_of(alarm, told.staff)
        if alarm.open and now is not None and now.answer:
            continue
        if alarm.kind is Kind.ASSAULT and told.staff == alarm.person:
            continue
        says = Says.PASSED_ON if alarm.open else Says.OVER
        _send(draft, before, told.staff, told.texted.number, says)


def confirm_by_text(draft: Draft, event: Answered) -> None:
    """Say what a reply did where it is not what it seems: taken, only noted, or held instead of declined."""
    number = _number(draft, event.staff)
    told = told_of(draft.alarm, event.staff)
    if number is None:
        return
    if draft.verdict.error == "noted":
        _send(draft, draft.alarm, event.staff, number, Says.NOTED)
    elif told is not None and told.answer == "holding" and event.answer is Answer.DECLINE:
        _send(draft, draft.alarm, event.staff, number, Says.HOLDING)
    elif told is not None and told.answer == "accepted" and event.answer is Answer.ACCEPT:
        _send(draft, draft.alarm, event.staff, number, Says.TAKEN)


def replied_no(alarm: Alarm, staff: str) -> tuple[Told, ...]:
    """Everybody told, with this person having declined by text."""
    return tuple(replace(t, declined_by_text=True) if t.staff == staff else t for t in alarm.told)


def worded(sms: Sms, language: str) -> str:
    """The message. `language`: "sv", else English."""
    priority = _in(PRIORITIES.get(sms.priority, PRIORITIES["low"]), language)
    said = _in(TEXTS[sms.says], language).format(priority=priority, code=sms.code)
    return f"{_in(DRILL_MARK, language)} {said}" if sms.drill else said


def _number(draft: Draft, staff: str) -> str | None:
    """Where text messages of this person go; None while there is no link for them."""
    person = draft.world.site.staff.get(staff)
    return None if person is None or not draft.world.texts else person.sms


def _send(draft: Draft, alarm: Alarm, staff: str, number: str, says: Says, *, at: int | None = None) -> None:
    at = draft.now if at is None else at
    draft.effects.append(
        Sms(staff, number, alarm.id, says, at, priority=str(alarm.priority), drill=alarm.drill)
    )


def _in(texts: Both, language: str) -> str:
    return texts[0] if language == "sv" else texts[1]
