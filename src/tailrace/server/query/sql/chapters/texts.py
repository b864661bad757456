"""Functions of text."""

from tailrace.server.query.sql import special
from tailrace.server.query.sql.contract import Chapter, Function, Like, Type

CHAPTER = Chapter(
    "Text",
    "Positions are counted from 1 and in characters, not bytes. `a || b` joins texts.",
    (
        Function("length(text)", "number of characters", Type.BIGINT, "length('中文')", "2"),
        Function("lower(text)", "in lower case", Type.VARCHAR, "lower('ÀB')", "àb", becomes=("lowerUTF8(_1)",)),
        Function("upper(text)", "in upper case", Type.VARCHAR, "upper('éa')", "ÉA", becomes=("upperUTF8(_1)",)),
        Function("concat(x, …)", "joined; arrays, too", Like.FIRST, "concat(s, '!')", "Alpha-1!"),
        Function("concat_ws(separator, text, …)", "joined with a separator", Type.VARCHAR, "concat_ws('-', 'a', 'b')", "a-b"),
        Function(
            "substr(text, start[, length])",
            "a part of it; a negative start counts from the end",
            Type.VARCHAR,
            "substr('hello', -3)",
            "llo",
        ),
        Function("substring(text, start[, length])", "the same as substr", Type.VARCHAR, "substring(s, 7)", "1"),
        Function(
            "strpos(text, part[, n])",
            "where a part first (or for the n-th time) stands, 0 for nowhere",
            Type.BIGINT,
            "strpos('abcabc', 'bc', 2)",
            "5",
            becomes=(
                "positionUTF8(_1, _2)",
                (
                    "if(cardinality(splitByString(_2, _1)) > _3,"
                    " lengthUTF8(arrayStringConcat(arraySlice(splitByString(_2, _1), 1, _3), _2)) + 1, 0)"
                ),
            ),
        ),
        Function(
            "strrpos(text, part)",
            "where a part last stands, 0 for nowhere",
            Type.BIGINT,
            "strrpos('abcabc', 'bc')",
            "5",
            becomes=(
                "if(positionUTF8(_1, _2) = 0, 0, lengthUTF8(_1) - positionUTF8(reverseUTF8(_1), reverseUTF8(_2)) - lengthUTF8(_2) + 2)",
            ),
        ),
        Function("replace(text, part[, other])", "each part replaced, or removed", Type.VARCHAR, "replace(s, '-', '+')", "Alpha+1"),
        Function(
            "translate(text, from, to)",
            "each character of `from` replaced by its counterpart",
            Type.VARCHAR,
            "translate('abc', 'ab', 'xy')",
            "xyc",
        ),
        Function("reverse(x)", "backwards; arrays, too", Like.FIRST, "reverse('中文')", "文中", rewrite=special.reverse),
        Function("lpad(text, length, with)", "filled up, or cut, on the left", Type.VARCHAR, "lpad('x', 3, '.')", "..x"),
        Function("rpad(text, length, with)", "filled up, or cut, on the right", Type.VARCHAR, "rpad('x', 3, '.')", "x.."),
        Function("trim(text)", "without white space around it", Type.VARCHAR, "trim('  x ')", "x"),
        Function("ltrim(text[, characters])", "without white space before it", Type.VARCHAR, "ltrim('  x')", "x"),
        Function("rtrim(text[, characters])", "without white space after it", Type.VARCHAR, "rtrim('x ')", "x"),
        Function(
            "split(text, delimiter[, limit])",
            "its parts as an array; the last of `limit` parts holds the rest",
            Type.ARRAY,
            "split('a,b,c', ',', 2)",
            '["a","b,c"]',
            becomes=(
                (
                    "if(cardinality(splitByString(_2, _1)) > _3, arrayConcat(arraySlice(splitByString(_2, _1), 1, _3 - 1),"
                    " ARRAY[arrayStringConcat(arraySlice(splitByString(_2, _1), _3), _2)]), splitByString(_2, _1))"
                ),
            ),
        ),
        Function("split_part(text, delimiter, n)", "its n-th part, NULL when there are fewer", Type.VARCHAR, "split_part(s, '-', 2)", "1"),
        Function(
            "split_to_map(text, entry_delimiter, key_delimiter)",
            "`a=1,b=2` as a map",
            Type.UNKNOWN,
            "split_to_map('a=1,b=2', ',', '=')",
            '{"a":"1","b":"2"}',
        ),
        Function("starts_with(text, part)", "whether it begins so", Type.BOOLEAN, "starts_with(s, 'Al')", "true"),
        Function("ends_with(text, part)", "whether it ends so", Type.BOOLEAN, "ends_with(s, '1')", "true"),
        Function(
            "chr(code)",
            "the character of a Unicode number",
            Type.VARCHAR,
            "chr(20013)",
            "中",
            becomes=("convertCharset(char(_1 % 256, intDiv(_1, 256) % 256, intDiv(_1, 65536), 0), 'UTF-32LE', 'UTF-8')",),
        ),
        Function(
            "codepoint(character)",
            "the Unicode number of a character",
            Type.BIGINT,
            "codepoint('中')",
            "20013",
            becomes=("toInt64(reinterpretAsUInt32(convertCharset(_1, 'UTF-8', 'UTF-32LE')))",),
        ),
        Function("normalize(text)", "in the composed form of Unicode (NFC)", Type.VARCHAR, "length(normalize('é'))", "1"),
        Function("format(pattern, x, …)", "values in a text, as of printf", Type.VARCHAR, "format('%s-%05d', s, n)", "Alpha-1-00001"),
        Function("soundex(text)", "how an English word sounds", Type.VARCHAR, "soundex('Robert')", "R163"),
        Function(
            "levenshtein_distance(text, other)",
            "how many changes make one the other",
            Type.BIGINT,
            "levenshtein_distance('kitten', 'sitting')",
            "3",
        ),
        Function(
            "hamming_distance(text, other)", "in how many places they differ", Type.BIGINT, "hamming_distance('karolin', 'kathrin')", "3"
        ),
    ),
)
