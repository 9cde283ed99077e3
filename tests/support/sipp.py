"""SIPp (Debian: sip-tester) as social alarm units: its own SIP stack, its own digest, our scenarios.

Scenarios are written here as SIPp wants them; each checks with a regular expression what the hub answered,
and SIPp's exit code says whether every call went as written.
"""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from pathlib import Path

import pytest

WITHIN_S = 30
HEAD = """
      {method} sip:arc@[remote_ip]:[remote_port] SIP/2.0
      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
      Max-Forwards: 70
      From: <sip:4670000123@arc.example>;tag=[call_number]
      To: <sip:{to}>
      Call-ID: [call_id]
      CSeq: {cseq} {method}
"""
SEND = """
  <send retrans="500"><![CDATA[
{head}{extra}
      Content-Length: [len]

{body}
  ]]></send>
"""
EXPECT = """
    <action>
      <ereg regexp="{regexp}" search_in="msg" check_it="true" assign_to="seen"/>
      <log message="[$seen]"/>
    </action>
"""


def program() -> str:
    """Where SIPp is; the test is skipped where it is not."""
    found = shutil.which("sipp")
    if found is None:
        pytest.skip("sipp (sip-tester) is not installed")
    return found


def _scenario(body: str) -> str:
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="scaip">{body}</scenario>\n'


def _sent(method: str, cseq: int, extra: str, body: str) -> str:
    to = "4670000123@arc.example" if method == "REGISTER" else "arc@arc.example"
    head = HEAD.format(method=method, cseq=cseq, to=to).strip("\n")
    lines = "\n".join(f"      {line}" for line in extra.splitlines())
    return SEND.format(head=head, extra=f"\n{lines}" if lines else "", body=f"      {body}" if body else "")


def asking(mrq: str, *, answer: str | None, user: str, password: str) -> str:
    """A unit that sends this mrq, answers the challenge, and wants 200; with this mrs in it, or with none."""
    kind = "Content-Type: application/scaip+xml"
    proof = f"[authentication username={user} password={password}]\n{kind}"
    checked = EXPECT.format(regexp=answer.replace("<", "&lt;").replace(">", "&gt;")) if answer else ""
    return _scenario(
        _sent("MESSAGE", 1, kind, mrq)
        + '<recv response="401" auth="true"/>'
        + _sent("MESSAGE", 2, proof, mrq)
        + f'<recv response="200">{checked}</recv>'
    )


def refused(mrq: str, *, status: int, user: str, password: str) -> str:
    """A unit with a wrong password."""
    kind = "Content-Type: application/scaip+xml"
    proof = f"[authentication username={user} password={password}]\n{kind}"
    return _scenario(
        _sent("MESSAGE", 1, kind, mrq)
        + '<recv response="401" auth="true"/>'
        + _sent("MESSAGE", 2, proof, mrq)
        + f'<recv response="{status}"/>'
    )


def registering(contact: str, *, user: str, password: str) -> str:
    """A unit that registers this contact."""
    extra = f"Contact: <{contact}>\nExpires: 600"
    proof = f"[authentication username={user} password={password}]\n{extra}"
    checked = EXPECT.format(regexp="Contact: &lt;" + contact.replace(".", "[.]") + "&gt;;expires=600")
    return _scenario(
        _sent("REGISTER", 1, extra, "")
        + '<recv response="401" auth="true"/>'
        + _sent("REGISTER", 2, proof, "")
        + f'<recv response="200">{checked}</recv>'
    )


def hearing(mrs: str) -> str:
    """A unit that waits for this mrs as a MESSAGE of its own and takes it."""
    checked = EXPECT.format(regexp=mrs.replace("<", "&lt;").replace(">", "&gt;"))
    return _scenario(
        f"""
  <recv request="MESSAGE">{checked}</recv>
  <send><![CDATA[
      SIP/2.0 200 OK
      [last_Via:]
      [last_From:]
      [last_To:];tag=[call_number]
      [last_Call-ID:]
      [last_CSeq:]
      Content-Length: 0

  ]]></send>
"""
    )


class Sipp:
    """Runs scenarios; `folder` is for them and SIPp's own files."""

    def __init__(self, folder: Path) -> None:
        self._program, self._folder, self._number = program(), folder, 0

    async def begin(
        self,
        scenario: str,
        *,
        hub: int | None,
        port: int,
        transport: str = "udp",
        calls: int = 1,
        rate: int = 1,
    ) -> Process:
        """Start one. `hub`: the port it calls, None when it waits to be called; `port`: its own."""
        self._number += 1
        file = self._folder / f"scaip{self._number}.xml"
        file.write_text(scenario)
        where = [] if hub is None else [f"127.0.0.1:{hub}"]
        options = [
            "-sf", str(file), "-i", "127.0.0.1", "-p", str(port), "-t", "u1" if transport == "udp" else "t1",
            "-m", str(calls), "-r", str(rate), "-l", str(max(calls, 1)), "-nostdin",
            "-timeout", f"{WITHIN_S}s", "-timeout_error", "-recv_timeout", "8000",
            "-trace_err", "-error_file", str(file.with_suffix(".err")),
        ]  # fmt: skip
        return await asyncio.create_subprocess_exec(
            self._program, *where, *options, cwd=self._folder, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT
        )

    async def end(self, process: Process) -> None:
        """Wait for it; fails with what SIPp had to say unless every call went as written."""
        try:
            async with asyncio.timeout(WITHIN_S + 5):
                said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        errors = "".join(file.read_text(errors="replace") for file in self._folder.glob("*.err"))
        assert process.returncode == 0, (
            f"sipp ended with {process.returncode}\n{errors}\n{said.decode()[-3000:]}"
        )

    async def run(
        self, scenario: str, *, hub: int, port: int, transport: str = "udp", calls: int = 1
    ) -> None:
        """Start one and wait for it."""
        rate = max(1, calls)
        await self.end(
            await self.begin(scenario, hub=hub, port=port, transport=transport, calls=calls, rate=rate)
        )
