"""One store for all tests of an adapter's conformance class; each test makes a logstore of its own in it."""

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tailrace.server.store.port import Store, TableSpec
from tests.integration.store.groups import spec


class Clock:
    """The store's wall clock; tests move it."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture(scope="class")
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> AsyncIterator[Store]:
    async with request.cls.open_store(tmp_path_factory.mktemp("store"), [], clock) as store:
        yield store


@pytest_asyncio.fixture(loop_scope="class")
async def table(store: Store) -> TableSpec:
    table = spec()
    await store.create(table)
    return table
