"""Functions of arrays."""

from tailrace.server.query.sql import special
from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "Arrays",
    "`array[1, 2]` makes one. `a[n]` and `element_at(a, n)` are its n-th element, counted from 1, and NULL where there is none.",
    (
        Function("cardinality(x)", "how many elements an array or a map has", Type.BIGINT, "cardinality(array[1, 2])", "2"),
        Function(
            "element_at(x, n)",
            "the n-th element, or a map's value of the key n; NULL when there is none",
            Type.UNKNOWN,
            "element_at(array[1, 2], -1)",
            "2",
        ),
        Function(
            "contains(x, value)",
            "whether an array holds it, or a network (`10.0.0.0/8`) an address",
            Type.BOOLEAN,
            "contains(array[1, 2], 2)",
            "true",
            rewrite=special.contains,
        ),
        Function("array_position(x, value)", "where it first is, 0 for nowhere", Type.BIGINT, "array_position(array[5, 6], 6)", "2"),
        Function("array_distinct(x)", "without repeats", Type.ARRAY, "array_distinct(array[1, 1])", "[1]"),
        Function("array_sort(x)", "in rising order", Type.ARRAY, "array_sort(array[3, 1])", "[1,3]"),
        Function("array_max(x)", "the greatest", Type.UNKNOWN, "array_max(array[1, 3])", "3"),
        Function("array_min(x)", "the least", Type.UNKNOWN, "array_min(array[1, 3])", "1"),
        Function("array_sum(x)", "the sum", Type.UNKNOWN, "array_sum(array[1, 2])", "3", becomes=("arraySum(_1)",)),
        Function("array_average(x)", "the mean", Type.DOUBLE, "array_average(array[1, 2])", "1.5", becomes=("arrayAvg(_1)",)),
        Function("array_remove(x, value)", "without that value", Type.ARRAY, "array_remove(array[1, 2], 1)", "[2]"),
        Function("array_union(x, y)", "what is in either, once", Type.ARRAY, "array_sort(array_union(array[1], array[1, 2]))", "[1,2]"),
        Function("array_intersect(x, y)", "what is in both, once", Type.ARRAY, "array_intersect(array[1, 2], array[2])", "[2]"),
        Function("array_except(x, y)", "what is in the first only, once", Type.ARRAY, "array_except(array[1, 2], array[1])", "[2]"),
        Function(
            "arrays_overlap(x, y)", "whether they have an element in common", Type.BOOLEAN, "arrays_overlap(array[1], array[2])", "false"
        ),
        Function(
            "array_join(x, separator[, for_null])",
            "its elements as one text",
            Type.VARCHAR,
            "array_join(array['a', null, 'b'], '-', 'n')",
            "a-n-b",
        ),
        Function("slice(x, start, length)", "a part of it", Type.ARRAY, "slice(array[1, 2, 3], 2, 2)", "[2,3]"),
        Function("trim_array(x, n)", "without the last n", Type.ARRAY, "trim_array(array[1, 2, 3], 1)", "[1,2]"),
        Function("shuffle(x)", "in any order", Type.ARRAY, "cardinality(shuffle(array[1, 2]))", "2"),
        Function("flatten(x)", "the elements of its elements", Type.ARRAY, "flatten(array[array[1], array[2]])", "[1,2]"),
        Function(
            "sequence(from, to[, step])",
            "numbers from one to the other, or times with a step such as `interval '1' day`",
            Type.ARRAY,
            "sequence(1, 10, 3)",
            "[1,4,7,10]",
            rewrite=special.sequence,
        ),
        Function("repeat(x, n)", "n times the same", Type.ARRAY, "repeat('a', 2)", '["a","a"]'),
        Function("zip(x, y, …)", "rows of elements of the same place", Type.ARRAY, "zip(array[1], array['a'])", '[[1,"a"]]'),
        Function("filter(x, e -> condition)", "those that fulfil a condition", Type.ARRAY, "filter(array[1, 2], x -> x > n)", "[2]"),
        Function("transform(x, e -> value)", "a value for each", Type.ARRAY, "transform(array[1, 2], x -> x + n)", "[2,3]"),
        Function(
            "zip_with(x, y, (a, b) -> value)",
            "a value for each pair",
            Type.ARRAY,
            "zip_with(array[1, 2], array[3, 4], (a, b) -> a + b)",
            "[4,6]",
        ),
        Function(
            "reduce(x, start, (s, e) -> state, s -> value)",
            "all folded into one value",
            Type.UNKNOWN,
            "reduce(array[1, 2], 0, (s, x) -> s + x, s -> s)",
            "3",
            rewrite=special.reduce,
        ),
        Function(
            "any_match(x, e -> condition)", "whether some element fulfils it", Type.BOOLEAN, "any_match(array[1, 2], x -> x > 1)", "true"
        ),
        Function("all_match(x, e -> condition)", "whether all do", Type.BOOLEAN, "all_match(array[1, 2], x -> x > 1)", "false"),
        Function("none_match(x, e -> condition)", "whether none does", Type.BOOLEAN, "none_match(array[1, 2], x -> x > 2)", "true"),
        Function("row(x, …)", "several values as one", Type.UNKNOWN, "row(1, 'a')", '[1,"a"]'),
    ),
)
