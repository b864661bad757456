"""Values of the engine as SLS text."""

import pytest

from tailrace.server.query.sql.contract import Type
from tailrace.server.query.sql.values import as_sls

CASES = [
    (None, "Nullable(Int64)", Type.BIGINT, "null"),
    (7, "UInt64", Type.BIGINT, "7"),
    (200, "Float64", Type.DOUBLE, "200.0"),
    (0.1, "Nullable(Float64)", Type.DOUBLE, "0.1"),
    (1e300, "Float64", Type.DOUBLE, "1e+300"),
    (float("inf"), "Float64", Type.DOUBLE, "Infinity"),
    (float("nan"), "Float64", Type.DOUBLE, "NaN"),
    (0.30000001192092896, "Float32", Type.UNKNOWN, "0.3"),
    (3, "UInt32", Type.DOUBLE, "3.0"),
    (1, "UInt8", Type.BOOLEAN, "true"),
    (0, "Nullable(UInt8)", Type.BOOLEAN, "false"),
    (True, "Bool", Type.UNKNOWN, "true"),
    ("2024-01-01 00:00:00", "DateTime", Type.TIMESTAMP, "2024-01-01 00:00:00.000"),
    ("2024-01-01 00:00:00.5", "DateTime64(1, 'UTC')", Type.UNKNOWN, "2024-01-01 00:00:00.500"),
    ("2024-01-01 00:00:00.123456789", "DateTime64(9)", Type.TIMESTAMP, "2024-01-01 00:00:00.123"),
    ("2024-01-01", "Date", Type.DATE, "2024-01-01"),
    ("2024-01-01", "Date32", Type.TIMESTAMP, "2024-01-01 00:00:00.000"),
    ("text", "LowCardinality(Nullable(String))", Type.VARCHAR, "text"),
    (b"\xff", "String", Type.VARCHAR, "\ufffd"),
    ([1, None, "ä"], "Array(Nullable(String))", Type.UNKNOWN, '[1,null,"ä"]'),
    ({"a": [b"\xff"]}, "Map(String, Array(String))", Type.UNKNOWN, '{"a":["\ufffd"]}'),
]


@pytest.mark.parametrize(("value", "engine_type", "kind", "text"), CASES, ids=lambda value: str(value)[:20])
def test_as_sls(value: object, engine_type: str, kind: Type, text: str):
    assert as_sls(value, engine_type, kind) == text
