"""A simulated alert reporter of IHE ACM: sends PCD-04 alerts over MLLP, takes and acknowledges PCD-05.

`pcd04` writes one message; `Monitor` is one connection that waits for each acknowledgement and keeps every
status it was told. It sounds nothing, repeats nothing by itself, and shares no code with the hub but the
codecs of `protocols`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from msgspec import Struct

from protocols.hl7 import Message, composed, escaped, read, segment, utc_text, written
from protocols.hl7_ack import AckRead, Party, ack, answer_code, read_ack, verdict_of
from protocols.mllp import Framing, MessageReceived
from protocols.pcd05 import StatusRead, read_status

ACK_WITHIN_S: Final = 10.0
PROFILE: Final = "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.4.1^ISO"
GATEWAY: Final = "SIM_GW^00A0B1FFFEC2D3E4^EUI-64"
ADULT_BED: Final = "201^12^2"


class Alert(Struct, frozen=True):
    """One alert as the reporter knows it; the profile's words. `place`: PV1-3; `text` goes with `event`."""

    id: str
    place: str = ADULT_BED
    phase: str = "start"
    text: str = "Patient call"
    event: tuple[str, str] = ("0", "MDCX_EVT_NURSE_CALL")
    priority: str = "PM"
    type: str = "SA"
    state: str = "active"
    inactivation: str = "enabled"
    annotation: str = ""
    value: str = ""
    unit: str = "262688^MDC_DIM_PERCENT^MDC"


def pcd04(
    alert: Alert, control_id: str, at: int, *, sender: str = GATEWAY, commit: str = "AL", asks: str = "AL"
) -> bytes:
    """One PCD-04, all seven facets. `commit`, `asks`: MSH-15 and MSH-16. `at`: epoch ms."""
    namespace = sender.split("^")
    own = composed(alert.id if alert.phase == "start" else f"{alert.id}.{control_id}", *namespace)
    parent = composed(alert.id, *namespace, mark="&")
    lines = [
        segment(
            "MSH",
            {
                3: sender,
                5: "ALARM_HUB^0012AAFFFE001122^EUI-64",
                7: utc_text(at),
                9: "ORU^R40^ORU_R40",
                10: control_id,
                11: "P",
                12: "2.6",
                15: commit,
                16: asks,
                18: "UNICODE UTF-8",
                21: PROFILE,
            },
        ),
        segment("PV1", {2: "I", 3: alert.place}),
        segment(
            "OBR",
            {1: "1", 3: own, 4: "196616^MDC_EVT_ALARM^MDC", 7: utc_text(at), 29: f"^{parent}"},
        ),
    ]
    return written(lines + _facets(alert, at))


def _facets(alert: Alert, at: int) -> list[str]:
    code, name = alert.event
    words = composed(code, name, "MDC", "", "", "", "", "", alert.text)
    rows = [(1, "CWE", "196616^MDC_EVT_ALARM^MDC", words, "")]
    if alert.annotation:
        rows.append((1, "ST", "0^MDCX_ATTR_ALERT_ANNOTATION^MDC", escaped(alert.annotation), ""))
    if alert.value:
        rows.append((2, "NM", "150456^MDC_PULS_OXIM_SAT_O2^MDC", alert.value, alert.unit))
    else:
        rows.append((2, "CWE", "68480^MDC_ATTR_ALERT_SOURCE^MDC", "69837^MDC_DEV_METER_PHYSIO_MDS^MDC", ""))
    rows += [
        (3, "ST", "68481^MDC_ATTR_EVENT_PHASE^MDC", alert.phase, ""),
        (4, "ST", "68482^MDC_ATTR_ALARM_STATE^MDC", alert.state, ""),
        (5, "ST", "68483^MDC_ATTR_ALARM_INACTIVATION_STATE^MDC", alert.inactivation, ""),
        (6, "ST", "68484^MDC_ATTR_ALARM_PRIORITY^MDC", alert.priority, ""),
        (7, "ST", "68485^MDC_ATTR_ALERT_TYPE^MDC", alert.type, ""),
    ]
    return [
        segment(
            "OBX",
            {
                1: str(number),
                2: kind,
                3: name,
                4: f"1.0.0.0.{facet}",
                5: value,
                6: unit,
                11: "F",
                14: utc_text(at) if facet == 1 else "",
            },
        )
        for number, (facet, kind, name, value, unit) in enumerate(rows, start=1)
    ]


