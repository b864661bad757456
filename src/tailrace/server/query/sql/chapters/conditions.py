"""What chooses between values."""

from tailrace.server.query.sql.contract import Chapter, Common, Function, Like, Type

CHAPTER = Chapter(
    "Conditions and conversion",
    "Beside these: `CASE`, `IS NULL`, `BETWEEN`, `IN`, `LIKE`; and `CAST(x AS type)`, which gives NULL for what cannot be converted, as"
    " `TRY_CAST` does.",
    (
        Function("if(condition, yes[, no])", "yes or no; NULL without a no", Common.FROM_SECOND, "if(n = 1, 'one', 'more')", "one"),
        Function("coalesce(x, …)", "the first that is not NULL", Common.OF_ALL, "coalesce(null, n)", "1"),
        Function("nullif(x, y)", "NULL when both are equal, else x", Like.FIRST, "nullif(n, 1)", "null"),
        Function("greatest(x, …)", "the greatest; NULL when one is NULL", Common.OF_ALL, "greatest(n, 5)", "5"),
        Function("least(x, …)", "the least; NULL when one is NULL", Common.OF_ALL, "least(n, 5)", "1"),
        Function("try(x)", "x; what cannot be computed is NULL in any case", Like.FIRST, "try(1 / 0)", "null", becomes=("_1",)),
        Function("typeof(x)", "the engine's name of the type", Type.VARCHAR, "typeof('a')", "String", becomes=("toTypeName(_1)",)),
    ),
)
