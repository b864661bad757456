"""The engine tables: what a logstore looks like there, and the statements that make them.

A table is named `ls_<logstore id>`. Base columns never change within a format version; every indexed field is a MATERIALIZED column with
an opaque name (`c17`), so that no user's key is ever an identifier. A name stands for one definition for ever: what changes gets a new one
(`changing`). The comment holds the format version and the spec that the table was last made to hold.
"""

from collections.abc import Collection, Iterable, Mapping

import msgspec

from tailrace.errors import DamagedError, NewerFormatError
from tailrace.server.store.engine_settings import literal
from tailrace.server.store.port import TAG_PREFIX, FieldIndex, LineIndex, TableSpec

FORMAT_VERSION = 3
"""2: text indexes of Chinese text keep to the token list, parts of JSON fields have columns, the line index may leave out values that have
an index of their own (`LineIndex.without`). 3: line indexes have names of their own (`LineIndex.column`)."""
TABLE_PREFIX = "ls_"
ALL_VALUES = "mapValues(fields)"
REST = "rest"
"""The values that a first line index is over when it leaves some out; computed where it is asked for, never stored."""
_MOST_VALUES = 1 << 40
"""Above the number of values that an event can have."""
FOREVER_DAYS = 3650
"""SLS keeps logs of this many days or more for ever."""

BASE_COLUMNS = (
    ("time", "DateTime64(9, 'UTC')", "CODEC(Delta(8), LZ4)"),
    ("recv", "DateTime64(3, 'UTC')", "CODEC(Delta(8), Default)"),
    ("shard", "UInt16", "CODEC(Default)"),
    ("seq", "UInt64", "CODEC(DoubleDelta, Default)"),
    ("group_cursor", "UInt64", "CODEC(Delta(8), Default)"),
    ("group_size", "UInt32", "CODEC(Default)"),
    ("agent", "LowCardinality(String)", ""),
    ("epoch", "LowCardinality(String)", ""),
    ("stream", "UInt64", "CODEC(Default)"),
    ("pack_seq", "UInt64", "CODEC(Delta(8), Default)"),
    ("pack_part", "UInt16", "CODEC(Default)"),
    ("pack_index", "UInt32", "CODEC(Delta(4), Default)"),
    ("source", "LowCardinality(String)", ""),
    ("topic", "LowCardinality(String)", ""),
    ("tags", "Map(LowCardinality(String), String)", "CODEC(Default)"),
    ("fields", "Map(LowCardinality(String), String)", "CODEC(Default)"),
)
"""The codec `Default` is the engine's choice by size: LZ4 for what was just inserted, ZSTD for what a merge wrote (docs/adr/0004).
What every query reads, and columns of fields, which are read in millions of rows, stay LZ4 (docs/adr/0037).

`seq` numbers the rows of a shard, `group_cursor` its log groups, both from 0 without holes; `pack_index` is the row's place in its
group. `stream`, `pack_seq`, `pack_part` are the pack id (0 without one). `agent` and `epoch` are empty where the writer was no agent."""

_BASE_INDEXES: tuple[str, ...] = (
    "INDEX i_seq seq TYPE minmax GRANULARITY 1",
    "INDEX i_group group_cursor TYPE minmax GRANULARITY 1",
    "INDEX i_stream stream TYPE bloom_filter(0.01) GRANULARITY 1",
)

IDLE_MERGE = "min_partition_age_to_force_merge_seconds"
"""A day to which nothing comes any more is merged to the end: what was left of its last hours is compressed well and found in one place."""
_SETTINGS = (
    f"{IDLE_MERGE} = 21600",
    # A hit of the text index is fetched with its neighbours, whose fields have to be unpacked (docs/adr/0035, 0037).
    "index_granularity = 512",
    "ttl_only_drop_parts = 1",
    # A changed retention is noted per part: no event is read or written for it.
    "materialize_ttl_recalculate_only = 1",
    "fsync_after_insert = 1",
    "fsync_part_directory = 1",
    "min_rows_to_fsync_after_merge = 1",
    "min_compressed_bytes_to_fsync_after_merge = 1",
    "non_replicated_deduplication_window = 10000",
    "map_serialization_version = 'with_buckets'",
    "map_serialization_version_for_zero_level_parts = 'basic'",
    # What was just inserted lies in few files; a merge gives each column its own (docs/adr/0004).
    "min_bytes_for_wide_part = 134217728",
    # Each row is then merged about once per power of ten of its partition, not twice: a fifth of all CPU of ingestion (docs/adr/0001).
    "min_parts_to_merge_at_once = 10",
    "parts_to_delay_insert = 1000",
    "parts_to_throw_insert = 3000",
    # Nothing that is asked here is planned by them: a hundredth of the engine's work.
    "auto_statistics_types = ''",
)

