"""Events that become several keep the time of the first, and their places in the file."""

from tailrace.batch import EventBatch
from tailrace.pipeline import registry
from tests.unit.processors.hostile_bytes import Counter, outcome


def split(type_name: str, options: dict[str, str], batch: EventBatch) -> list[tuple[int, int, bytes | None]]:
    entry = registry.get("processor", type_name)
    made, counter = outcome(entry, entry.config_model.model_validate(options), batch)
    assert isinstance(counter, Counter)
    assert made.times == [5] * len(made)
    return list(zip(made.raw_offsets, made.raw_lengths, made.column(b"content"), strict=True))


def test_the_pieces_of_a_line_divide_its_bytes():
    batch = EventBatch.split_lines(b"ab|c||d\nef\n", offset=100, time_ns=5)
    assert split("processor_split_log_string", {"SplitSep": "|"}, batch) == [
        (100, 3, b"ab"),
        (103, 3, b"c"),
        (106, 2, b"d"),
        (108, 3, b"ef"),
    ]


def test_the_records_of_a_value_divide_its_bytes():
    batch = EventBatch.from_events([(5, [(b"content", b"1 a\n b\n2 c\n")])])
    assert split("processor_split_log_regex", {"SplitRegex": r"\d.*"}, batch) == [(0, 0, b"1 a\n b"), (0, 0, b"2 c")]
    batch = EventBatch.split_lines(b"x\r1\r", offset=7, time_ns=5)
    assert split("processor_split_log_regex", {}, batch) == [(7, 4, b"x\r1")]
