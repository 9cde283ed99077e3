"""The floor, end to end: one press, one committed row, one frame."""

import asyncio

import asyncpg

from load import plan
from load.bench import FLOOR, Bench
from load.rates import play_once


def test_every_press_is_a_committed_row_and_one_frame(bench: Bench) -> None:
    """40 presses in a second: 40 rows of starts, each on exactly one phone, none twice, none lost."""
    presses = plan.burst(starts=40, seconds=1, beds=bench.layout.beds, seed=1)
    outcome = play_once(bench, FLOOR, presses, warmup_s=0, seconds=1, seed=1)
    assert (outcome.ledger.lost, outcome.ledger.duplicated, outcome.ledger.refused) == (0, 0, 0)
    assert outcome.ledger.first_phone.count == outcome.ledger.every_phone.count == 40
    assert outcome.ledger.counts["answer_accept"] > 0
    refs = set(asyncio.run(_refs(bench)))
    assert {outcome.ledger.ref(number) for number in range(40)} <= refs


async def _refs(bench: Bench) -> list[str]:
    connection = await asyncpg.connect(bench.database.dsn("load_floor"))
    try:
        return [row["ref"] for row in await connection.fetch("SELECT ref FROM alarm WHERE event = 'start'")]
    finally:
        await connection.close()
