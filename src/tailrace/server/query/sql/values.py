"""Values of the engine as SLS writes them: everything is text (sls-api §4.2)."""

import json
import struct

from tailrace.server.query.sql.contract import Type

NULL = "null"


def as_text(value: object) -> str:
    """Text of a log: bytes that are not UTF-8 become U+FFFD."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def as_sls(value: object, engine_type: str, kind: Type = Type.UNKNOWN) -> str:
    """One cell of a SQL answer.

    `engine_type` is the engine's name of the type (`Nullable(Float64)`), `kind` what the query knows beyond it: the engine has no booleans
    of its own in conditions. What is no finite number comes as the engine's text (`nan`, `-inf`). Doubles come in their shortest form,
    timestamps with milliseconds, arrays and maps as JSON text.
    """
    if value is None:
        return NULL
    if isinstance(value, bool) or (kind is Type.BOOLEAN and value in (0, 1)):
        return "true" if value else "false"
    if isinstance(value, list | tuple | dict):
        return json.dumps(_plain(value, engine_type), ensure_ascii=False, separators=(",", ":"))
    inner = bare_type(engine_type)
    if inner.startswith("DateTime") or kind is Type.TIMESTAMP:
        return _timestamp(as_text(value))
    is_float = inner in ("Float32", "Float64")
    if (is_float and isinstance(value, str)) or (isinstance(value, int | float) and (is_float or kind is Type.DOUBLE)):
        return _shortest_single(float(value)) if inner == "Float32" and not isinstance(value, str) else _double(float(value))
    return as_text(value)


def bare_type(engine_type: str) -> str:
    """Without `Nullable(…)` and `LowCardinality(…)` around it."""
    for wrapper in ("LowCardinality(", "Nullable("):
        if engine_type.startswith(wrapper):
            engine_type = engine_type[len(wrapper) : -1]
    return engine_type


def _timestamp(text: str) -> str:
    """`2024-01-01 00:00:00` with exactly three digits of a second; a date is its midnight."""
    whole, _, fraction = text.partition(".")
    return f"{whole}{'' if ' ' in whole else ' 00:00:00'}.{fraction[:3]:0<3}"


def _double(value: float) -> str:
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - only NaN differs from itself
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124
    return repr(value)


def _shortest_single(value: float) -> str:
    """The fewest digits that are the same number in single precision."""
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", value):
            return repr(float(text))
    return repr(value)


def _plain(value: object, engine_type: str = "") -> object:
    """As JSON: a double stays one where the engine writes a whole number."""
    kind = bare_type(engine_type)
    if isinstance(value, list | tuple):
        inner = kind[6:-1] if kind.startswith("Array(") else ""
        return [_plain(item, inner) for item in value]
    if isinstance(value, dict):
        key_kind, _, inner = kind[4:-1].partition(", ") if kind.startswith("Map(") else ("", "", "")
        return {_key(key, key_kind): _plain(item, inner) for key, item in value.items()}
    if isinstance(value, int) and kind == "Float64":
        return float(value)
    if isinstance(value, str) and kind in ("Float32", "Float64"):
        return _double(float(value))
    return as_text(value) if isinstance(value, bytes) else value


def _key(key: object, engine_type: str) -> str:
    return _double(float(as_text(key))) if engine_type == "Float64" else as_text(key)
