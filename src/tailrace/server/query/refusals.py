"""What a refusal of the engine means for the one who asked."""

import re
from collections.abc import Mapping

from tailrace.errors import ApiError, BusyError, EngineError, TooLargeError
from tailrace.server.store.port import EngineQuery

# Engine errors that the statement is to blame for, by what they are about: all else is ours.
_TIME_EXCEEDED, _TOO_MUCH_MEMORY, _TOO_LARGE, _CANCELLED, _TOO_MANY_ROWS = {159, 160}, {241}, {396}, {394}, {158}
_OF_ALL = re.compile(
    r"(?:\(total\) memory limit exceeded|memory limit \(total\) exceeded)(?:.*?maximum: (\d[\d.]* \w+))?", re.IGNORECASE | re.DOTALL
)
"""All of the engine's memory is used up, whoever uses it: a smaller query may be no better off."""
_OURS = {0, 32, 33, 75, 76, 173, 198, 209, 210, 243, 246, 1000, 1001}
_USERS = {
    **dict.fromkeys(("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"), "bigint"),
    "Float64": "double", "String": "varchar", "DateTime64": "timestamp", "function plus": "`+`", "function minus": "`-`",
    "function multiply": "`*`", "function divide": "`/`", "function intDiv": "`/`", "function modulo": "`%`",
}  # fmt: skip
_ENGINES = re.compile(rf"\b(?:{'|'.join(_USERS)})\b")
"""What the engine calls a thing that the user has written."""


def explain(error: EngineError, query: EngineQuery, names: Mapping[str, str], *, alone: bool = False) -> Exception:
    """What an engine's refusal means for the one who asked; `alone`: no other query was at work."""
    code = error.engine_code
    if code in _TIME_EXCEEDED | _TOO_MANY_ROWS:
        limits = query.limits
        used = f"reads more than {limits.read_rows} events" if code in _TOO_MANY_ROWS else f"took longer than {limits.seconds:g} s"
        return ApiError(400, "ParameterInvalid", f"the query {used}: narrow the time range or the search")
    if code in _TOO_MUCH_MEMORY:
        return _without_memory(error, alone=alone)
    if code in _TOO_LARGE:
        return TooLargeError(f"the answer has more than {query.limits.rows} rows or {query.limits.bytes >> 20} MB: select less")
    if code in _CANCELLED:
        return ApiError(400, "ParameterInvalid", "the query was cancelled")
    if code in _OURS or query.dialect == "clickhouse":
        return error
    return ApiError(400, "ParameterInvalid", f"cannot run the SQL: {_readable(error.message, names)}")


def _without_memory(error: EngineError, *, alone: bool) -> Exception:
    of_all = _OF_ALL.search(error.message)
    if of_all is None:
        return TooLargeError("the query needs more memory than it may use: narrow the time range or group by less")
    bound = f"{of_all[1]} of memory" if of_all[1] else "memory"
    setting = "`engine_memory_bytes` in the server's settings"
    if alone:
        return TooLargeError(
            f"the query needs more than the {bound} of the storage engine: narrow the time range or group by less, or raise {setting}"
        )
    return BusyError(
        "the storage engine has no memory left for the query and what runs beside it", hint=f"try again later, or raise {setting}"
    )


def _readable(message: str, names: Mapping[str, str]) -> str:
    """Without the engine's frame around it, and with the user's names for ours."""
    text = re.sub(r"^.*?DB::Exception: ", "", message, flags=re.DOTALL)
    text = re.split(r"[:.]? (?:In scope|In query|while executing|Stack trace|Look at)|: While processing", text, maxsplit=1)[0]
    text = re.sub(r"\bNullable\((\w+)\)", r"\1", text)
    text = re.sub(r"(?<=\w)(?:OrNull|UTF8)\b", "", text)
    text = _ENGINES.sub(lambda match: _USERS[match[0]], text)
    text = re.sub(r"(?:\b\w+\.)?\bx(\d+)(?:_known)?\b", lambda match: names.get(f"x{match[1]}", match[0]), text)
    return re.sub(r"\s*\([A-Z_]+\)\s*$", "", text).strip().rstrip(".")
