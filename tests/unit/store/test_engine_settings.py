"""What a query may use, as the engine is told."""

import pytest

from tailrace.server.store import frames
from tailrace.server.store.engine_settings import query_settings


@pytest.mark.parametrize(("seconds", "told"), [(0.0504, "0.051"), (0.0004, "0.001"), (0.0, "0.000"), (22.5, "22.500")])
def test_time_is_never_less_than_was_given_and_never_none(seconds: float, told: str) -> None:
    """What ends before its time counts as whole, and no time is no bound."""
    query = frames.Query(1, "SELECT 1", {}, "clickhouse", "light", seconds, 1 << 30, 1, 0, 0, "rows and time", 1, "id", "UTC")
    assert f" max_execution_time = {told}," in query_settings(query)[0]
