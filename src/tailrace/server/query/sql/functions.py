"""The SQL functions that a query may call: the allow-list, with what each gives back.

A function is here when the engine's Trino dialect runs it and gives Presto's answer (tests/integration/query/test_functions.py calls each).
What the manual has and the engine has not is refused by name.
"""

import difflib
import enum

from tailrace.errors import ApiError


class Type(enum.Enum):
    """SQL types as far as rewriting needs them. UNKNOWN is left to the engine."""

    BIGINT = "bigint"
    DOUBLE = "double"
    VARCHAR = "varchar"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    UNKNOWN = "unknown"


class Like(enum.Enum):
    """The type is that of an argument (counted from 0)."""

    FIRST = 0
    SECOND = 1


def _table(rows: dict["Type | Like", str]) -> dict[str, "Type | Like"]:
    return {name: returned for returned, names in rows.items() for name in names.split()}


AGGREGATES = _table({
    Type.BIGINT: "count count_if approx_distinct bitwise_and_agg bitwise_or_agg",
    Type.DOUBLE: "avg stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp skewness geometric_mean",
    Type.BOOLEAN: "bool_and bool_or every",
    Type.UNKNOWN: "array_agg map_agg histogram approx_percentile",
    Like.FIRST: "sum min max arbitrary any_value max_by min_by",
})  # fmt: skip

WINDOWS = _table({
    Type.BIGINT: "row_number rank dense_rank ntile",
    Type.DOUBLE: "percent_rank cume_dist",
    Like.FIRST: "lag lead first_value last_value nth_value",
})  # fmt: skip

SCALARS = _table({
    Type.BIGINT: """
        length strpos cardinality array_position json_array_length url_extract_port date_diff regexp_count
        bitwise_and bitwise_or bitwise_xor bitwise_not levenshtein_distance hamming_distance crc32 grouping
        year quarter month week week_of_year day day_of_month day_of_week dow day_of_year doy hour minute second""",
    Type.DOUBLE: """
        sqrt cbrt exp ln log2 log10 power pow pi e rand random sin cos tan asin acos atan atan2 degrees radians
        to_unixtime nan infinity""",
    Type.VARCHAR: """
        substr substring split_part lower upper trim ltrim rtrim reverse lpad rpad concat replace format
        regexp_extract regexp_replace json_extract_scalar json_extract json_format date_format to_iso8601
        url_extract_host url_extract_parameter url_extract_path url_extract_protocol url_extract_query url_extract_fragment
        url_decode url_encode to_hex to_base64 from_utf8 array_join""",
    Type.BOOLEAN: """
        regexp_like starts_with ends_with contains arrays_overlap any_match all_match none_match
        is_nan is_finite is_infinite""",
    Type.TIMESTAMP: "from_unixtime date_parse now from_iso8601_timestamp at_timezone parse_datetime",
    Type.DATE: "last_day_of_month",
    Type.UNKNOWN: """
        array_distinct array_except array_intersect array_max array_min array_remove array_sort array_union flatten
        filter transform reduce slice sequence zip split split_to_map regexp_extract_all regexp_split
        map map_filter map_keys map_values transform_values element_at json_parse row
        md5 sha1 sha256 sha512 to_utf8 from_base64""",
    Like.FIRST: "abs round floor ceil ceiling sign truncate mod coalesce nullif greatest least",
    Like.SECOND: "if date_trunc",
})  # fmt: skip

FUNCTIONS: dict[str, Type | Like] = {**AGGREGATES, **WINDOWS, **SCALARS, "date_add": Type.UNKNOWN}


def check_function(name: str) -> None:
    """Raises ApiError(400, ParameterInvalid) for a function that is not allowed, with the nearest that is."""
    if name in FUNCTIONS:
        return
    nearest = difflib.get_close_matches(name, FUNCTIONS, n=1, cutoff=0.7)
    suggestion = f"; did you mean `{nearest[0]}`?" if nearest else ""
    raise ApiError(400, "ParameterInvalid", f"function `{name}` is not supported{suggestion}")
