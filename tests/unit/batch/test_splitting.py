"""Blocks become events: which bytes belong to which event, and where in the stream they stood."""

from types import ModuleType

import pytest


def values(batch) -> list[bytes]:
    return batch.column(b"content")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"", []),
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\nb", [b"a", b"b"]),
        (b"\n\n", [b"", b""]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\r\r\nb\r", [b"a\r", b"b\r"]),
        (b"\x00\xff\n", [b"\x00\xff"]),
    ],
)
def test_lines(engine: ModuleType, block: bytes, expected: list[bytes]) -> None:
    batch = engine.EventBatch.split_lines(block, offset=100, time_ns=7)
    assert values(batch) == expected
    assert batch.times == [7] * len(expected)


def test_raw_offsets_and_lengths_partition_the_block(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_lines(b"ab\r\n\nc", offset=100)
    assert (batch.raw_offsets, batch.raw_lengths) == ([100, 104, 105], [4, 1, 1])
    assert batch.spans(b"content")[0] == (0, 2)


BLOCK = b"stray\r\n2026 a\n  more\r\n2027 b\n\n2028 c"


def test_records_begin_where_the_pattern_matches_a_prefix(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_records(BLOCK, engine.RecordRule(engine.Pattern(r"\d{4}")), offset=10)
    assert values(batch) == [b"stray", b"2026 a\n  more", b"2027 b\n", b"2028 c"]
    assert (batch.raw_offsets, batch.raw_lengths) == ([10, 17, 32, 40], [7, 15, 8, 6])
    assert batch.discarded == 0


def test_lines_before_the_first_record_can_be_discarded(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_records(BLOCK, engine.RecordRule(engine.Pattern(r"\d{4}")), discard_unmatched=True)
    assert (values(batch)[0], len(batch), batch.discarded) == (b"2026 a\n  more", 3, 1)
    nothing = engine.EventBatch.split_records(b"a\nb\n", engine.RecordRule(engine.Pattern("x")), discard_unmatched=True)
    assert (len(nothing), nothing.discarded) == (0, 2)


def test_a_record_start_sees_a_line_without_its_end(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_records(b"a!\r\nb\na!\r", engine.RecordRule(engine.Pattern("a!$")))
    assert values(batch) == [b"a!\r\nb", b"a!\r"]


@pytest.mark.parametrize(
    ("block", "start", "expected"),
    [
        (b"a\nb\nc", None, 4),
        (b"abc", None, 0),
        (b"1 a\n b\n2 c\n d", r"\d", 7),
        (b"1 a\n b\n", r"\d", 0),
        (b"1 a\n2 b\n3", r"\d", 4),
        (b"1 a\n2", r"\d", 0),
        (b"1 a\n", r"\d", 0),
        (b"stray\nlines\nha", r"\d", 12),
        (b"", r"\d", 0),
    ],
)
def test_the_end_of_whole_records(engine: ModuleType, block: bytes, start: str | None, expected: int) -> None:
    assert engine.record_end(block, start and engine.RecordRule(engine.Pattern(start))) == expected


# Lines of the tests below: `s` begins, `m` goes on, `e` ends, `x` is none of them; each record in brackets is expected.
@pytest.mark.parametrize(
    ("rule", "lines", "expected"),
    [
        ("s", "x s x e s", ["x", "[s x e]", "[s]"]),
        ("sm", "m s m m x s s m", ["m", "[s m m]", "x", "[s]", "[s m]"]),
        ("se", "e s x s m e x s e s", ["e", "[s x s m e]", "x", "[s e]", "[s]"]),
        ("me", "x m m e e m x m s m", ["x", "[m m e]", "[e]", "m", "x", "m", "s", "[m]"]),
        ("e", "x s e e x", ["[x s e]", "[e]", "[x]"]),
    ],
)
def test_each_combination_of_patterns(engine: ModuleType, rule: str, lines: str, expected: list[str]) -> None:
    made = engine.RecordRule(**{name: engine.Pattern(name[0]) for name in ("start", "more", "end") if name[0] in rule})
    batch = engine.EventBatch.split_records(lines.replace(" ", "\n").encode() + b"\n", made)
    assert [value.decode().replace("\n", " ") for value in values(batch)] == [text.strip("[]") for text in expected]
    records = [text for text in expected if text.startswith("[")]
    only = engine.EventBatch.split_records(lines.replace(" ", "\n").encode() + b"\n", made, discard_unmatched=True)
    assert (len(only), only.discarded) == (len(records), len(expected) - len(records))


def test_a_line_that_begins_and_ends_a_record(engine: ModuleType) -> None:
    begin, end = engine.Pattern("<"), engine.Pattern(".*>")
    assert values(engine.EventBatch.split_records(b"<a>\n<b\nc>\n", engine.RecordRule(begin, end=end))) == [b"<a>", b"<b\nc>"]
    fence = engine.RecordRule(engine.Pattern("---"), end=engine.Pattern("---"))
    assert values(engine.EventBatch.split_records(b"---\na\n---\n", fence)) == [b"---\na\n---"]


def test_lines_at_work_that_are_too_long_already_are_a_record(engine: ModuleType) -> None:
    for limit, expected in ((2, [b"m\nm", b"x"]), (3, [b"m", b"m", b"x"])):
        rule = engine.RecordRule(more=engine.Pattern("m"), end=engine.Pattern("e"), limit=limit)
        assert values(engine.EventBatch.split_records(b"m\nm\nx\n", rule)) == expected


@pytest.mark.parametrize("names", [(), ("more",), ("start", "more", "end")])
def test_combinations_that_say_nothing_or_too_much(engine: ModuleType, names: tuple[str, ...]) -> None:
    patterns = {name: engine.Pattern("a") for name in names}
    with pytest.raises(ValueError, match="records are told apart by"):
        engine.RecordRule(**patterns)


OBJECTS = b' {"a": {"b": "}{"}}\n\n{\n  "c": "\\"{",\n  "d": [{}]\n}{"e":1} tail\nprose {\n{"half": [\n'


def test_json_objects(engine: ModuleType) -> None:
    batch = engine.EventBatch.split_records(OBJECTS, engine.RecordRule.objects(), offset=100)
    assert values(batch) == [
        b'{"a": {"b": "}{"}}',
        b'{\n  "c": "\\"{",\n  "d": [{}]\n}',
        b'{"e":1}',
        b" tail",
        b"prose {",
        b'{"half": [',
    ]
    assert batch.raw_offsets[:2] == [101, 121]
    assert batch.raw_lengths[0] == 18
    assert engine.record_end(OBJECTS, engine.RecordRule.objects()) == OBJECTS.index(b'{"half')
    assert engine.record_end(b'{"a":1}', engine.RecordRule.objects()) == 7


@pytest.mark.parametrize(
    ("rule", "before", "after", "rest"),
    [
        ("s", b"s\n", b"x\ns\n", 2),
        ("s", b"s", b" more\nx\ns\n", 8),
        ("s", b"half", b" line\nx\n", 6),
        ("se", b"s\nx", b"x\ne\ns\n", 4),
        ("se", b"s\ne", b"e\nx\n", 2),
        ("me", b"m\n", b"m\ne\nm\n", 4),
        ("me", b"m\n", b"x\nm\n", 0),
        ("e", b"x\n", b"x\n", None),
        ("s", b"s\nx\n", b"s", None),
        ("", b'{"a": "}', b'}"}\n{}', 3),
        ("", b'{"a": "\\', b'"}"}', 4),
        ("", b"text", b" ends\n{}", 6),
    ],
)
def test_the_rest_of_a_record_whose_beginning_lies_before(
    engine: ModuleType, rule: str, before: bytes, after: bytes, rest: int | None
) -> None:
    patterns = {name: engine.Pattern(name[0]) for name in ("start", "more", "end") if name[0] in rule}
    made = engine.RecordRule(**patterns) if rule else engine.RecordRule.objects()
    state = made.state(before)
    assert state
    assert made.rest(after, state, begun=before.rpartition(b"\n")[2]) == rest


def test_the_last_line_is_judged_as_it_is_when_nothing_follows(engine: ModuleType) -> None:
    made = engine.RecordRule(engine.Pattern("s"))
    assert made.rest(b"x\ns", made.state(b"s\n"), last=True) == 2
