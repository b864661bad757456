"""The fleet under test: project `shop`, in which agents `a1` and `a2` are enrolled."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.unit.server.fleet.parts import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    bench = Bench(tmp_path / "meta.db")
    await bench.project("shop", "a1", "a2")
    yield bench
    bench.transactions.close()
