"""Functions with regular expressions."""

from tailrace.server.query.sql.contract import Chapter, Function, Type

CHAPTER = Chapter(
    "Regular expressions",
    "Patterns are of the RE2 dialect: no look-around, no back-references. `(?i)` at the beginning ignores case.",
    (
        Function("regexp_like(text, pattern)", "whether it matches somewhere", Type.BOOLEAN, "regexp_like(s, '^Alpha')", "true"),
        Function(
            "regexp_extract(text, pattern[, group])",
            "what matches, or its group; NULL for no match",
            Type.VARCHAR,
            "regexp_extract(s, '([a-z]+)-(\\d)', 2)",
            "1",
            becomes=(
                "nullif(regexp_extract(_1, _2), '')",
                "nullif(regexp_extract(_1, _2, _3), '')",
            ),
        ),
        Function(
            "regexp_extract_all(text, pattern[, group])",
            "all matches as an array",
            Type.ARRAY,
            "regexp_extract_all('a1b2', '([a-z])(\\d)', 2)",
            '["1","2"]',
        ),
        Function(
            "regexp_replace(text, pattern[, with])",
            "each match replaced (`$1` is a group), or removed",
            Type.VARCHAR,
            "regexp_replace('abc', '(b)', '[$1]')",
            "a[b]c",
        ),
        Function(
            "regexp_split(text, pattern)", "what stands between the matches", Type.ARRAY, "regexp_split('a1b2c', '\\d')", '["a","b","c"]'
        ),
        Function("regexp_count(text, pattern)", "how many matches", Type.BIGINT, "regexp_count(s, '[a-z]')", "4"),
        Function(
            "regexp_position(text, pattern)",
            "where the first match begins, -1 for none",
            Type.BIGINT,
            "regexp_position('ab1', '\\d')",
            "3",
            becomes=("toInt64(if(match(_1, _2), toInt64(regexpPosition(_1, _2)), toInt64(-1)))",),
        ),
    ),
)
