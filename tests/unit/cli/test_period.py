"""`--since` and `--until`."""

import pytest

from tailrace.cli.period import period
from tailrace.errors import UsageError

NOW = 1_700_000_000.9


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("1h", "now", (1_699_996_400, 1_700_000_001)),
        ("2d", "1d", (1_699_827_200, 1_699_913_600)),
        ("1699999990", "1699999999", (1_699_999_990, 1_699_999_999)),
        ("2023-11-14T22:00:00+00:00", "2023-11-14 22:13:20Z", (1_699_999_200, 1_700_000_000)),
        ("5000w", "now", (0, 1_700_000_001)),
    ],
)
def test_a_period(since: str, until: str, expected: tuple[int, int]):
    assert period(since, until, NOW) == expected


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [
        ("x", "now", "`--since x` is not a time"),
        ("1h", "2x", "`--until 2x` is not a time"),
        ("1h", "2h", "`--since 1h` is not before `--until 2h`"),
    ],
)
def test_what_is_no_period(since: str, until: str, message: str):
    with pytest.raises(UsageError) as raised:
        period(since, until, NOW)
    assert raised.value.message == message
