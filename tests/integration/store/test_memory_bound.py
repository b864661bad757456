"""The engine's memory is bounded by one setting, whatever the single queries may use."""

from pathlib import Path

import pytest

from tailrace.errors import TooLargeError
from tailrace.server.query.service import Queries
from tailrace.server.store.engine import Engine
from tailrace.server.store.engine_settings import EngineSettings
from tailrace.server.store.port import EngineQuery, Limits

BOUND = 768 << 20


async def test_a_query_that_wants_more_than_the_engine_has_is_told_the_setting(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "engine", EngineSettings(memory=BOUND))
    await engine.open()
    try:
        greedy = EngineQuery("SELECT groupArray(number) FROM numbers(1000000000)", limits=Limits("analytics", memory=16 << 30))
        with pytest.raises(TooLargeError, match=r"more than the 768\.00 MiB of memory.*raise `engine_memory_bytes`"):
            await Queries(engine).run(greedy)
        assert (await engine.query(EngineQuery("SELECT 1"))).rows == [(1,)]
        assert engine.restarts == 0
    finally:
        await engine.close()
