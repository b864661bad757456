"""The SQL functions that a query may call: the allow-list, put together from the chapters.

Each is really called by a test with the example that its chapter gives. What the manual has and the engine has not is refused by name.
"""

import difflib

from tailrace.errors import ApiError
from tailrace.server.query.sql.chapters import (
    addresses,
    aggregates,
    approximate,
    arrays,
    binary,
    comparisons,
    conditions,
    json,
    maps,
    numbers,
    regular,
    texts,
    times,
    urls,
    windows,
)
from tailrace.server.query.sql.contract import Function

CHAPTERS = (
    aggregates.CHAPTER, approximate.CHAPTER, windows.CHAPTER, conditions.CHAPTER, numbers.CHAPTER, texts.CHAPTER, regular.CHAPTER,
    times.CHAPTER, comparisons.CHAPTER, json.CHAPTER, arrays.CHAPTER, maps.CHAPTER, urls.CHAPTER, addresses.CHAPTER, binary.CHAPTER,
)  # fmt: skip

FUNCTIONS = {function.name: function for chapter in CHAPTERS for function in chapter.functions}
NOT_HERE = {
    "ip_to_": "a database of addresses",
    "mobile_": "a database of telephone numbers",
    "security_check_": "a service that knows attackers",
    "geohash": "cells of a map, which are not built here",
    "log_reduce": "what Log Service has learnt about patterns of logs",
    "ts_": "Log Service's functions of machine learning",
}
"""What functions of Log Service need whose names begin so, and this server does not have. Those that are built are looked up first."""
AGGREGATES = frozenset(function.name for chapter in (aggregates.CHAPTER, approximate.CHAPTER) for function in chapter.functions)


def checked(name: str, arguments: int) -> Function:
    """The function that is called so. Raises ApiError(400, ParameterInvalid): not allowed (with the nearest that is), or called wrongly."""
    function = FUNCTIONS.get(name)
    if function is None:
        lacking = next((needed for prefix, needed in NOT_HERE.items() if name.startswith(prefix)), None)
        if lacking is not None:
            raise ApiError(400, "ParameterInvalid", f"function `{name}` is not supported: it takes {lacking}")
        nearest = difflib.get_close_matches(name, FUNCTIONS, n=1, cutoff=0.7)
        suggestion = f"; did you mean `{nearest[0]}`?" if nearest else ""
        raise ApiError(400, "ParameterInvalid", f"function `{name}` is not supported{suggestion}")
    least, most = function.arguments
    if not least <= arguments <= most:
        raise ApiError(
            400, "ParameterInvalid", f"`{name}` does not take {arguments} argument{'s'[: arguments != 1]}: it is `{function.call}`"
        )
    return function
