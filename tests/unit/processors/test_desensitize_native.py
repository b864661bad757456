"""processor_desensitize_native."""

import hashlib

import pytest

TYPE = "processor_desensitize_native"
BASE = {"ReplacingString": "***", "ContentPatternBeforeReplacedString": "password=", "ReplacedContentPattern": r"\S+"}
MD5 = {"Method": "md5", "ContentPatternBeforeReplacedString": "password=", "ReplacedContentPattern": r"\S+"}


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest().upper()


@pytest.mark.parametrize(
    ("options", "line", "masked"),
    [
        (BASE, "user=a password=x1 ok password=y2", "user=a password=*** ok password=***"),
        ({**BASE, "ReplacingAll": False}, "password=x1 password=y2", "password=*** password=y2"),
        ({**BASE, "ReplacingString": ""}, "password=x1 ok", "password= ok"),
        ({**BASE, "ReplacingString": r"\1\0$&"}, "password=x1", r"password=\1\0$&"),
        (BASE, "nothing here", "nothing here"),
        ({"ReplacingString": "N", "ReplacedContentPattern": r"\d+"}, "a1b22", "aNbN"),
        ({**BASE, "ContentPatternBeforeReplacedString": "(user|pass)=(?:x)?"}, "pass=xyz user=q", "pass=x*** user=***"),
        (MD5, "password=x1 ok password=y2", f"password={md5('x1')} ok password={md5('y2')}"),
        ({**MD5, "ReplacingAll": False}, "password=x1 password=y2", f"password={md5('x1')} password=y2"),
        ({**MD5, "ReplacedContentPattern": r"\w*"}, "password= password=a", f"password={md5('')} password={md5('a')}"),
        ({**MD5, "ContentPatternBeforeReplacedString": "^(?:a=)?"}, "a=b c", f"a={md5('b')} c"),
        ({**MD5, "ContentPatternBeforeReplacedString": "", "ReplacedContentPattern": r"\d*"}, "a1b", f"a{md5('1')}b"),
        (MD5, "nothing here", "nothing here"),
    ],
)
def test_masking(run, options, line, masked):
    out = run(TYPE, options, {"content": line, "other": line})
    assert out.events == [[("content", masked), ("other", line)]]
    assert out.failures == []


def test_alternatives_in_the_content_belong_together(run):
    out = run(TYPE, {**BASE, "ReplacedContentPattern": "cat|dog"}, "password=dog cat")
    assert out.events == [[("content", "password=*** cat")]]


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        (
            {"ReplacedContentPattern": "x"},
            "ReplacingString: is missing (`Method: const` needs the text to put; an empty text removes the part)",
        ),
        (
            {**MD5, "ReplacingString": "x"},
            "ReplacingString: has no meaning with `Method: md5` (remove it, or use `Method: const`)",
        ),
        ({"ReplacingString": "x", "Method": "sha"}, None),
        (
            {"ReplacingString": "x", "ReplacedContentPattern": ""},
            "ReplacedContentPattern: must not be empty (The pattern of the part to replace.)",
        ),
    ],
)
def test_refusals(refusals, options, mistake):
    found = refusals(TYPE, options)
    if mistake is None:
        assert found == [
            "Method: expected one of `const`, `md5`, got the string `sha`",
            "ReplacedContentPattern: is missing (The pattern of the part to replace.)",
        ]
    else:
        assert found == [mistake]
