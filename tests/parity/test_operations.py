"""Every operation, alone and in random sequences, on any bytes: both engines show the same batch after each step."""

from types import ModuleType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.parity.side_by_side import BLOCKS, EVENTS, KEYS, PAIRS, TEXTS, TIMES, examples, outcome, pattern, plain, seen

Engines = tuple[ModuleType, ModuleType]
Step = tuple[str, tuple[Any, ...], dict[str, Any]]

COLUMNS = ("column", "long column", "order")
STARTS = [r"\d", r"\d{4}-\d\d", "a", r"a.*b$", r"\s", r"[^a]", "", r".*\|", "é"]
WHOLE = [
    r"(.*)",
    r"(\w+) (.*)",
    r"([^|]*)\|([^|]*)\|(.*)",
    r"(a|b)*(.*)",
    r"(\S+)\s(\S+)(?: (\S+))?.*",
    r"(?i)(get) .*",
    r"(?!a)(.*)",
    r"(a)\1(.*)",
]
SEARCHED = [r"\d+", r"a", r"(a)(b)?", r"[|,]", r"\w*", r"\b", r"(?:)", r"\xff", r'"[^"]*"', r"(?<=a)b", r".", r"a*?"]
RULES = st.one_of(
    st.sampled_from([("rule",), *(("rule", start) for start in STARTS)]),
    st.tuples(st.just("rule"), st.sampled_from(STARTS), st.sampled_from(STARTS)),
    st.tuples(st.just("rule"), st.none() | st.sampled_from(STARTS), st.none() | st.just(r"\s"), st.sampled_from(STARTS)).filter(
        lambda rule: rule[1] is None or rule[2] is None
    ),
)
GROUPS = {text: text.count("(") - text.count("(?") for text in WHOLE}
POLICY = st.fixed_dictionaries(
    {},
    optional={
        "keep_on_success": st.booleans(),
        "keep_on_fail": st.booleans(),
        "renamed": st.none() | KEYS,
        "copy_raw": st.booleans(),
    },
)
FIELDS = st.just(b"content") | KEYS


@st.composite
def by_regex(draw: st.DrawFn) -> Step:
    text = draw(st.sampled_from(WHOLE))
    keys = draw(st.lists(KEYS, min_size=GROUPS[text], max_size=GROUPS[text] + draw(st.integers(0, 20)) // 20))
    return "parse_regex", (draw(FIELDS), ("pattern", text), keys), {"omit_empty": draw(st.booleans()), **draw(POLICY)}


@st.composite
def by_delimiter(draw: st.DrawFn) -> Step:
    separator = draw(st.sampled_from([b"|", b",", b" ", b"||", b"\x00", b"aba", b"\t", b"", b"12345"]))
    quote = draw(st.sampled_from([None, b'"', b'"', b"'", b"|"])) if len(separator) == 1 else None
    options = {
        "quote": quote,
        "trim": draw(st.sampled_from([False, False, True])),
        "surplus": draw(st.sampled_from([None, None, b"more_", b"a", b""])),
        "allow_short": draw(st.booleans()),
        "overflow": draw(st.sampled_from(["extend", "keep", "discard"])),
    }
    return "parse_delimiter", (draw(FIELDS), separator, draw(st.lists(KEYS, max_size=4))), {**options, **draw(POLICY)}


BY_JSON = st.tuples(st.just("parse_json"), st.tuples(FIELDS), POLICY)
BY_TIME = st.tuples(
    st.just("parse_time"),
    st.tuples(FIELDS, st.sampled_from(["%Y-%m-%d %H:%M:%S", "%s", "%d", "%Q", "%Y"])),
    st.fixed_dictionaries({"utc_offset_secs": st.integers(-50_000, 50_000), "keep_source": st.booleans(), "now_ns": st.just(10**18)}),
)


def rows_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str, list[Any]]]:
    """A column: one value per row, however many rows there are; now and then one too many."""
    return st.tuples(st.sampled_from(["column"] * 9 + ["long column"]), st.lists(values, min_size=1, max_size=8))


