"""processor_parse_delimiter_native."""

import pytest

TYPE = "processor_parse_delimiter_native"
KEEP = {"KeepingSourceWhenParseFail": True}


@pytest.mark.parametrize(
    ("options", "line", "fields"),
    [
        ({"Separator": ","}, "1,2,3", ["1", "2", "3"]),
        ({"Separator": ","}, '"a,b","say ""hi""",', ["a,b", 'say "hi"', ""]),
        ({"Separator": ",", "Quote": ""}, '"a,b,c', ['"a', "b", "c"]),
        ({"Separator": ",", "Quote": "'"}, "'a,b',\"c,d", ["a,b", '"c', "d"]),
        ({"Separator": "||"}, "1||2||3", ["1", "2", "3"]),
        ({"Separator": "^_^"}, "1^_^2^_^3", ["1", "2", "3"]),
        ({"Separator": "\t"}, "1\t2\t3", ["1", "2", "3"]),
        ({"Separator": "\\t"}, "1\t2\t3", ["1", "2", "3"]),
        ({"Separator": "\x01"}, "1\x012\x013", ["1", "2", "3"]),
        ({"Separator": "0x01"}, "1\x012\x013", ["1", "2", "3"]),
        ({"Separator": "0x010x02"}, "1\x01\x022\x01\x02\x013", ["1", "2", "\x013"]),
        ({"Separator": "\\u0001"}, "1\x012\x013", ["1", "2", "3"]),
        ({"Separator": "\\x1f|"}, "1\x1f|2\x1f3|\x1f|", ["1", "2\x1f3|", ""]),
        ({"Separator": "0x1"}, "10x1 20x1\x01", ["1", " 2", "\x01"]),
        ({"Separator": ",", "Quote": "0x02"}, '\x021,"2\x02,\x02\x02,3', ['1,"2', "", "3"]),
        ({"Separator": "|"}, '"a|b"" c"|"|"|', ['a|b" c', "|", ""]),
        ({"Separator": "|"}, 'a "b|c" d|e"', ['a "b', 'c" d', 'e"']),
    ],
)
def test_splitting(run, options, line, fields):
    out = run(TYPE, {"Keys": ["a", "b", "c"], **options}, line)
    assert out.events == [list(zip("abc", fields, strict=True))]


def test_fewer_fields_than_keys(run):
    base = {"Separator": ",", "Keys": ["a", "b"], **KEEP}
    assert run(TYPE, base, "1").events == [[("a", "1")]]
    strict = run(TYPE, {**base, "Quote": "", "AllowingShortenedFields": False}, "1")
    assert (strict.events, strict.failures) == ([[("content", "1")]], [(1, "`content` has fewer than 2 fields", "1")])


@pytest.mark.parametrize(
    ("treatment", "rest"),
    [("extend", [("__column0__", "2"), ("__column1__", "3")]), ("keep", [("__column0__", "2,3")]), ("discard", [])],
)
def test_more_fields_than_keys(run, treatment, rest):
    assert run(TYPE, {"Separator": ",", "Keys": ["a"], "OverflowedFieldsTreatment": treatment}, "1,2,3").events == [[("a", "1"), *rest]]


def test_text_after_a_closing_quote_fails(run):
    out = run(TYPE, {"Separator": ",", "Keys": ["a", "b"], **KEEP}, '"x"y,2', '"open,2')
    assert out.events == [[("content", '"x"y,2')], [("content", '"open,2')]]
    assert out.failures == [(2, "`content` has text after a closing quote, or an open quote", '"x"y,2')]


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"Separator": "12345"}, "Separator: must have 1 to 4 bytes, has 5"),
        (
            {"Separator": ""},
            "Separator: must not be empty (What stands between two fields; hidden characters are typed as `\\t`, `0x01` or `\\u0001`.)",
        ),
        ({"Separator": ",", "Quote": "''"}, "Quote: must be one byte or empty, has 2"),
        (
            {"Separator": "||", "Quote": "'"},
            "Quote: works only with a separator of one byte (leave `Quote` out, or set it to an empty text)",
        ),
        ({"Separator": '"'}, 'Quote: is the same as `Separator`: `"`'),
        (
            {"Separator": ",", "OverflowedFieldsTreatment": "drop"},
            "OverflowedFieldsTreatment: expected one of `extend`, `keep`, `discard`, got the string `drop`",
        ),
    ],
)
def test_refusals(refusals, options, mistake):
    assert refusals(TYPE, {"Keys": ["a"], **options}) == [mistake]
