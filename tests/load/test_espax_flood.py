"""The flood of ESPA-X calls: every call its own, each answer counted once."""

from __future__ import annotations

import asyncio

import pytest

from load.espax_flood import Flood, flood
from tests.load.test_espax_client import server
from tests.support.waiting import until


async def test_every_call_is_its_own_and_counted() -> None:
    """Over all connections; what is not 200 is a fault."""
    async with server() as it:
        it.codes["REQ.P-START"] = ["503", "450"] + ["200"] * 100_000
        result = await flood("127.0.0.1", it.port, "lichtruf", "geheim12", connections=3, seconds=0.1)
        await until(lambda: len(it.said) >= 6, "some calls")
    starts = [said.fields["CP-PR-REF"] for said in it.said if said.element == "REQ.P-START"]
    assert len(starts) == len(set(starts)) == len(result.answered_ms) + 2
    assert result.refused == {"503": 1, "450": 1}
    assert result.rate > 0
    assert "refused 2" in result.line()


async def test_a_login_that_fails_ends_it() -> None:
    """Nothing is measured against a closed door."""
    async with server() as it:
        it.codes["REQ.LOGIN"] = ["401"]
        with pytest.raises(ExceptionGroup) as failed:
            async with asyncio.timeout(5):
                await flood("127.0.0.1", it.port, "lichtruf", "geheim12", connections=1)
    assert "login: 401" in str(failed.value.exceptions[0])


def test_percentiles_are_of_what_was_answered() -> None:
    """None without an answer."""
    assert Flood().percentile_ms(0.5) == Flood().rate == 0
    result = Flood(seconds=2, answered_ms=[float(n) for n in range(1, 101)])
    assert (result.rate, result.percentile_ms(0.5), result.percentile_ms(0.99)) == (50, 51, 100)
