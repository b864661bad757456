"""processor_desensitize."""

import hashlib

import pytest

TYPE = "processor_desensitize"
REGEX = {"Method": "const", "Match": "regex", "ReplaceString": "***", "RegexBegin": "'password':'", "RegexContent": "[^']*"}
LINE = "[{'account':'1812','password':'04a23f38'}, {'account':'1813','password':'123a'}]"


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("options", "value", "masked"),
    [
        ({"Method": "const", "Match": "full", "ReplaceString": "***"}, LINE, "***"),
        ({"Method": "md5", "Match": "full"}, "secret", md5("secret")),
        (REGEX, LINE, "[{'account':'1812','password':'***'}, {'account':'1813','password':'***'}]"),
        (
            {**REGEX, "Method": "md5"},
            LINE,
            LINE.replace("04a23f38", "9c525f463ba1c89d6badcd78b2b7bd79").replace("123a", "1552c03e78d38d5005d4ce7b8018addf"),
        ),
        ({**REGEX, "RegexBegin": "pass", "RegexContent": r"\d+"}, "password is 12 or 34; pass 5", "password is *** or 34; pass ***"),
        ({**REGEX, "RegexBegin": "a|b", "RegexContent": "x|y"}, "ay bx cx", "a*** b*** cx"),
        ({**REGEX, "RegexBegin": r"\n", "RegexContent": "x"}, "x\n\nx", "x\n\n***"),
        ({**REGEX, "ReplaceString": r"\1$1"}, "'password':'x'", r"'password':'\1$1'"),
        (REGEX, "nothing here", "nothing here"),
    ],
)
def test_masking(run, options, value, masked):
    out = run(TYPE, {"SourceKey": "s", **options}, {"s": value, "t": value}, {"t": "x"})
    assert out.events == [[("s", masked), ("t", value)], [("t", "x")]]
    assert out.failures == []


@pytest.mark.parametrize(
    ("options", "mistakes"),
    [
        ({"Method": "const", "Match": "full"}, ["ReplaceString: is missing (`Method: const` needs the text to put)"]),
        (
            {"Method": "md5", "Match": "regex"},
            [f"{key}: is missing (`Match: regex` needs `RegexBegin` and `RegexContent`)" for key in ("RegexBegin", "RegexContent")],
        ),
        (
            {"Method": "md5", "Match": "full", "RegexBegin": "a"},
            ["RegexBegin: has a meaning only with `Match: regex` (remove it)"],
        ),
        ({"Method": "sha1", "Match": "full"}, ["Method: expected one of `const`, `md5`, got the string `sha1`"]),
        ({"Method": "md5", "Match": "part"}, ["Match: expected one of `full`, `regex`, got the string `part`"]),
    ],
)
def test_refusals(refusals, options, mistakes):
    assert refusals(TYPE, {"SourceKey": "s", **options}) == mistakes


def test_patterns_that_do_not_go_together(refusals):
    found = refusals(TYPE, {"SourceKey": "s", **REGEX, "RegexContent": r"(?i)x"})
    assert found[0].startswith("RegexContent: does not go together with `RegexBegin`: ")
