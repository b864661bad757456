"""What a refusal of the engine means for the one who asked."""

import pytest

from tailrace.errors import ApiError, BusyError, EngineError, TooLargeError
from tailrace.server.query.portions import Portion
from tailrace.server.query.refusals import explain
from tailrace.server.store.port import EngineQuery, Limits, Rows

OF_ALL = "DB::Exception: (total) memory limit exceeded: would use 1.01 GiB (attempt to allocate chunk of 4.00 MiB), maximum: 1.00 GiB"
OF_ONE = "DB::Exception: Query memory limit exceeded: would use 64.01 MiB, maximum: 64.00 MiB: While executing AggregatingTransform"


def explained(message: str, *, alone: bool = False) -> Exception:
    return explain(EngineError(message, engine_code=241), EngineQuery("SELECT 1"), {}, alone=alone)


def test_memory_that_others_have_taken_is_worth_another_try_later() -> None:
    assert isinstance(explained(OF_ALL), BusyError)
    assert isinstance(explained(OF_ALL.replace("(total) memory limit", "Memory limit (total)")), BusyError)
    assert not isinstance(explained(OF_ALL), ApiError)


def test_a_query_alone_that_needs_all_the_memory_is_told_which_setting_bounds_it() -> None:
    error = explained(OF_ALL, alone=True)
    assert isinstance(error, TooLargeError)
    assert "more than the 1.00 GiB of memory of the storage engine" in str(error)
    assert "raise `engine_memory_bytes`" in str(error)


def test_memory_that_the_query_itself_takes_is_too_much() -> None:
    assert isinstance(explained(OF_ONE), TooLargeError)


@pytest.mark.parametrize(("message", "raised", "asked"), [(OF_ALL, BusyError, [16]), (OF_ONE, TooLargeError, [16, 4, 1])])
async def test_fewer_rows_are_asked_for_only_where_that_helps(message: str, raised: type[Exception], asked: list[int]) -> None:
    counts: list[int] = []

    async def question(count: int, limits: Limits) -> Rows:
        counts.append(count)
        raise explained(message)

    with pytest.raises(raised):
        await Portion(16, Limits("light")).ask(question)
    assert counts == asked


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Illegal types Int64 and String of arguments of function plus", "Illegal types bigint and varchar of arguments of `+`"),
        (
            "Illegal type Nullable(Float64) of argument of function lengthUTF8: In scope x",
            "Illegal type double of argument of function length",
        ),
        ("Aggregate function avgOrNull(x1) is found in WHERE in query", "Aggregate function avg(latency) is found in WHERE in query"),
        ("cannot compile re2: (, error: missing ): (. Look at https://x for reference", "cannot compile re2: (, error: missing ): ("),
    ],
)
def test_what_the_engine_says_is_told_in_words_of_sql(message: str, told: str) -> None:
    error = explain(
        EngineError(f"Code: 43. DB::Exception: {message}", engine_code=43), EngineQuery("SELECT 1", {}, "trino"), {"x1": "latency"}
    )
    assert str(error) == f"cannot run the SQL: {told}"
