"""Sample data through the processors of a pipeline: what came out, what failed and where."""

from tailrace.pipeline.loading import from_document
from tailrace.pipeline.preview import format_time, preview


def pipeline(*processors: dict) -> object:
    document = {"inputs": [{"Type": "input_test", "Paths": ["/a"]}], "processors": list(processors), "flushers": [{"Type": "flusher_test"}]}
    return from_document(document, "p.yaml")


REGEX = {"Type": "processor_parse_regex_native", "Regex": r"(\d+) (.*)", "Keys": ["t", "m"]}
STAMP = {"Type": "processor_parse_timestamp_native", "SourceKey": "t", "SourceFormat": "%s"}
FILTER = {"Type": "processor_filter_regex_native", "Exclude": {"m": "noise"}}


def test_an_input_without_a_splitter_of_its_own_gives_lines() -> None:
    result = preview(pipeline(), b"a\nb\r\n\nc")
    assert [row["content"] for row in result.rows()] == ["a", "b", "", "c"]
    assert {row["__time__"] for row in result.rows()} == {"(when read)"}
    assert result.summary() == ["4 events in, 4 out, 0 failed, 0 discarded"]


def test_failures_and_discards_are_told_by_processor() -> None:
    result = preview(pipeline(REGEX, STAMP, FILTER), b"1777777777 hello\nbad\nworse\n1777777778 noise\n")
    assert result.rows() == [{"__time__": "2026-05-03T03:09:37Z", "t": "1777777777", "m": "hello"}]
    assert result.summary() == [
        "4 events in, 1 out, 2 failed, 1 discarded",
        "processors[0] processor_parse_regex_native: 2 events failed: `content` does not match `Regex`, the first: `bad`",
        "processors[2] processor_filter_regex_native: 1 event discarded: matches `Exclude`",
    ]


def test_bytes_that_are_not_text_are_shown() -> None:
    assert preview(pipeline(), b"\xff\x00a\n").rows()[0]["content"] == "\\xff\x00a"


def test_nothing_in_nothing_out() -> None:
    assert preview(pipeline(REGEX), b"").summary() == ["0 events in, 0 out, 0 failed, 0 discarded"]


def test_a_time_has_as_many_digits_as_it_needs() -> None:
    assert format_time(1_777_777_777_250_000_000) == "2026-05-03T03:09:37.25Z"
    assert format_time(0) == "1970-01-01T00:00:00Z"
