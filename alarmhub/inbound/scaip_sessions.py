"""What the messages of social alarm units mean to the hub: which begin an alarm, repeat it, or end it.

A session is a controller and a reference. Its first message rings, a repetition within the time a unit asks
in is only answered, anything new is an update, a reset is its end. Lasting conditions (mains, contact,
faults) end under another reference and are found by what they are about. Answers are made after the commit.

It refuses to answer 0 for mere storing, and to end an alarm by a guess: "cancelled" without a reference is
told to those who go, and ends nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from alarmhub.core.alarm import Flag
from alarmhub.core.effects import Report
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.inbound.feed import Feed, Stored
from alarmhub.inbound.mapping import Words
from alarmhub.inbound.presses import Answer
from alarmhub.inbound.scaip_calls import Call, Calls, State, Way
from alarmhub.inbound.scaip_replies import way_from, way_of
from alarmhub.inbound.scaip_settings import ScaipLink
from alarmhub.inbound.scaip_words import condition_key, session, words_of
from alarmhub.ports import SignalOutcome
from protocols import scaip_codes as codes
from protocols.scaip import INFORMATION, MESSAGE, PING, RESET, Fault, Mrq, Mrs, Snu

NUMBER_IN_TNU: Final = 62
"""cre: the number to call back is in tnu."""


class NotNow(Struct, frozen=True):
    """Not stored, and to be refused in the transport's words."""

    retry_after_s: int


Reply = Mrs | NotNow


