"""Tables, JSON lines and CSV; and that no log line can steer the terminal it is shown on."""

import io
import json

import pytest

from tailrace.cli.output import note, plain, print_error, print_table, say
from tailrace.errors import ConfigError, ConfigErrors, TailraceError

ROWS = [{"a": "x", "b": 1, "extra": [1]}, {"a": b"\xff\x1b[31m", "b": None}]


def printed(output: str) -> str:
    stream = io.StringIO()
    print_table(ROWS, columns=["a", "b"], output=output, stream=stream)
    return stream.getvalue()


def test_a_table_outside_a_terminal_is_never_cut_and_has_no_colours() -> None:
    stream = io.StringIO()
    print_table([{"a": "w" * 5000}], columns=["a"], stream=stream)
    assert stream.getvalue().splitlines() == ["a", "─" * 5000, "w" * 5000]


def test_a_table_shows_control_characters_as_escapes() -> None:
    lines = printed("table").splitlines()
    assert lines[0].split() == ["a", "b"]
    assert lines[2].split() == ["x", "1"]
    assert lines[3].rstrip() == "\\xff\\x1b[31m"


def test_json_has_one_object_per_line_with_everything_in_it() -> None:
    assert [json.loads(line) for line in printed("json").splitlines()] == [
        {"a": "x", "b": 1, "extra": [1]},
        {"a": "\\xff\x1b[31m", "b": None},
    ]


def test_csv_has_a_header_and_the_columns() -> None:
    assert printed("csv") == "a,b\nx,1\n\\xff\x1b[31m,\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\tb\nc", "a\\tb\\nc"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("\u202egnp", "\\u202egnp"),
        (b"\xc3\xa9", "é"),
        (None, ""),
        (3, "3"),
        ("\x9b", "\\x9b"),
    ],
)
def test_text_is_made_harmless(value: object, shown: str) -> None:
    assert plain(value) == shown


def test_errors_go_to_stderr_with_their_hints(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(TailraceError("cannot do it", hint="try again"))
    print_error(ConfigErrors([ConfigError("first", where="f:1 a"), ConfigError("second \x1b[2J", hint="h")]))
    note("progress")
    say("result")
    out, err = capsys.readouterr()
    assert err == "error: cannot do it\nhint: try again\nerror: f:1 a: first\nerror: second \\x1b[2J\nhint: h\nprogress\n"
    assert out == "result\n"
