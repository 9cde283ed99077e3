"""MQTT in: buttons behind a broker, for one source. Each message is acknowledged (PUBACK) after its commit.

The session is kept by the broker: what comes while this hub is away, and what could not be stored, is
delivered again. Messages of one device (or of one ref) are stored one after the other, others beside them.
What is not stored yet is tried again here and stays unacknowledged; what never will be readable is refused,
counted, and acknowledged, it will not get better. A retained message is a memory and no press.

It refuses to speak MQTT (`inbound.mqtt_broker`), to read payloads (`protocols.mqtt_payloads`) and to decide
what rings.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Final, TypeVar

from msgspec.structs import replace

from alarmhub.core.effects import Report
from alarmhub.core.events import Signal, SignalEvent
from alarmhub.core.kinds import Kind, Priority
from alarmhub.inbound.feed import Feed
from alarmhub.inbound.mapping import Words, clean
from alarmhub.inbound.mqtt_broker import Asked, BrokerConnection, Incoming, Will
from alarmhub.inbound.mqtt_deliveries import Deliveries, Delivery
from alarmhub.inbound.mqtt_notices import DeviceNotices
from alarmhub.inbound.mqtt_settings import MOST_DEVICES, MqttLink
from alarmhub.inbound.mqtt_state import OFFLINE, ONLINE, StateBoard
from alarmhub.inbound.presses import Answer, Presses, begins
from alarmhub.ports import DeliveryFailed
from alarmhub.tasks import end, spawn
from protocols.mqtt_payloads import Decoder
from protocols.mqtt_says import BridgeSaid, Ignored, Pressed, Said, Seen, SignalSaid, Unreadable

FIRST_RECONNECT_S: Final = 0.5
LOOK_EVERY_S: Final = 1.0
"""States are compared, and devices looked after, so often; what the source must know is sent at once."""
DRAIN_WITHIN_S: Final = 3.0
GOODBYE_WITHIN_S: Final = 1.0
STABLE_S: Final = 30.0
"""A connection that held so long is no failed one: the next attempt follows soon."""
MOST_IN_HAND: Final = 5_000
"""Messages in hand; past it one without a promise is dropped, and of one with a promise the connection."""
AGAIN_AFTER_S: Final = 2.0

Job = Callable[[], Awaitable[Answer]]
_W = TypeVar("_W", bound=StrEnum)


class MqttAdapter:
    """One link. Make it inside a running event loop, `start` it, `close` it."""

    def __init__(self, settings: MqttLink, feed: Feed) -> None:
        self._settings, self._feed = settings, feed
        self._routes = settings.routes()
        self._decoder = Decoder(self._routes, settings.idle)
        self._deliveries = Deliveries(lambda: feed.answered("PUBACK"))
        self._lanes: dict[str, deque[tuple[Delivery, Job]]] = {}
        self._presses = Presses(round(settings.repeat_window_s * 1000))
        self._counts: dict[str, tuple[str, int]] = {}
        self._devices = DeviceNotices(settings, feed)
        self._states = StateBoard(settings)
        self._showing = asyncio.Lock()
        self._connection: BrokerConnection | None = None
        self._greeted: BrokerConnection | None = None
        """On which it was said that this hub is there."""
        self._greetings = 0
        """Connections so far."""
        self._running: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._habits: set[str] = set()

    @property
    def port(self) -> int:
        """0: it does not listen."""
        return 0

    async def start(self) -> None:
        """Begin to connect; a broker that is not there is tried again and again."""
        self._feed.supervise(down_s=self._settings.link_down_s, up_s=self._settings.link_up_s, polls=False)
        self._devices.begin()
        source = self._settings.source
        self._running = spawn(self._run(), f"mqtt {source}", self._feed.crew, ends=True)
        self._looking = spawn(self._look(), f"mqtt states {source}", self._feed.crew, ends=True)

    async def close(self) -> None:
        """Take no more, store what was read, say goodbye."""
        self._closing.set()
        connection = self._connection
        if connection is not None:
            connection.pause()
        try:
            async with asyncio.timeout(DRAIN_WITHIN_S):
                await self._idle.wait()
        except TimeoutError:
            pass  # not acknowledged, so the broker keeps it for the next hub
        await end(self._looking)
        if connection is not None:
            await self._say_goodbye(connection)
            if self._running is not None:
                await asyncio.wait([self._running], timeout=GOODBYE_WITHIN_S)
        await end(self._running)

    async def report(self, report: Report, alarm: str) -> None:
        """Show the state of the source's alarms (`inbound.feed.Adapter`); nothing to say without states."""
        if self._settings.state_prefix:
            await self._show()

    # The connection.

    async def _run(self) -> None:
        wait_s = FIRST_RECONNECT_S
        while not self._closing.is_set():
            began = self._feed.now()
            try:
                await self._connected_once()
            except OSError as error:
                self._feed.disconnected(self._settings.broker, str(error))
            if self._feed.now() - began >= STABLE_S * 1000:
                wait_s = FIRST_RECONNECT_S
            await self._pause(wait_s)
            wait_s = min(wait_s * 2, self._settings.reconnect_s)

    async def _connected_once(self) -> None:
        """One connection, from its beginning to its end. Raises OSError when there was none."""
        settings, states = self._settings, self._states
        will = Will(states.hub_topic, OFFLINE) if settings.state_prefix else None
        connection: BrokerConnection

        def take(incoming: Incoming) -> None:
            self._take(incoming, connection)

        connection = BrokerConnection(settings, take=take, will=will)
        states.forget()
        asked = [Asked(wanted) for _, wanted in self._routes.filters()]
        if settings.state_prefix:
            asked.append(Asked(states.filter, quiet=True))
        try:
            await connection.open(asked)
        except BaseException:
            self._deliveries.lost()
            raise
        self._connection = connection
        if not connection.resumed:
            self._deliveries.forget_lost()
            if self._greetings:
                self._habit("the broker did not keep the session: what came meanwhile is lost")
        self._greetings += 1
        self._feed.connected(settings.broker)
        try:
            cause = await asyncio.shield(connection.lost)
        finally:
            self._connection = None
            self._deliveries.lost()
        self._feed.disconnected(settings.broker, cause)

    async def _say_goodbye(self, connection: BrokerConnection) -> None:
        if self._settings.state_prefix:
            try:
                async with asyncio.timeout(GOODBYE_WITHIN_S):
                    await connection.publish(self._states.hub_topic, OFFLINE)
            except (DeliveryFailed, TimeoutError):
                pass
        await connection.close()

    async def _pause(self, wait_s: float) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._closing.wait()
        except TimeoutError:
            pass

    # Messages.

    def _take(self, incoming: Incoming, connection: BrokerConnection) -> None:
        """One message came; called in order, and does not wait."""
        if self._states.covers(incoming.topic):
            if incoming.retained:
                self._states.remembered(incoming.topic, incoming.payload)
            return
        self._feed.life()
        if self._deliveries.open >= MOST_IN_HAND:
            self._too_many(incoming, connection)
            return
        delivery = self._deliveries.arrived(incoming, connection)
        if delivery is None:
            return
        if not incoming.qos and not incoming.retained:
            self._habit("QoS 0: what it sends while the hub is away is lost")
        says = self._decoder.decode(incoming.topic, incoming.payload, incoming.retained)
        jobs = [todo for said in says if (todo := self._act(said, incoming)) is not None]
        if not jobs:
            self._deliveries.done(delivery)
            return
        lane = jobs[0][0]
        self._enqueue(lane, delivery, _one_by_one([job for _, job in jobs]))

    def _too_many(self, incoming: Incoming, connection: BrokerConnection) -> None:
        self._feed.refused("too_many", "more messages than can be held", fault=False)
        if incoming.qos:
            connection.drop("more messages than can be held")

    def _act(self, said: Said, incoming: Incoming) -> tuple[str, Job] | None:
        """Act on what needs no commit; what does is a job, with the lane it belongs to."""
        match said:
            case Seen():
                self._devices.seen(said)
            case BridgeSaid():
                self._devices.bridge(said)
            case Ignored():
                self._habit(f"ignored: {said.why}")
            case Unreadable():
                self._feed.refused("bad_payload", f"{incoming.topic[:80]}: {said.why}")
            case SignalSaid():
                return f"ref {said.ref or said.place}", lambda: self._signal(said)
            case Pressed():
                return f"device {said.device}", lambda: self._press(said)
        return None

    def _habit(self, habit: str) -> None:
        if habit not in self._habits:
            self._habits.add(habit)
            self._feed.habit(habit)

    # Storing: one lane a device, so that its messages keep their order.

    def _enqueue(self, lane: str, delivery: Delivery, job: Job) -> None:
        waiting = self._lanes.get(lane)
        if waiting is not None:
            waiting.append((delivery, job))
            return
        self._lanes[lane] = deque([(delivery, job)])
        self._idle.clear()
        self._feed.later(self._drive(lane), f"mqtt {lane}")

    async def _drive(self, lane: str) -> None:
        waiting = self._lanes[lane]
        try:
            while waiting:
                delivery, job = waiting.popleft()
                while await job() is Answer.BUSY:
                    self._deliveries.hold(delivery)
                    self._feed.answered("no PUBACK")
                    if self._closing.is_set():
                        return  # not acknowledged: the broker keeps it for the next hub
                    await self._pause(AGAIN_AFTER_S)
                self._deliveries.done(delivery)
        finally:
            del self._lanes[lane]
            if not self._lanes:
                self._idle.set()

    async def _signal(self, said: SignalSaid) -> Answer:
        try:
            signal = signal_of(said, self._settings.source)
        except ValueError as error:
            self._feed.refused("bad_payload", str(error))
            return Answer.INVALID
        return (await self._feed.store(signal)).answer

    async def _press(self, press: Pressed) -> Answer:
        if press.count is not None and self._counts.get(press.device) == (press.text, press.count):
            return Answer.STORED  # the device says its last press again
        if press.same:
            answer = await self._presses.answer(press.same, self._feed.now(), lambda: self._store(press))
        else:
            answer, _ = await self._store(press)
        if answer is Answer.STORED and press.count is not None and len(self._counts) < MOST_DEVICES:
            self._counts[press.device] = (press.text, press.count)
        return answer

    async def _store(self, press: Pressed) -> tuple[Answer, bool]:
        """A button says that it was pressed and never that it is over: `once`, unless a rule knows better."""
        words = Words(
            press.device,
            press.text,
            event=SignalEvent.ONCE,
            id=press.id or None,
            occurred_at=press.occurred_at,
        )
        signals = self._feed.map(words)
        if press.id and len(signals) > 1:
            signals = tuple(replace(signal, id=f"{press.id[:60]}/{n}") for n, signal in enumerate(signals))
        return (await self._feed.store(*signals)).answer, begins(signals[0])

    # States.

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._devices.check()
            if self._settings.state_prefix and self._connection is not None:
                try:
                    await self._show()
                except DeliveryFailed:
                    pass  # said again in a second, or with the next connection

    async def _show(self) -> None:
        """Publish what has changed. Raises DeliveryFailed when the broker did not take all of it."""
        async with self._showing:
            connection, states = self._connection, self._states
            if connection is None:
                raise DeliveryFailed("no connection to the broker")
            if connection is not self._greeted:
                await connection.publish(states.hub_topic, ONLINE)
                self._greeted = connection
            for topic, payload in states.changes(self._feed.hub.open_alarms()):
                await connection.publish(topic, payload)
                if connection is self._connection:
                    states.published(topic, payload)


def _one_by_one(jobs: Sequence[Job]) -> Job:
    """One message may hold several presses: it is done with when all are."""
    left = deque(jobs)

    async def together() -> Answer:
        answer = Answer.STORED
        while left:
            answer = await left[0]()
            if answer is Answer.BUSY:
                return answer
            left.popleft()
        return answer

    return together


def signal_of(said: SignalSaid, source: str) -> Signal:
    """Our own JSON in the words of the core, as over HTTP. Raises ValueError naming the field."""
    return Signal(
        source=source,
        event=SignalEvent(said.event),
        key=said.ref,
        ref=said.ref,
        place=said.place,
        kind=None if said.kind is None else _among(Kind, "kind", said.kind),
        type=said.type,
        priority=None if said.priority is None else _among(Priority, "priority", said.priority),
        text=clean(said.text),
        present=said.present,
        callback=said.callback,
        person=said.person,
        id=said.id,
        occurred_at=said.occurred_at,
        heard=said.heard,
    )


def _among(words: type[_W], field: str, word: str) -> _W:
    try:
        return words(word)
    except ValueError:
        raise ValueError(f"{field}: expected one of {', '.join(words)}") from None