CONDITIONS = st.lists(st.tuples(FIELDS, st.sampled_from(WHOLE + SEARCHED).map(lambda text: ("pattern", text))), max_size=2)
SHAPING = st.one_of(
    st.tuples(st.just("filter"), st.tuples(CONDITIONS), st.fixed_dictionaries({"exclude": st.booleans()})),
    st.tuples(
        st.just("mask"),
        st.tuples(
            FIELDS, st.sampled_from(SEARCHED).map(lambda text: ("pattern", text)), st.sampled_from([b"", b"***", rb"<\1\\\n>", b"\\"])
        ),
        st.fixed_dictionaries({"all": st.booleans()}),
    ),
    st.tuples(st.just("rename"), st.tuples(FIELDS, KEYS), st.just({})),
    st.tuples(st.just("drop"), st.tuples(st.lists(KEYS, max_size=2)), st.just({})),
    st.tuples(st.just("add"), st.tuples(KEYS, TEXTS), st.fixed_dictionaries({"overwrite": st.booleans()})),
    st.tuples(st.just("set_column"), st.tuples(KEYS, rows_of(st.none() | TEXTS)), st.just({})),
    st.tuples(st.just("set_raw"), st.tuples(rows_of(st.integers(0, 2**50)), rows_of(st.integers(0, 2**31))), st.just({})),
    st.tuples(st.just("set_times"), st.tuples(rows_of(TIMES)), st.just({})),
    st.tuples(st.just("keep_rows"), st.tuples(rows_of(st.booleans())), st.just({})),
    st.tuples(st.just("keep_times"), st.tuples(st.none() | TIMES, st.none() | TIMES), st.just({})),
    st.tuples(
        st.just("matching"),
        st.tuples(FIELDS, st.sampled_from(WHOLE + SEARCHED).map(lambda text: ("pattern", text))),
        st.fixed_dictionaries({"anywhere": st.booleans()}),
    ),
    st.tuples(st.just("utf8_rows"), st.just(()), st.just({})),
    st.tuples(st.just("reorder"), st.tuples(st.tuples(st.just("order"), st.randoms(use_true_random=False))), st.just({})),
    st.tuples(st.just("swap"), st.tuples(st.randoms(use_true_random=False), EVENTS), st.just({})),
)
STEPS = st.one_of(by_regex(), by_delimiter(), BY_JSON, BY_TIME, SHAPING)

SOURCES = st.one_of(
    st.tuples(
        st.just("split_lines"), st.tuples(BLOCKS), st.fixed_dictionaries({"offset": st.integers(0, 2**50), "time_ns": TIMES, "key": FIELDS})
    ),
    st.tuples(
        st.just("split_records"),
        st.tuples(BLOCKS, RULES),
        st.fixed_dictionaries({"offset": st.integers(0, 2**50), "discard_unmatched": st.booleans()}),
    ),
    st.tuples(st.just("from_events"), st.tuples(EVENTS), st.just({})),
)


def for_engine(engine: ModuleType, value: Any) -> Any:
    """Patterns are named by their text until an engine is known, and so are rules (of objects, without patterns)."""
    if isinstance(value, tuple) and value[:1] == ("rule",):
        return (
            engine.RecordRule(*(None if text is None else pattern(engine, text) for text in value[1:]), limit=9)
            if value[1:]
            else engine.RecordRule.objects()
        )
    if isinstance(value, tuple) and value[:1] == ("pattern",):
        return pattern(engine, value[1])
    if isinstance(value, list | tuple):
        return type(value)(for_engine(engine, part) for part in value)
    return value


def column(name: str, values: Any, rows: int) -> list[Any]:
    if name == "order":
        values.seed(rows)
        return values.sample(range(rows), rows) if rows % 5 else [0] * rows
    wanted = rows + 1 if name == "long column" else rows
    return (values * wanted)[:wanted]


def made(engine: ModuleType, source: Step) -> Any:
    name, values, options = source
    return getattr(engine.EventBatch, name)(*for_engine(engine, values), **options)


def apply(engine: ModuleType, batch: Any, step: Step) -> Any:
    name, values, options = step
    if name == "swap":
        return outcome(lambda: batch.replace(swapped(batch.rows(), *values)))
    values = tuple(column(*value, len(batch)) if isinstance(value, tuple) and value[0] in COLUMNS else value for value in values)
    return outcome(lambda: getattr(batch, name)(*for_engine(engine, values), **options))


def swapped(rows: list[Any], random: Any, events: list[Any]) -> list[Any]:
    """Some rows as they were, some gone, some others."""
    random.seed(len(rows))
    return [random.choice([row, None, *events]) for row in rows]


@examples(250)
@given(source=SOURCES)
def test_splitting(engines: Engines, source: Step) -> None:
    native, twin = (seen(made(engine, source)) for engine in engines)
    assert native == twin


@examples(500)
@given(source=SOURCES, step=STEPS)
def test_one_step(engines: Engines, source: Step, step: Step) -> None:
    batches = [made(engine, source) for engine in engines]
    native, twin = (apply(engine, batch, step) for engine, batch in zip(engines, batches, strict=True))
    assert native == twin
    assert seen(batches[0]) == seen(batches[1])


@examples(200)
@given(source=SOURCES, steps=st.lists(STEPS, min_size=2, max_size=6), topic=TEXTS, tags=PAIRS)
def test_sequences_of_steps(engines: Engines, source: Step, steps: list[Step], topic: bytes, tags: list[Any]) -> None:
    batches = [made(engine, source) for engine in engines]
    for batch in batches:
        batch.topic, batch.source, batch.tags = topic, topic[::-1], tags
    for step in steps:
        native, twin = (apply(engine, batch, step) for engine, batch in zip(engines, batches, strict=True))
        assert native == twin, step
        assert seen(batches[0]) == seen(batches[1]), step


