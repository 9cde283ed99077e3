"""One bench for all tests of the generator: a database server of its own, floors on it as needed."""

from collections.abc import Iterator

import pytest

from load.bench import Bench, Setup


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """A bench for 20 phones."""
    with Bench(Setup(phones=20, loop="asyncio")) as one:
        yield one