HAN = r"[\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{3FFFF}]"
"""A Chinese character, for RE2: each is a token of its own in an index of Chinese text."""
CHARACTER_END = "\x01"
"""Put around each of them for the tokenizer, which knows delimiters only; control characters hardly stand in logs."""
_APART = CHARACTER_END + r"\1" + CHARACTER_END

_COLUMN_TYPES = {
    "text": ("String", "{value}"),
    "json": ("String", "{value}"),
    "long": ("Nullable(Int64)", "toInt64OrNull({value})"),
    "double": ("Nullable(Float64)", "toFloat64OrNull({value})"),
}


class _Format(msgspec.Struct):
    format: int


class TableComment(_Format):
    """What the comment of a table says."""

    spec: TableSpec


def table_name(logstore: int) -> str:
    return f"{TABLE_PREFIX}{logstore}"


def logstore_of(table: str) -> int:
    """The other way round than `table_name`."""
    return int(table.removeprefix(TABLE_PREFIX))


def comment(spec: TableSpec) -> str:
    return msgspec.json.encode(TableComment(FORMAT_VERSION, spec)).decode()


def parse_comment(table: str, text: str) -> TableSpec:
    """The spec that a table was made from. Raises NewerFormatError and DamagedError."""
    try:
        if format_of(text) > FORMAT_VERSION:
            raise NewerFormatError(
                f"engine table `{table}` has format {format_of(text)}, this release knows up to {FORMAT_VERSION}",
                hint="start the newer release again, or restore a backup made with this one",
            )
        return msgspec.json.decode(text, type=TableComment).spec
    except msgspec.MsgspecError as error:
        raise DamagedError(f"engine table `{table}` does not say what it was made from: {error}") from error


def format_of(text: str) -> int:
    """Of a comment. Raises MsgspecError."""
    return msgspec.json.decode(text, type=_Format).format


def missing_settings(held: Collection[str]) -> list[str]:
    """Those that tables of earlier releases were made without and shall have."""
    return [setting for setting in _SETTINGS if setting.startswith(IDLE_MERGE) and IDLE_MERGE not in held]


def create_statement(spec: TableSpec) -> str:
    columns = [f"{name} {kind} {codec}".rstrip() for name, kind, codec in BASE_COLUMNS]
    parts = [*columns, *columns_of(spec).values(), *_BASE_INDEXES, *indexes_of(spec).values()]
    return (
        f"CREATE TABLE IF NOT EXISTS {table_name(spec.logstore)} (\n  "
        + ",\n  ".join(parts)
        + "\n) ENGINE = MergeTree PARTITION BY toDate(recv) ORDER BY (time, shard, seq)"
        + (f"\nTTL {ttl(spec)}" if spec.ttl_days < FOREVER_DAYS else "")
        + f"\nSETTINGS {', '.join(_SETTINGS)}\nCOMMENT '{literal(comment(spec))}'"
    )


def columns_of(spec: TableSpec) -> dict[str, str]:
    """What the indexes need beside the base columns: name to definition."""
    found = {index.column: _field_column(index) for index in spec.fields}
    if spec.line is not None and line_values(spec.line) != ALL_VALUES:
        found[line_values(spec.line)] = _line_column(spec.line)
    return found


def indexes_of(spec: TableSpec) -> dict[str, str]:
    """The text indexes: name to definition."""
    found = {} if spec.line is None else {line_index_name(spec.line): _line_index(spec.line)}
    return found | {f"i_{index.column}": _field_index(index) for index in spec.fields if _has_text_index(index)}


def drop_statement(logstore: int) -> str:
    return f"DROP TABLE IF EXISTS {table_name(logstore)} SYNC"


def ttl(spec: TableSpec) -> str:
    """From when on a row may go."""
    return f"toDateTime(recv) + INTERVAL {spec.ttl_days} DAY DELETE"


def line_values(line: LineIndex) -> str:
    """What the line index is over. A word anywhere may also be in the columns of `line.without`, a word of any one field as well: their
    values are left out wherever they stand."""
    return line.column or (REST if line.without or line.only or line.excluded else ALL_VALUES)


