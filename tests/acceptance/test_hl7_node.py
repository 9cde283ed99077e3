"""HL7 from Node.js clients that know nothing of ours, through a whole hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alarmhub.core.alarm import Phase
from load.hl7_monitor import Alert, pcd04
from tests.support import node_peers
from tests.support.hl7_house import GATEWAY, house_with_gateway, stored
from tests.support.hub import House, free_ports

PEERS = {"simple-hl7": "hl7_simple.js", "node-hl7-client": "hl7_node_client.js"}


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """A small house with a nurse call gateway in its site."""
    async with house_with_gateway(database_dsn) as one:
        yield one


def written(folder: Path, messages: list[bytes]) -> list[str]:
    """The files these messages are in."""
    files = [folder / f"{number}.hl7" for number in range(len(messages))]
    for file, message in zip(files, messages, strict=True):
        file.write_bytes(message.rstrip(b"\r"))
    return [str(file) for file in files]


@pytest.mark.parametrize("module", PEERS)
async def test_a_call_a_repetition_a_faulty_message_and_an_end(
    house: House, tmp_path: Path, module: str
) -> None:
    """Each answered as the client's own parser reads it; one alarm, ended."""
    node_peers.need(module)
    (port,) = free_ports(1)
    await house.hub(config=GATEWAY.format(port=port, more="")).start()
    call = pcd04(Alert("AL-1", place="U0000^R1^1"), "A1", 0)
    end = pcd04(Alert("AL-1", place="U0000^R1^1", phase="end", state="inactive"), "A3", 0)
    messages = [call, call, call.replace(b"|start|", b"|begin|").replace(b"|A1|", b"|A2|"), end]
    files = written(tmp_path, messages)
    said = await node_peers.run(PEERS[module], str(port), *files)
    assert said == ["CA A1", "CA A1", "CE A2", "CA A3"]
    (alarm,) = await stored(house)
    assert (alarm.ref, alarm.phase, alarm.count) == ("AL-1", Phase.ENDED, 1)
