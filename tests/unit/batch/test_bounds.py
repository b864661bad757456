"""What a batch takes in memory, and that long lines are like short ones."""

from types import ModuleType

import pytest

from tests.conftest import native_kernel

LINE = b'{"k":"' + b"x" * ((8 << 20) - 8) + b'"}'
"""8 MiB, the longest that an input can be told to make one event of."""


@pytest.mark.parametrize(("field", "times"), [('"key-%d-%d":"value"', 4), ('"%x%x":1', 5)], ids=["usual", "shortest"])
def test_a_flood_of_unique_keys_takes_a_few_times_its_input(field: str, times: int) -> None:
    block = b"\n".join(b"{" + b",".join((field % (row, number)).encode() for number in range(20)) + b"}" for row in range(2000))
    batch = native_kernel().EventBatch.split_lines(block)
    assert batch.parse_json(b"content").count == 0
    assert len(batch.keys) > 39_000
    assert batch.memory <= times * len(block)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_line_of_8_mib_is_an_event_like_any_other(engine: ModuleType, end: bytes) -> None:
    block = b"before\n" + LINE + end
    batch = engine.EventBatch.split_lines(block, offset=5)
    assert (batch.raw_offsets, batch.raw_lengths) == ([5, 12], [7, len(LINE) + len(end)])
    assert batch.parse_json(b"content").rows == [0]
    batch.parse_regex(b"k", engine.Pattern(r"(x*)"), [b"all"])
    batch.parse_delimiter(b"all", b"|", [b"only"])
    encoded = batch.encode(compression="zstd")
    again = engine.EventBatch.decode(encoded.body, compression="zstd", raw_size=encoded.raw_size)
    assert again.column(b"only") == [None, LINE[6:-2]]
