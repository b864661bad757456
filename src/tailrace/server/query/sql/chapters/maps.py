"""Functions of maps."""

from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "Maps",
    "`m['key']` and `element_at(m, 'key')` are the value of a key, and NULL where there is none.",
    (
        Function("map([keys, values])", "of two arrays", Type.UNKNOWN, "map(array['a'], array[1])", '{"a":1}'),
        Function("map_from_entries(rows)", "of an array of rows", Type.UNKNOWN, "map_from_entries(array[row('a', 1)])", '{"a":1}'),
        Function("map_entries(x)", "as an array of rows", Type.ARRAY, "map_entries(map(array['a'], array[1]))", '[["a",1]]'),
        Function("map_keys(x)", "its keys", Type.ARRAY, "map_keys(map(array['a'], array[1]))", '["a"]'),
        Function("map_values(x)", "its values", Type.ARRAY, "map_values(map(array['a'], array[1]))", "[1]"),
        Function(
            "map_concat(x, y, …)",
            "all in one, the later wins",
            Type.UNKNOWN,
            "map_concat(map(array['a'], array[1]), map(array['a'], array[2]))",
            '{"a":2}',
        ),
        Function(
            "map_filter(x, (k, v) -> condition)",
            "the entries that fulfil a condition",
            Type.UNKNOWN,
            "map_filter(map(array['a', 'b'], array[1, 2]), (k, v) -> v > 1)",
            '{"b":2}',
        ),
        Function(
            "transform_keys(x, (k, v) -> key)",
            "with other keys",
            Type.UNKNOWN,
            "transform_keys(map(array['a'], array[1]), (k, v) -> concat(k, 'x'))",
            '{"ax":1}',
        ),
        Function(
            "transform_values(x, (k, v) -> value)",
            "with other values",
            Type.UNKNOWN,
            "transform_values(map(array['a'], array[1]), (k, v) -> v + 1)",
            '{"a":2}',
        ),
    ),
)
