"""An ESPA-X 1.00 client: a call system at the other end of the hub's door.

Written from the published messages alone; it shares no line with the receiver it is used to test. It logs in,
asks the condition, beats, starts and stops processes, correlates answers by the invokeID in the document,
keeps what it is told of each process, resends what was not answered, and comes back after a lost connection.
It decides nothing about staff, and it is no conformity test.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from xml.sax.saxutils import escape

NAMESPACE = "{http://ns.espa-x.org/espa-x}"
ANSWER_WITHIN_S = 10.0
RECONNECT_AFTER_S = 0.5
HEARTBEAT_S = 50.0
SUCCESS = (200, 450)


@dataclass(frozen=True, slots=True)
class Heard:
    """One message of the server."""

    element: str
    invoke_id: int | None
    session_id: str
    fields: dict[str, str]

    @property
    def code(self) -> int:
        """RSP-CODE, 0 when it has none."""
        return int(self.fields.get("RSP-CODE", "0"))


@dataclass(slots=True)
class Process:
    """One process of this client: its fields, its number at the server, and what was heard of it in order."""

    fields: dict[str, str]
    tan: str = ""
    heard: list[Heard] = field(default_factory=list)

    @property
    def results(self) -> list[str]:
        """What became of it, in the server's words: SS-RESULT of events, SP-RESULT of states and ends."""
        return [
            heard.fields.get("SS-RESULT") or heard.fields.get("SP-RESULT") or heard.element
            for heard in self.heard
        ]


class Refused(Exception):
    """The server did not let this client in."""


def message(element: str, invoke_id: int, session_id: str, fields: dict[str, str]) -> bytes:
    """One request with its header."""
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in fields.items())
    session = f' sessionID="{session_id}"' if session_id else ""
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ESPA-X version="1.00" timestamp="2026-09-14T09:00:00" xmlns="http://ns.espa-x.org/espa-x">\n'
        f'<{element} invokeID="{invoke_id}"{session}>{inner}</{element}>\n</ESPA-X>'
    ).encode()
    return struct.pack(">2sII", b"EX", 10 + len(document), invoke_id) + document


async def read_message(reader: asyncio.StreamReader) -> Heard:
    """The server's next message. Raises OSError or EOFError at the end, ValueError when it is none."""
    magic, length, _ = struct.unpack(">2sII", await reader.readexactly(10))
    if magic != b"EX":
        raise ValueError(f"no ESPA-X header: {magic!r}")
    (said,) = ET.fromstring(await reader.readexactly(length - 10))
    fields = {item.tag.removeprefix(NAMESPACE): item.text or "" for item in said}
    invoke_id = said.get("invokeID")
    number = None if invoke_id is None else int(invoke_id)
    return Heard(said.tag.removeprefix(NAMESPACE), number, said.get("sessionID", ""), fields)