def watchdog(control_id: str, at: int, *, within_s: int = 5, active: bool = True) -> bytes:
    """A message that only says that the gateway lives, or that it stops on purpose."""
    alert = Alert(
        "watchdog",
        place="",
        phase="start" if active else "end",
        text="active",
        event=("196614", "MDC_EVT_ACTIVE"),
        priority="PN",
        state="active" if active else "inactive",
    )
    confirm = segment(
        "OBX",
        {
            1: "9",
            2: "NM",
            3: "67860^MDC_ATTR_CONFIRM_TIMEOUT^MDC",
            4: "1.0.0.0.9",
            5: str(within_s),
            6: "264320^MDC_DIM_SEC^MDC",
            11: "F",
        },
    )
    return pcd04(alert, control_id, at, asks="NE") + f"{confirm}\r".encode()


class Monitor(asyncio.Protocol):
    """One connection to the hub. `statuses`: what it was told, in order. `answer_as`: MSA-1 with which it
    acknowledges a status ("" = not at all)."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock`: epoch ms."""
        self.statuses: list[StatusRead] = []
        self.raw: list[bytes] = []  # every message received
        self.answer_as = "CA"
        self.lost = False
        self._clock = clock
        self._codec = Framing(max_message_bytes=1_048_576)
        self._transport: asyncio.Transport | None = None
        self._waiting: dict[str, asyncio.Future[AckRead]] = {}
        self._number = 0

    async def connect(self, host: str, port: int, *, tls: ssl.SSLContext | None = None) -> Monitor:
        """Connect; returns itself."""
        await asyncio.get_running_loop().create_connection(lambda: self, host, port, ssl=tls)
        return self

    async def report(self, alert: Alert) -> AckRead:
        """Send one alert and wait for its acknowledgement."""
        self._number += 1
        control_id = f"M{self._number}"
        return await self.say(pcd04(alert, control_id, self._clock()), control_id)

    async def say(self, message: bytes, control_id: str) -> AckRead:
        """Send a message as it is, and wait for what answers `control_id`."""
        waiting: asyncio.Future[AckRead] = asyncio.get_running_loop().create_future()
        self._waiting[control_id] = waiting
        self._codec.send(message)
        self._flush()
        try:
            async with asyncio.timeout(ACK_WITHIN_S):
                return await waiting
        finally:
            self._waiting.pop(control_id, None)

    def write(self, data: bytes) -> None:
        """Bytes as they are, framed or not."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an acknowledgement waits in vain."""
        self.lost = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the hub hung up"))

    def data_received(self, data: bytes) -> None:
        """Take what the hub says."""
        self._codec.receive_data(data, self._clock())
        for event in self._codec.events_received():
            if isinstance(event, MessageReceived):
                self.raw.append(event.data)
                message = read(event.data)
                if isinstance(message, Message):
                    self._take(message)
        self._flush()

    def _take(self, message: Message) -> None:
        told = read_status(message)
        if told:
            self.statuses.extend(told)
            if self.answer_as:
                self._acknowledge(message)
            return
        answer = read_ack(message)
        waiting = None if answer is None else self._waiting.get(answer.control_id)
        if answer is not None and waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _acknowledge(self, message: Message) -> None:
        self._number += 1
        asked = answer_code(message, verdict_of(()))
        code = self.answer_as if asked else None
        if code is not None:
            now = self._clock()
            self._codec.send(ack(message, code, control_id=f"K{self._number}", at=now, me=Party()))

    def _flush(self) -> None:
        data = self._codec.data_to_send()
        if data and self._transport is not None:
            self._transport.write(data)