def line_scope(line: LineIndex) -> str:
    """All values in which a word anywhere is looked for, whichever index has them; empty ones beside them do no harm.

    Neither a lambda nor a constant map: the engine would not recognise an index over either. Of a named key the first value counts."""
    if line.only:
        return f"[{', '.join(map(_place, line.only))}]"
    if line.excluded:
        emptied = ", ".join(f"{_quoted(key)}, substring(fields[{_quoted(key)}], 1, 0)" for key in line.excluded)
        return f"mapValues(mapUpdate(fields, map({emptied})))"
    return ALL_VALUES


def line_index_name(line: LineIndex) -> str:
    return f"i_{line.column or 'line'}"


def given_fields(spec: TableSpec) -> tuple[FieldIndex, ...]:
    """Indexed fields whose values a block brings along; the engine takes the others from columns of the same row."""
    return tuple(index for index in spec.fields if _value(index).startswith("fields["))


def block_columns(fields: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Names and types of a block's columns; `fields` are columns of fields, whose values come as text."""
    return [*((name, kind) for name, kind, _ in BASE_COLUMNS), *((column, "String") for column in fields)]


def insert_statement(table: str, fields: Mapping[str, str], *, path: str, settings: str) -> str:
    """The block in the file `path` into `table`. `fields`: column to type of the fields whose values it brings along."""
    columns = block_columns(fields)
    names = ", ".join(name for name, _ in columns)
    values = ", ".join(_COLUMN_TYPES[fields[name]][1].format(value=name) if name in fields else name for name, _ in columns)
    structure = ", ".join(f"{name} {kind}" for name, kind in columns)
    return (
        f"INSERT INTO {table} ({names}) SETTINGS {settings}"  # noqa: S608 - all of it is ours
        f" SELECT {values} FROM file('{literal(path)}', 'Native', '{literal(structure)}')"
    )


# --- parts of statements ----------------------------------------------------------------------------------------------------------
def _has_text_index(index: FieldIndex) -> bool:
    return index.type in ("text", "json")


def _field_column(index: FieldIndex) -> str:
    kind, expression = _COLUMN_TYPES[index.type]
    return f"{index.column} {kind} MATERIALIZED {expression.format(value=_value(index))} CODEC(LZ4)"


def _value(index: FieldIndex) -> str:
    if not index.parent:
        return _place(index.key)
    return f"JSONExtractString({_place(index.parent)}, {', '.join(map(_quoted, index.path))})"


def _place(key: str) -> str:
    """Where the value of a key is: what does not come from the event itself has columns of its own."""
    if key in ("__source__", "__topic__"):
        return key.strip("_")
    if key.startswith(TAG_PREFIX):
        return f"tags[{_quoted(key.removeprefix(TAG_PREFIX))}]"
    return f"fields[{_quoted(key)}]"


def _field_index(index: FieldIndex) -> str:
    return f"INDEX i_{index.column} {index.column} TYPE {_text(index.column, index.tokens, index.chinese, index.case_sensitive)}"


def _line_index(line: LineIndex) -> str:
    values = line_values(line)
    return f"INDEX {line_index_name(line)} {values} TYPE {_text(values, line.tokens, line.chinese, line.case_sensitive)}"


def _line_column(line: LineIndex) -> str:
    """By value, not by key: what a repeated key has beside its column's value stays in. From the map alone, which merges by itself.

    Two line indexes over the same expression, one of them on its way, would answer for each other: one with a name differs by a bound."""
    values = line_scope(line)
    if line.without:
        values = f"arrayExcept({values}, [{', '.join(map(_place, line.without))}])"
    if line.column:
        values = f"arraySlice({values}, 1, {_MOST_VALUES + int(line.column[1:])})"
    return f"{line_values(line)} Array(String) ALIAS {values}"


def _text(expression: str, tokens: tuple[str, ...], chinese: bool, case_sensitive: bool) -> str:
    prepared = expression if case_sensitive else f"lower({expression})"
    if chinese:
        prepared = f"replaceRegexpAll({prepared}, {_quoted(f'({HAN})')}, {_quoted(_APART)})"
    preprocessor = "" if prepared == expression else f", preprocessor = {prepared}"
    return f"text(tokenizer = {tokenizer(tokens, chinese=chinese)}{preprocessor})"


def tokenizer(tokens: tuple[str, ...], *, chinese: bool) -> str:
    """The engine's name for a set of delimiters. Without delimiters a value is one word; Chinese text is cut at each character, too."""
    if chinese:
        tokens = (*tokens, CHARACTER_END)
    if not tokens:
        return "'array'"
    return f"splitByString([{', '.join(_quoted(token) for token in tokens)}])"


def _quoted(text: str) -> str:
    return f"'{literal(text)}'"