class EspaxClient:
    """The client as a context manager; it comes back by itself while it is used.

    Public state: `processes` by CP-PR-REF, `heard` (all messages in order), `sessions` (logins that
    succeeded), `running` (references that were started and neither stopped nor ended).
    """

    def __init__(
        self,
        host: str,
        port: int,
        user: str,
        password: str,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        answer_within_s: float = ANSWER_WITHIN_S,
        resend: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port, self.user, self.tls = host, port, user, tls
        self.heartbeat_s, self.answer_within_s, self.resend = heartbeat_s, answer_within_s, resend
        self.processes: dict[str, Process] = {}
        self.running: set[str] = set()
        self.heard: list[Heard] = []
        self.sessions = 0
        self.session_id = ""
        self.error: str | None = None
        self._password = password
        self._invoke = 0
        self._waiting: dict[int, asyncio.Future[Heard]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> EspaxClient:
        self._task = asyncio.get_running_loop().create_task(self._run(), name="espax client")
        await self.wait_for(lambda client: client.sessions > 0 or client.error is not None, 10)
        if self.error is not None:
            await self.close()
            raise Refused(self.error)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up without a word."""
        if self._task is not None:
            self._task.cancel()
            try:
                await self._task
            except asyncio.CancelledError:
                pass
            self._task = None
        self._hang_up()

    # What a call system does.

    async def start(self, ref: str, **fields: str) -> Heard:
        """Start a process, fields named as in the protocol with `_` for `-` and without `CP-` (TEXTMSG,
        GROUPID, PR_DETAILS). Resent until it is answered by something else than 503."""
        said = {"CP-PR-REF": ref} if ref else {}
        said |= {"CP-" + name.replace("_", "-"): value for name, value in fields.items()}
        process = self.processes[ref] = Process(said)
        while True:
            answer = await self.ask("REQ.P-START", said)
            if answer.code in SUCCESS:
                process.tan = answer.fields["SP-PR-TAN"]
                self.running.add(ref)
            if answer.code != 503 or not self.resend:
                return answer
            await asyncio.sleep(RECONNECT_AFTER_S)

    async def stop(self, ref: str = "", tan: str = "", mask: str = "All") -> Heard:
        """Stop a process by the client's reference or the server's number."""
        fields = {"CP-PR-REF": ref, "SP-PR-TAN": tan, "CP-PR-MASK": mask}
        answer = await self.ask("REQ.P-STOP", {name: value for name, value in fields.items() if value})
        if answer.code in (200, 410):
            self.running.discard(ref)
        return answer

    async def ask(self, element: str, fields: dict[str, str] | None = None) -> Heard:
        """One request and its answer; sent again over the next connection when this one is lost. Raises
        TimeoutError without an answer in time, or at once when not to resend."""
        while True:
            async with asyncio.timeout(self.answer_within_s):
                await self._ready.wait()
            try:
                return await self._ask_once(element, fields or {}, self.session_id)
            except (ConnectionError, TimeoutError):
                if not self.resend:
                    raise

    async def logout(self) -> Heard:
        """Say goodbye; the server closes."""
        self.resend = False
        return await self.ask("REQ.LOGOUT", {"LO-REASON": "Normal"})

    async def wait_for(self, condition: Callable[[EspaxClient], bool], within_s: float = 5.0) -> None:
        """Until it is true of this client. Raises TimeoutError."""
        async with asyncio.timeout(within_s), self._changed:
            await self._changed.wait_for(lambda: condition(self))

    def drop(self) -> None:
        """The cable is pulled."""
        self._hang_up()

    # The connection.

    async def _run(self) -> None:
        while self.error is None:
            try:
                await self._session()
            except (OSError, EOFError, ValueError, TimeoutError, ET.ParseError):
                pass
            self._hang_up()
            await self._notify()
            if self.error is None:
                await asyncio.sleep(RECONNECT_AFTER_S)

    async def _session(self) -> None:
        reader, self._writer = await asyncio.open_connection(self.host, self.port, ssl=self.tls)
        reading = asyncio.get_running_loop().create_task(self._read(reader))
        try:
            login = {"LI-CLIENT": "Simulator", "LI-USER": self.user, "LI-PASSWORD": self._password}
            welcome = await self._ask_once("REQ.LOGIN", login, "")
            if welcome.code in (401, 402):
                self.error = f"{welcome.code} {welcome.fields['RSP-REASON']}"
            if welcome.code != 200:
                return
            self.session_id = welcome.session_id
            await self._ask_once("REQ.S-CONDITION", {}, self.session_id)
            self.sessions += 1
            self._ready.set()
            await self._notify()
            while not reading.done():
                await asyncio.wait({reading}, timeout=self.heartbeat_s)
                if not reading.done():
                    await self._ask_once("REQ.HEARTBEAT", {}, self.session_id)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _ask_once(self, element: str, fields: dict[str, str], session_id: str) -> Heard:
        if self._writer is None:
            raise ConnectionError("not connected")
        self._invoke += 1
        number = self._invoke
        answer: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._writer.write(message(element, number, session_id, fields))
            async with asyncio.timeout(self.answer_within_s):
                return await answer
        finally:
            self._waiting.pop(number, None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                heard = await read_message(reader)
                self._take(heard)
                await self._notify()
        finally:
            self._hang_up()

    def _take(self, heard: Heard) -> None:
        self.heard.append(heard)
        if heard.element.startswith("RSP."):
            waiting = self._waiting.get(heard.invoke_id or 0)
            if waiting is not None and not waiting.done():
                waiting.set_result(heard)
        elif heard.element.startswith("IND.P-") and "SP-PR-TAN" in heard.fields:
            process = self.processes.get(heard.fields.get("CP-PR-REF", ""))
            if process is not None:
                process.heard.append(heard)
                if heard.element == "IND.P-ENDED":
                    self.running.discard(heard.fields.get("CP-PR-REF", ""))

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _hang_up(self) -> None:
        self._ready.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the connection was lost"))
