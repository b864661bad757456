"""Functions of JSON text."""

from tailrace.server.query.sql import special
from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "JSON",
    'Paths are constant: `$.a.b`, `$.list[0]`, `$["a name"]`. What is not there, and text that is no JSON, gives NULL.',
    (
        Function(
            "json_extract(json, path)",
            "the part at a path, as JSON",
            Type.JSON,
            "json_extract(j, '$.a')",
            '{"b":1}',
            rewrite=special.at_path("nullif(JSONExtractRaw(_1), '')", Type.JSON),
        ),
        Function(
            "json_extract_scalar(json, path)",
            "the text, number or boolean at a path, as text",
            Type.VARCHAR,
            "json_extract_scalar(j, '$.l[1]')",
            "2",
            rewrite=special.at_path("if(JSONType(_1) IN ('Null', 'Array', 'Object'), NULL, JSONExtractString(_1))", Type.VARCHAR),
        ),
        Function(
            "json_parse(text)",
            "the JSON of a text",
            Type.JSON,
            'json_parse(\'{"b": 1, "a": [2]}\')',
            '{"b":1,"a":[2]}',
            becomes=("if(isValidJSON(_1), JSONExtractRaw(_1), NULL)",),
        ),
        Function(
            "json_format(json)", "JSON as text", Type.VARCHAR, "json_format(cast(array[1, 2] as json))", "[1,2]", becomes=("toString(_1)",)
        ),
        Function(
            "json_array_length(json)",
            "how many elements",
            Type.BIGINT,
            "json_array_length('[1, 2]')",
            "2",
            becomes=("if(JSONType(_1) = 'Array', JSONLength(_1), NULL)",),
        ),
        Function(
            "json_array_get(json, n)",
            "the n-th element, counted from 0; a negative n counts from the end",
            Type.JSON,
            "json_array_get('[\"a\", [3]]', -1)",
            "[3]",
            becomes=("nullif(JSONExtractRaw(_1, if(_2 < 0, _2, _2 + 1)), '')",),
        ),
        Function(
            "json_array_contains(json, value)",
            "whether it is an element",
            Type.BOOLEAN,
            "json_array_contains('[1, 2]', 2)",
            "true",
            becomes=("has(JSONExtractArrayRaw(_1), toJSONString(_2))",),
        ),
        Function(
            "json_size(json, path)",
            "how many elements or members the part at a path has",
            Type.BIGINT,
            "json_size(j, '$.l')",
            "3",
            rewrite=special.at_path("if(JSONType(_1) = 'Null', NULL, JSONLength(_1))", Type.BIGINT),
        ),
        Function(
            "is_json_scalar(json)",
            "whether it is no array and no object",
            Type.BOOLEAN,
            "is_json_scalar('[1]')",
            "false",
            becomes=("JSONType(_1) NOT IN ('Array', 'Object')",),
        ),
    ),
)
