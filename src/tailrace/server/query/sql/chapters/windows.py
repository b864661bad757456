"""Functions of a row and the rows around it."""

from tailrace.server.query.sql.contract import Chapter, Function, Like, Type

CHAPTER = Chapter(
    "Window functions",
    "With `OVER ([PARTITION BY …] [ORDER BY …] [ROWS …])`. Aggregates may be used so, too. The answers are those of the three rows.",
    (
        Function("row_number()", "number of the row", Type.BIGINT, "row_number() over (order by d desc)", "3 , 2 , 1"),
        Function("rank()", "rank with gaps after equals", Type.BIGINT, "rank() over (order by n desc)", "3 , 1 , 1"),
        Function("dense_rank()", "rank without gaps", Type.BIGINT, "dense_rank() over (order by n)", "1 , 2 , 2"),
        Function("percent_rank()", "(rank - 1) / (rows - 1)", Type.DOUBLE, "percent_rank() over (order by d)", "0.0 , 0.5 , 1.0"),
        Function(
            "cume_dist()",
            "share of the rows up to this one",
            Type.DOUBLE,
            "cume_dist() over (order by n)",
            "0.3333333333333333 , 1.0 , 1.0",
        ),
        Function("ntile(n)", "which of n equal parts the row is in", Type.BIGINT, "ntile(3) over (order by d)", "1 , 2 , 3"),
        Function("lag(x[, offset, default])", "x some rows before", Like.FIRST, "lag(n, 1) over (order by d)", "null , 1 , 2"),
        Function("lead(x[, offset, default])", "x some rows after", Like.FIRST, "lead(n, 1, 0) over (order by d)", "2 , 2 , 0"),
        Function("first_value(x)", "x of the first row", Like.FIRST, "first_value(d) over (order by d)", "0.5 , 0.5 , 0.5"),
        Function("last_value(x)", "x of the last row", Like.FIRST, "last_value(d) over (order by d)", "0.5 , 1.5 , 2.5"),
        Function("nth_value(x, n)", "x of the n-th row", Like.FIRST, "nth_value(n, 1) over (order by d)", "1 , 1 , 1"),
    ),
)