class Sessions:
    """The sessions of one link. `heard`: told of every controller that said something we could read."""

    def __init__(self, settings: ScaipLink, feed: Feed, heard: Callable[[Mrq], None]) -> None:
        self._settings, self._feed, self._heard = settings, feed, heard
        self._calls = Calls()

    def call_of(self, request: Mrq) -> Call | None:
        """The session this request belongs to, None for heartbeats and the unknown."""
        return None if request.mty == PING else self._calls.get(session(request))

    async def said(self, said: Mrq | Fault, way: Way, peer: str) -> Reply:
        """What to answer to one body, after whatever it means is stored. `peer`: for people."""
        if isinstance(said, Fault):
            return await self._faulty(said, way, peer)
        self._heard(said)
        if said.mty == PING:
            return self._ping(said, way)
        if said.mty == RESET:
            return await self._reset(said, way)
        if said.mty == INFORMATION:
            return await self._information(said, way)
        return await self._alarm(said, way)

    async def _faulty(self, fault: Fault, way: Way, peer: str) -> Reply:
        self._feed.refused("invalid", fault.cause, peer=peer)
        part = fault.read
        if part is not None:
            self._heard(part)
        if part is not None and part.mty == MESSAGE and self._settings.faulty == "ring":
            reply = await self._alarm(part, way)
            if isinstance(reply, NotNow) or reply.snu == Snu.BUSY:
                return reply
        return Mrs(fault.ref, fault.snu, root=way.root)

    def _ping(self, request: Mrq, way: Way) -> Mrs:
        if not self._feed.hub.storing:
            # A heartbeat asks whether an alarm would get through, and now it would not.
            return Mrs(request.ref, Snu.BUSY, root=way.root)
        hbi = self._settings.heartbeat_min if request.heartbeat_adjustable else None
        return Mrs(request.ref, Snu.DONE, hbi=hbi, root=way.root)

    async def _alarm(self, request: Mrq, way: Way) -> Reply:
        name, now = session(request), self._feed.now()
        call = self._calls.get(name)
        over = _over(call, request)
        if over is not None:
            return await self._restored(call, request, way, over)
        if request.stc in (codes.PRESENT, codes.ABSENT):
            return await self._told(request, way, words_of(request, self._settings, self._language))
        if call is None and request.stc in codes.CANCELS and (other := self._calls.open_of(request)):
            return await self._update(other, request, way)
        if call is None or (call.stored and self._anew(call, request, now)):
            call = self._calls.keep(name, Call("", request, way, now))
        async with call.lock:
            call.way = way
            if call.repeats(request, now, self._repeat_ms):
                call.heard_at = now
                call.add(request)
                return self.standing(call, request, way)
            if call.stored:
                return await self._update_locked(call, request, way)
            call.add(request)
            return await self._begin(call, way)

    def _anew(self, call: Call, request: Mrq, now: int) -> bool:
        """Whether a known session's name is used for a new one: a press long after it, or after its end."""
        return not call.repeats(request, now, self._repeat_ms) and (request in call.parts or call.ended)

    async def _begin(self, call: Call, way: Way) -> Reply:
        words = words_of(call.known, self._settings, self._language, origin=way_of(way))
        call.key = words.key
        stored = await self._feed.store(*self._feed.map(words))
        if stored.answer is not Answer.STORED:
            return self._unstored(call.known, stored, way)
        alarms = 0
        for outcome in stored.outcomes:
            if outcome is not None:
                self._learn(call, outcome)
            alarms += outcome is not None and outcome.alarm is not None
        if not alarms:
            call.reset()  # the site's rules made it something nobody accepts
        return self.standing(call, call.known, way)

    async def _update(self, call: Call, request: Mrq, way: Way) -> Reply:
        async with call.lock:
            return await self._update_locked(call, request, way)

    async def _update_locked(self, call: Call, request: Mrq, way: Way) -> Reply:
        """New facts of an open alarm: a further message, information, or the word that it is cancelled."""
        before, parts = call.known, call.parts
        call.add(request)
        words = words_of(call.known, self._settings, self._language, origin=way_of(way))
        words = replace(words, event=SignalEvent.UPDATE, key=call.key, present=None)
        stored = await self._feed.store(*self._feed.map(words))
        if stored.answer is not Answer.STORED:
            call.known, call.parts = before, parts
            return self._unstored(request, stored, way)
        call.heard_at = self._feed.now()
        for outcome in stored.outcomes:
            if outcome is not None:
                self._learn(call, outcome)
        return self.standing(call, request, way)

    async def _information(self, request: Mrq, way: Way) -> Reply:
        call = self._calls.get(session(request))
        over = _over(call, request)
        if over is not None:
            return await self._restored(call, request, way, over)
        if call is None:
            # Of before a restart, or never heard of: the engine finds the open alarm, or it rings.
            call = self._calls.keep(session(request), Call(session(request), request, way, self._feed.now()))
        elif call.ended and (not request.stc or request.stc in codes.CANCELS):
            return Mrs(request.ref, Snu.DONE, root=way.root)
        if request in call.parts and call.stored:
            return self.standing(call, request, way)
        return await self._update(call, request, way)

    async def _reset(self, request: Mrq, way: Way) -> Reply:
        """The unit gives up: its alarm ends, whatever a mapping rule would make of the words."""
        call = self._calls.get(session(request))
        words = words_of(request, self._settings, self._language)
        if call is None:
            return await self._told(request, way, words)
        async with call.lock:
            reply = await self._told(request, way, replace(words, key=call.key or words.key))
            if isinstance(reply, Mrs) and reply.snu == Snu.DONE:
                call.reset()
            return reply

    async def _restored(
        self, call: Call | None, request: Mrq, way: Way, conditions: tuple[codes.Condition, ...]
    ) -> Reply:
        """A lasting condition is over; its alarm is found by what it was about, whatever its reference."""
        words = words_of(request, self._settings, self._language)
        ends = [
            replace(words, event=SignalEvent.END, key=condition_key(request, condition))
            for condition in conditions
        ]
        reply = await self._told(request, way, *ends)
        if call is not None and isinstance(reply, Mrs) and reply.snu == Snu.DONE:
            call.reset()
        return reply

    async def _told(self, request: Mrq, way: Way, *words: Words) -> Reply:
        """Store what nobody has to accept; 0 then."""
        signals = [
            signal
            for said in words
            for signal in (self._ends(said) if said.event is SignalEvent.END else self._feed.map(said))
        ]
        stored = await self._feed.store(*signals)
        if stored.answer is not Answer.STORED:
            return self._unstored(request, stored, way)
        return Mrs(request.ref, Snu.DONE, root=way.root)

    def _learn(self, call: Call, outcome: SignalOutcome) -> None:
        alarm = None if outcome.alarm is None else self._feed.hub.open_alarm(outcome.alarm)
        returned = alarm is not None and Flag.RETURNED in alarm.flags
        call.learn(outcome.phase, new=outcome.new, returned=returned)

    def _ends(self, words: Words) -> Iterator[Signal]:
        """The end of all that is open by this key, and of nothing else.

        A reset need not repeat where the alarm was: it has no place, so that no rule can make it one of
        elsewhere. A session that went on in another room has an alarm there too (`core.addressing`)."""
        elsewhere = f"{words.key}|"
        keys = [
            alarm.key
            for alarm in self._feed.hub.open_alarms()
            if alarm.source == self._feed.source and alarm.key.startswith(elsewhere)
        ]
        signal = self._feed.map(words)[0]
        for key in (words.key, *keys):
            yield replace(signal, event=SignalEvent.END, key=key, place="")

    def standing(self, call: Call, request: Mrq, way: Way) -> Mrs:
        """What a unit is to hear of its alarm now."""
        if call.state is not State.ACCEPTED or not self._settings.voice:
            return Mrs(request.ref, call.snu, root=way.root)
        number = self._settings.voice_to
        cre = None if number is None else NUMBER_IN_TNU
        return Mrs(request.ref, call.snu, mre=self._settings.voice, cre=cre, tnu=number, root=way.root)

    def _unstored(self, request: Mrq, stored: Stored, way: Way) -> Reply:
        if stored.answer is Answer.INVALID:
            return Mrs(request.ref, Snu.NOT_TREATED, root=way.root)
        if self._settings.not_stored == "503":
            return NotNow(stored.retry_after_s)
        return Mrs(request.ref, Snu.BUSY, root=way.root)

    @property
    def _language(self) -> str:
        return self._feed.site().language

    @property
    def _repeat_ms(self) -> int:
        return round(self._settings.repeat_s * 1000)

    def reported(self, report: Report) -> Call | None:
        """Take in what became of an alarm; the session when its unit has something new to hear."""
        call = self._calls.get(report.ref) or self._from_before(report)
        if call is None or not call.reported(report.status) or call.snu is Snu.HOLD:
            return None
        return call

    def _from_before(self, report: Report) -> Call | None:
        """The session of an alarm that was raised before a restart."""
        cid, slash, ref = report.ref.partition("/")
        way = way_from(report.origin)
        if way is None or not slash:
            return None
        call = Call(report.key, Mrq(ref=ref, cid=cid, root="mrq"), way, self._feed.now())
        call.parts, call.stored = [], True
        return self._calls.keep(report.ref, call)


def _over(call: Call | None, request: Mrq) -> tuple[codes.Condition, ...] | None:
    """The lasting conditions this status ends; None when it ends none, or is said in the open session of
    something else ("normal" of a pendant whose alarm rings is news of that alarm)."""
    ends = codes.ENDS.get(request.stc)
    if ends is None or call is None or call.ended or not call.stored:
        return ends
    return ends if any(call.key == condition_key(request, condition) for condition in ends) else None
