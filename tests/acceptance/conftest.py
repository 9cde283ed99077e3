"""A house with a site in a fresh database, for a whole hub to serve."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.hub import House


@pytest.fixture
async def house(database_dsn: str) -> AsyncIterator[House]:
    """Ten beds, twenty nurses."""
    async with House(database_dsn) as one:
        yield one
