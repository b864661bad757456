"""Aggregates that give up exactness for speed and memory."""

from tailrace.server.query.sql import special
from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "Approximate aggregates",
    "Exact for few values; for many their error is about 1 %.",
    (
        Function("approx_distinct(x[, error])", "how many distinct values", Type.BIGINT, "approx_distinct(n)", "2"),
        Function(
            "approx_percentile(x, [weight, ]share)",
            "the value below which that share (0 to 1) of the values is; an array of shares gives an array",
            Type.UNKNOWN,
            "approx_percentile(d, 0.5)",
            "1.5",
        ),
        Function(
            "numeric_histogram(bins, x[, weight])",
            "a map of at most so many bins (a constant): the mean of each, and how many values or how much weight is in it",
            Type.UNKNOWN,
            "numeric_histogram(2, n * d)",
            '{"0.5":1.0,"4.0":2.0}',
            rewrite=special.numeric_histogram,
        ),
        Function(
            "approx_most_frequent(buckets, x, capacity)",
            "a map of the most frequent values and their counts",
            Type.UNKNOWN,
            "approx_most_frequent(1, n, 10)",
            '{"2":2}',
            becomes=(
                (
                    "map_from_entries(arraySlice(arrayReverseSort(p -> tupleElement(p, 2),"
                    " map_entries(sumMap(map(ARRAY[assumeNotNull(_2)], ARRAY[1])))), 1, _1 + 0 * _3))"
                ),
            ),
        ),
    ),
)
