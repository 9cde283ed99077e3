"""One connection to an MQTT broker: paho's client driven by the event loop, acknowledging only when told to.

The session is the broker's and outlives the connection (fixed client id, no clean start): what is not
acknowledged here is delivered again. A connection is used once; who wants another makes another. It refuses
to know what messages mean, and to reconnect by itself.

paho is driven as an "external loop": readiness comes from the event loop (plain asyncio and uvloop alike),
only resolving, connecting and the TLS handshake block and are done in a thread.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from alarmhub.inbound.mqtt_settings import MqttLink
from alarmhub.ports import DeliveryFailed
from protocols.mqtt_payloads import LONGEST_PAYLOAD_BYTES

MISC_EVERY_S: Final = 1.0
"""paho's keepalive is looked after so often."""
PUBLISHED_WITHIN_S: Final = 10.0
PACKET_SLACK_BYTES: Final = 4_096
"""Of a packet, beside its payload: topic and properties."""
MOST_UNSENT: Final = 10_000


class Asked(Struct, frozen=True):
    """A topic filter to subscribe to. `quiet`: not our own messages, and at most once."""

    wanted: str
    quiet: bool = False


class Incoming(Struct, frozen=True):
    """One message. `mid` is only a name within its connection."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    again: bool
    retained: bool


class Will(Struct, frozen=True):
    """What the broker says, retained, when this connection is lost without a word."""

    topic: str
    payload: bytes


class BrokerConnection:
    """Make it inside a running event loop, `open` it, `close` it. `lost` gets the cause when it is over."""

    def __init__(
        self, settings: MqttLink, *, take: Callable[[Incoming], None], will: Will | None = None
    ) -> None:
        """`take` gets each message, in order, and must neither block nor raise."""
        self._settings = settings
        self._take = take
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.resumed = False
        """Whether the broker had kept our session."""
        self._connected: asyncio.Future[str] = self._loop.create_future()
        self._granted: asyncio.Future[str] = self._loop.create_future()
        self._taken: dict[int, asyncio.Future[str]] = {}
        self._misc: asyncio.TimerHandle | None = None
        self._paused = False
        self._client = self._new_client(will)

    @property
    def is_open(self) -> bool:
        """Not lost yet."""
        return not self.lost.done()

    async def open(self, asked: Sequence[Asked]) -> None:
        """Connect and subscribe. Raises OSError, with the cause in plain words, when either fails in time;
        the connection is of no more use then."""
        try:
            await self._connect()
            cause = await self._within(self._connected, "no answer to CONNECT")
            if not cause:
                self._subscribe(asked)
                cause = await self._within(self._granted, "no answer to SUBSCRIBE")
            if cause:
                raise ConnectionRefusedError(cause)
        except BaseException as error:
            self._shut(str(error))
            raise

    def ack(self, mid: int) -> None:
        """PUBACK: the broker may forget this message. On a lost connection nothing happens."""
        if self.is_open:
            self._client.ack(mid, 1)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        """Publish at QoS 1; returns once the broker has it. Raises ports.DeliveryFailed when it has not."""
        if not self.is_open:
            raise DeliveryFailed("no connection to the broker")
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise DeliveryFailed(f"not sent: {info.rc.name}")
        taken = self._taken[info.mid] = self._loop.create_future()
        try:
            async with asyncio.timeout(PUBLISHED_WITHIN_S):
                await asyncio.wait({taken, self.lost}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            raise DeliveryFailed("the broker did not take it in time") from error
        finally:
            del self._taken[info.mid]
        if not taken.done():
            raise DeliveryFailed("the connection was lost")
        if taken.result():
            raise DeliveryFailed(taken.result())

    def pause(self) -> None:
        """Take no more messages: they are not acknowledged, and the broker keeps them."""
        self._paused = True

    def drop(self, cause: str) -> None:
        """End it without a word: what is not acknowledged comes again on the next."""
        self._shut(cause)

    async def close(self) -> None:
        """Say goodbye, so that the broker publishes no will; the session stays."""
        if self.is_open and self._client.socket() is not None:
            self._client.disconnect()
            while self._client.want_write() and self._client.socket() is not None:
                if self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    break
                await asyncio.sleep(0)
        self._shut("closed by the hub")

    # Opening.

    def _new_client(self, will: Will | None) -> paho.Client:
        settings, five = self._settings, self._settings.version == "5"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client(),
            clean_session=None if five else False,
            protocol=MQTTProtocolVersion.MQTTv5 if five else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = settings.connect_within_s
        client.max_queued_messages_set(MOST_UNSENT)
        if settings.username is not None:
            password = None if settings.password is None else settings.password.reveal()
            client.username_pw_set(settings.username, password)
        if will is not None:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        return client

    async def _connect(self) -> None:
        connecting = self._loop.run_in_executor(None, self._connect_blocking)
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # The thread cannot be stopped; what it opens is closed when it comes back.
            connecting.add_done_callback(self._abandoned)
            raise
        except (OSError, ValueError) as error:
            raise ConnectionError(str(error) or type(error).__name__) from error
        sock = self._client.socket()
        if sock is None:
            raise ConnectionError("the connection was lost at once")
        self._client.on_socket_close = self._on_socket_close
        self._client.on_socket_register_write = self._on_register_write
        self._client.on_socket_unregister_write = self._on_unregister_write
        self._loop.add_reader(sock.fileno(), self._readable)
        if self._client.want_write():
            self._loop.add_writer(sock.fileno(), self._client.loop_write)
        self._look_after()

    def _abandoned(self, connecting: asyncio.Future[None]) -> None:
        if not connecting.cancelled():
            connecting.exception()
        self._close_socket()

    def _connect_blocking(self) -> None:
        settings = self._settings
        host, port = settings.address()
        context = settings.tls_context()
        if context is not None:
            self._client.tls_set_context(context)
        more: dict[str, Any] = {}
        if settings.version == "5":
            asked = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it so
            asked.SessionExpiryInterval = settings.session_s
            asked.ReceiveMaximum = settings.in_flight
            asked.MaximumPacketSize = LONGEST_PAYLOAD_BYTES + PACKET_SLACK_BYTES
            more = {"clean_start": False, "properties": asked}
        self._client.connect(host, port, keepalive=settings.keepalive_s, **more)
        sock = self._client.socket()
        if isinstance(sock, socket.socket) and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _subscribe(self, asked: Sequence[Asked]) -> None:
        if self._settings.version == "5":
            topics: list[tuple[str, Any]] = [
                (a.wanted, SubscribeOptions(qos=0 if a.quiet else 1, noLocal=a.quiet)) for a in asked
            ]
        else:
            topics = [(a.wanted, 0 if a.quiet else 1) for a in asked]
        self._client.subscribe(topics)

    async def _within(self, answer: asyncio.Future[str], otherwise: str) -> str:
        await asyncio.wait(
            {answer, self.lost},
            timeout=self._settings.connect_within_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if answer.done():
            return answer.result()
        return self.lost.result() if self.lost.done() else otherwise

    # What paho tells, always in the event loop: it is only driven from there once connected.

    def _on_connect(
        self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, more: object
    ) -> None:
        self.resumed = bool(flags.session_present)
        if not self._connected.done():
            self._connected.set_result(str(reason) if reason.is_failure else "")

    def _on_subscribe(
        self, client: paho.Client, data: Any, mid: int, reasons: Sequence[ReasonCode], more: object
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if not self._granted.done():
            self._granted.set_result(f"subscription refused: {refused[0]}" if refused else "")

    def _on_publish(self, client: paho.Client, data: Any, mid: int, reason: ReasonCode, more: object) -> None:
        taken = self._taken.get(mid)
        if taken is not None and not taken.done():
            taken.set_result(f"refused by the broker: {reason}" if reason.is_failure else "")

    def _on_disconnect(
        self, client: paho.Client, data: Any, flags: Any, reason: ReasonCode, more: object
    ) -> None:
        self._end(str(reason))  # paho closes the socket itself, before this or after

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if self._paused:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""  # MQTT 5, 1.5.4: not UTF-8 is a fault of the sender's; nobody asked for such a topic
        self._take(
            Incoming(topic, bytes(message.payload), message.mid, message.qos, message.dup, message.retain)
        )

    # Driving paho.

    def _readable(self) -> None:
        sock: object = self._client.socket()
        self._client.loop_read()
        # TLS may have decrypted more than one packet; the event loop sees only the bare socket.
        while isinstance(sock, ssl.SSLSocket) and self.is_open and sock.pending():
            self._client.loop_read()

    def _look_after(self) -> None:
        if self.is_open:
            self._client.loop_misc()
            self._misc = self._loop.call_later(MISC_EVERY_S, self._look_after)

    def _on_socket_close(self, client: paho.Client, data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())

    def _on_register_write(self, client: paho.Client, data: Any, sock: Any) -> None:
        self._loop.add_writer(sock.fileno(), client.loop_write)

    def _on_unregister_write(self, client: paho.Client, data: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock.fileno())

    def _shut(self, cause: str) -> None:
        self._end(cause)
        self._close_socket()

    def _end(self, cause: str) -> None:
        if self._misc is not None:
            self._misc.cancel()
            self._misc = None
        if not self.lost.done():
            self.lost.set_result(cause)

    def _close_socket(self) -> None:
        sock = self._client.socket()
        if sock is not None:
            self._on_socket_close(self._client, None, sock)
            sock.close()