@examples(200)
@given(
    source=SOURCES,
    first=st.integers(0, 6),
    count=st.none() | st.integers(0, 6),
    tags=PAIRS,
    digest=st.sampled_from(["none", "md5", "sha256"]),
    with_ns=st.booleans(),
)
def test_encoding_parts(engines: Engines, source: Step, first: int, count: int | None, tags: list[Any], digest: str, with_ns: bool) -> None:
    batches = [made(engine, source) for engine in engines]
    options = {"first": first, "count": count, "tags": tags, "digest": digest, "time_ns_part": with_ns}
    native, twin = (outcome(lambda batch=batch: batch.encode(compression="none", **options)) for batch in batches)
    assert native == twin
    native, twin = (outcome(lambda batch=batch: batch.store_columns(first=first, count=count, fields=[b"content"])) for batch in batches)
    assert native == twin
    for compression in ("lz4", "zstd", "deflate"):
        for engine, batch in zip(engines, batches, strict=True):
            sealed = batch.encode(compression=compression, **options)
            opened = engine.decompress(sealed.body, compression, max_size=sealed.raw_size, raw_size=sealed.raw_size)
            assert opened == batch.encode(compression="none", **options).body


JSONS = st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b"\r\n", b" ", b"a", b'{"k": "}"}']), max_size=14).map(
    b"".join
)


@examples(300)
@given(block=BLOCKS | JSONS, rule=st.none() | RULES)
def test_the_end_of_whole_records(engines: Engines, block: bytes, rule: tuple[Any, ...] | None) -> None:
    native, twin = (engine.record_end(block, for_engine(engine, rule)) for engine in engines)
    assert native == twin


@examples(300)
@given(block=BLOCKS | JSONS, rule=RULES)
def test_splitting_into_records(engines: Engines, block: bytes, rule: tuple[Any, ...]) -> None:
    for discard in (False, True):
        native, twin = (
            seen(engine.EventBatch.split_records(block, for_engine(engine, rule), discard_unmatched=discard)) for engine in engines
        )
        assert native == twin


@examples(500)
@given(first=BLOCKS | JSONS, rest=BLOCKS | JSONS, rule=RULES, last=st.booleans())
def test_going_on_within_a_record(engines: Engines, first: bytes, rest: bytes, rule: tuple[Any, ...], last: bool) -> None:
    begun = first.rpartition(b"\n")[2]
    native, twin = (
        (state := for_engine(engine, rule).state(first), for_engine(engine, rule).rest(rest, state, begun=begun, last=last),
         for_engine(engine, rule).state(rest, state, begun=begun))
        for engine in engines
    )  # fmt: skip
    assert native == twin


def test_a_flood_of_unique_keys(engines: Engines) -> None:
    """Beyond 256 distinct keys the kernel stops interning."""
    block = b"\n".join(b'{"k%d":%d,"same":1,"k%d":"x","\\u006b%d":2}' % (row, row, row % 7, row % 300) for row in range(900))
    batches = [engine.EventBatch.split_lines(block) for engine in engines]
    for batch in batches:
        batch.parse_json(b"content")
        batch.rename(b"k899", b"renamed")
        batch.add(b"k5", b"five")
        batch.drop([b"k6", b"k700"])
        batch.parse_delimiter(b"same", b",", [b"k800", b"k3"], keep_on_success=True)
    assert seen(batches[0]) == seen(batches[1])


def test_many_surplus_fields(engines: Engines) -> None:
    values = [b"|".join(b"%d" % field for field in range(count)) for count in (256, 257, 258, 259, 700)]
    for options in ({}, {"quote": b'"'}, {"overflow": "keep"}, {"overflow": "discard"}):
        batches = [engine.EventBatch.split_lines(b"\n".join([*values, values[-1] + b'|"bad']), key=b"c") for engine in engines]
        native, twin = (plain(batch.parse_delimiter(b"c", b"|", [b"a", b"b"], **options)) for batch in batches)
        assert native == twin
        assert seen(batches[0]) == seen(batches[1])


def test_long_values(engines: Engines) -> None:
    """Wide loads must stop at the end of a value, and sizes beyond one and two digits of a varint must hold."""
    lines = [(b'ab|"\\{}' * size)[:size] for size in (15, 16, 17, 31, 32, 33, 63, 64, 127, 128, 129, 16_383, 16_384, 200_000)]
    for step in [
        ("parse_delimiter", (b"c", b"|", [b"a"]), {}),
        ("parse_json", (b"c",), {}),
        ("parse_regex", (b"c", ("pattern", "(.*)"), [b"z"]), {}),
    ]:
        batches = [engine.EventBatch.split_lines(b"\n".join(lines), key=b"c") for engine in engines]
        native, twin = (apply(engine, batch, step) for engine, batch in zip(engines, batches, strict=True))
        assert native == twin
        assert seen(batches[0]) == seen(batches[1])
