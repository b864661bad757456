"""What hits a limit of a pattern's engine: masked as a whole by what masks, left as it is by what replaces, and told by both."""

import hashlib

import pytest

from tailrace.batch import NATIVE

PART = r"(?:a+)+(?=[bc])[bc]"
"""Takes steps without end where neither `b` nor `c` follows; the twin has no limits, and gets a value that it is soon done with."""
HOSTILE = "password=" + "a" * (60 if NATIVE else 12)
NATIVE_OPTIONS = {"ContentPatternBeforeReplacedString": "password=", "ReplacedContentPattern": PART}
OPTIONS = {"Match": "regex", "RegexBegin": "password=", "RegexContent": PART}
MD5 = hashlib.md5(HOSTILE.encode()).hexdigest()


@pytest.mark.parametrize(
    ("type_name", "options", "whole"),
    [
        ("processor_desensitize_native", {**NATIVE_OPTIONS, "ReplacingString": "***"}, "***"),
        ("processor_desensitize_native", {**NATIVE_OPTIONS, "ReplacingString": ""}, ""),
        ("processor_desensitize_native", {**NATIVE_OPTIONS, "Method": "md5"}, MD5.upper()),
        ("processor_desensitize", {**OPTIONS, "SourceKey": "content", "Method": "const", "ReplaceString": "***"}, "***"),
        ("processor_desensitize", {**OPTIONS, "SourceKey": "content", "Method": "md5"}, MD5),
    ],
)
def test_what_cannot_be_searched_is_masked_whole(run, type_name, options, whole):
    out = run(type_name, options, HOSTILE, "nothing here")
    assert out.events == [[("content", whole if NATIVE else HOSTILE)], [("content", "nothing here")]]
    told = [(1, "hits a limit of the pattern's engine, and is masked as a whole", "")]  # without a sample, which would show it
    assert (out.alarms, out.failures) == (["CAST_SENSITIVE_WORD_ALARM"], told) if NATIVE else not out.alarms


def test_what_is_found_before_the_limit_does_not_show_the_rest(run):
    out = run("processor_desensitize_native", {**NATIVE_OPTIONS, "ReplacingString": "***"}, "password=aab " + HOSTILE)
    assert out.events == [[("content", "***" if NATIVE else "password=*** " + HOSTILE)]]


def test_what_cannot_be_replaced_stays_and_is_told(run):
    out = run("processor_string_replace", {"SourceKey": "content", "Method": "regex", "Match": PART}, HOSTILE)
    assert out.events == [[("content", HOSTILE)]]
    assert out.failures == ([(1, "hits a limit of the engine of `Match`, and stays as it is", HOSTILE)] if NATIVE else [])
