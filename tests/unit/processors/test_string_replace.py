"""processor_string_replace."""

import pytest

from tailrace.batch import EventBatch
from tailrace.pipeline import registry

TYPE = "processor_string_replace"


@pytest.mark.parametrize(
    ("options", "value", "result"),
    [
        ({"Method": "const", "Match": "a.", "ReplaceString": "$1"}, "a.ab a.", "$1ab $1"),
        ({"Method": "const", "Match": "x"}, "xaxb", "ab"),
        ({"Method": "regex", "Match": "a+", "ReplaceString": "-"}, "baaac a", "b-c -"),
        ({"Method": "regex", "Match": r"(\w+)@(\w+)", "ReplaceString": "$2 at ${1}0 $$1 \\1"}, "ann@home", r"home at ann0 $1 \1"),
        ({"Method": "regex", "Match": "zzz", "ReplaceString": "-"}, "abc", "abc"),
        ({"Method": "regex", "Match": r"\x1b\[[0-9;]*m"}, "\x1b[1;31mred\x1b[0m", "red"),
        ({"Method": "unquote"}, '"a\\tb"', "a\tb"),
        ({"Method": "unquote"}, 'say "hi"\\n', 'say "hi"\n'),
        ({"Method": "unquote"}, '\\u00e9 \\U0001F600 \\x41 \\101 \\\\ \\"', 'é 😀 A A \\ "'),
        ({"Method": "unquote"}, '""', ""),
        ({"Method": "unquote"}, "plain", "plain"),
    ],
)
def test_replacing(run, options, value, result):
    out = run(TYPE, {"SourceKey": "s", **options}, {"s": value, "t": value}, {"t": "x"})
    assert out.events == [[("s", result), ("t", value)], [("t", "x")]]
    assert out.failures == []


@pytest.mark.parametrize("method", [{"Method": "const", "Match": "b"}, {"Method": "regex", "Match": "b"}, {"Method": "unquote"}])
def test_the_result_may_go_elsewhere(run, method):
    out = run(TYPE, {"SourceKey": "s", "DestKey": "d", **method}, {"s": "ac"}, {"d": "old b"})
    assert out.events[0] == [("s", "ac"), ("d", "ac")]
    assert [key for key, _ in out.events[1]] == ["d"]


def test_an_event_without_the_source_keeps_its_target(run):
    for method in ({"Method": "const", "Match": "b"}, {"Method": "regex", "Match": "b"}, {"Method": "unquote"}):
        assert run(TYPE, {"SourceKey": "s", "DestKey": "d", **method}, {"d": "old b"}).events == [[("d", "old b")]], method


@pytest.mark.parametrize("wrong", ['"', "\\q", "\\", "\\x4", "\\400", "\\ud800", "\\U00110000", "a\nb", '"a"b"', "\\u12"])
def test_what_cannot_be_unquoted_fails_and_stays(run, wrong):
    out = run(TYPE, {"SourceKey": "s", "Method": "unquote"}, {"s": wrong})
    assert out.events == [[("s", wrong)]]
    assert out.failures == [(1, "`s` has an escape or a quote that cannot be", wrong)]


def test_bytes_of_any_kind_pass():
    entry = registry.get("processor", TYPE)
    plugin = entry.cls(entry.config_model.model_validate({"SourceKey": "s", "Method": "unquote"}))
    batch = EventBatch.from_events([(1, [(b"s", b'"\xff\\xff\x00"')])])
    plugin.process(batch)
    assert batch.column(b"s") == [b"\xff\xff\x00"]


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        ({"Method": "swap"}, "Method: expected one of `const`, `regex`, `unquote`, got the string `swap`"),
        ({"Method": "const"}, "Match: is missing (`Method: const` needs what to look for)"),
        ({"Method": "regex"}, "Match: is missing (`Method: regex` needs what to look for)"),
        ({"Method": "unquote", "Match": "x"}, "Match: has no meaning with `Method: unquote` (remove it)"),
        (
            {"Method": "regex", "Match": "(a)", "ReplaceString": "$2"},
            "ReplaceString: names group 2, the pattern has 1, and up to 9 can be named",
        ),
    ],
)
def test_refusals(refusals, options, mistake):
    assert refusals(TYPE, {"SourceKey": "s", **options}) == [mistake]


def test_a_bad_pattern_is_refused_and_a_good_one_is_listed(refusals):
    assert refusals(TYPE, {"SourceKey": "s", "Method": "regex", "Match": "("})[0].startswith("Match: ")
    model = registry.get("processor", TYPE).config_model
    assert list(model.model_validate({"SourceKey": "s", "Method": "regex", "Match": "a+"}).patterns()) == [("Match", "a+")]
    assert list(model.model_validate({"SourceKey": "s", "Method": "const", "Match": "a("}).patterns()) == []
