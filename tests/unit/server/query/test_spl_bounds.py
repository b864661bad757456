"""What `query` of PullLogs may weigh, and what a line or a name may do to it."""

import tracemalloc

import pytest

from tailrace.errors import ApiError
from tailrace.server.query.search.predicate import Binder
from tailrace.server.query.spl.program import Program
from tailrace.server.query.spl.stream import BASE
from tailrace.server.store.port import Rows, TableSpec

DEEP = '{"a":' * 60_000 + "1" + "}" * 60_000


def given(query: str, fields: dict[str, str]) -> tuple[dict[str, str], bool]:
    """The fields that the stages leave of one event, and whether it could not be taken apart."""
    row = (0, 0, 0, "10.0.0.1", "web", ["host"], ["a"], list(fields), list(fields.values()), 0, True)
    (result,) = Program(query).given(Rows([], ["x"] * (len(BASE) + 1), [row]))
    return dict(zip(result.row[7], result.row[8], strict=True)), result.failed  # type: ignore[arg-type]


@pytest.mark.parametrize("stages", [9, 12, 20])
def test_objects_in_objects_are_refused_before_they_are_made(stages: int) -> None:
    tracemalloc.start()
    with pytest.raises(ApiError, match="the stages of `query` are too many or too long together"):
        Program("*" + " | parse-json a" * (stages - 1) + " | where b = '1'")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50 << 20


def test_a_few_objects_in_objects_are_read() -> None:
    program = Program("* | parse-json a" + " | parse-json b" * 4 + " | where c = '1'")
    assert "JSONExtractRaw" in program.statement(TableSpec(1, 1), "1", Binder())


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("* | extend " + ", ".join(f"f{number} = 1" for number in range(101)), "set too many fields: at most 100"),
        ("* | extend a = 1" + ", a = a + a" * 9 + " | where true" * 3, "too many or too long"),
        (
            "* | extend " + ", ".join(f"f{number} = concat({', '.join(['a'] * 60)})" for number in range(90)),
            "too many or too long together",
        ),
        ("* | extend " + ", ".join(["a = a + 1"] * 95), "too many or too long together|nested too deeply"),
        ("* | extend " + ", ".join(["a = ((((((((a))))))))"] * 22), "nested too deeply"),
        ("* | parse-json -prefix='__tag__:' a", "`__tag__:` cannot be a prefix of `parse-json`: names that begin with `__` are reserved"),
        ("* | parse-json -prefix='__' a", "`__` cannot be a prefix"),
    ],
)
def test_what_is_too_large_or_reserved_is_refused(query: str, told: str) -> None:
    with pytest.raises(ApiError, match=told) as raised:
        Program(query)
    assert (raised.value.status, raised.value.error_code) == (400, "ParameterInvalid")


def test_as_many_assignments_as_are_allowed_can_be_asked() -> None:
    program = Program("* | extend " + ", ".join(f"f{number} = {number}" for number in range(100)))
    assert "f99" not in program.statement(TableSpec(1, 1), "1", Binder())


def test_a_line_that_is_nested_too_deeply_is_one_that_failed() -> None:
    fields = {"a": DEEP, "b": "1"}
    assert given("* | parse-json a", fields) == (fields, True)


def test_a_line_leaves_all_of_its_members_or_none_however_deep_it_is() -> None:
    seen: set[bool] = set()
    for depth in range(850, 1010):
        found, failed = given("* | parse-json a", {"a": '{"first": 1, "second": ' + "[" * depth + "]" * depth + "}"})
        assert set(found) == ({"a"} if failed else {"a", "first", "second"})
        seen.add(failed)
    assert seen == {True, False}


def test_no_member_becomes_what_belongs_to_the_whole_group() -> None:
    fields = {"a": '{"__tag__:host": "x", "_tag__:host": "x", "__topic__": "x", "ok": "1"}'}
    assert given("* | parse-json -prefix='_' a", fields) == ({**fields, "_ok": "1"}, False)
    assert given("* | parse-json a", fields)[0] == {**fields, "_tag__:host": "x", "ok": "1"}


def test_what_belongs_to_the_whole_group_is_asked_of_the_group() -> None:
    statement = Program("* | parse-json -prefix='_' a | where __topic__ = 'web'").statement(TableSpec(1, 1), "1", Binder())
    assert "json" not in statement.lower()
