"""The pure-Python engine: the names of `kernel/tailrace_kernel.pyi` with the same results, only slower.

It runs wherever Python runs. User patterns run on `re`, without limits on time: see `tailrace.batch.patterns`.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

from tailrace.batch.twin import edit
from tailrace.batch.twin.clock import Clock
from tailrace.batch.twin.codec import compress, decompress, fingerprint
from tailrace.batch.twin.decode import Bounds, decode_group
from tailrace.batch.twin.encode import Encoded, log_group, seal
from tailrace.batch.twin.errors import DecodeError, PatternError
from tailrace.batch.twin.expand_json import LeafParser
from tailrace.batch.twin.parse_apsara import parse_apsara
from tailrace.batch.twin.parse_delimiter import DelimiterParser
from tailrace.batch.twin.parse_json import JsonParser
from tailrace.batch.twin.parse_key_value import KeyValueParser, Shape
from tailrace.batch.twin.parse_regex import RegexParser
from tailrace.batch.twin.parse_time import parse_time
from tailrace.batch.twin.pattern import Pattern
from tailrace.batch.twin.policy import Failures, Policy, apply
from tailrace.batch.twin.records import RecordRule, record_end, split_records
from tailrace.batch.twin.repeat import repeat_rows
from tailrace.batch.twin.split import split_lines
from tailrace.batch.twin.store_columns import StoreColumns, distinct_keys, store_columns
from tailrace.batch.twin.table import Event, Origin, Span, Table, from_events
from tailrace.batch.twin.time_format import compile_format

__all__ = [
    "DecodeError",
    "Encoded",
    "EventBatch",
    "Failures",
    "Pattern",
    "PatternError",
    "RecordRule",
    "StoreColumns",
    "compress",
    "decompress",
    "fingerprint",
    "record_end",
]

Compression: TypeAlias = Literal["none", "lz4", "zstd", "deflate"]
Digest: TypeAlias = Literal["none", "md5", "sha256"]

CONTENT = b"content"
BYTES_PER_VALUE = 33 + 16
"""What a value costs beyond its bytes: an object and two references."""


class EventBatch:
    """Events of one range. The contract describes every method."""

    __slots__ = ("_discarded", "_table", "source", "tags", "topic")

    def __init__(self, table: Table, discarded: int = 0) -> None:
        self._table = table
        self._discarded = discarded
        self.topic = b""
        self.source = b""
        self.tags: list[tuple[bytes, bytes]] = []

    # --- making one -------------------------------------------------------------------------------------------------------------

    @staticmethod
    def split_lines(block: bytes, *, offset: int = 0, time_ns: int = 0, key: bytes = CONTENT) -> "EventBatch":
        return EventBatch(split_lines(block, Origin(offset, time_ns, key)))

    @staticmethod
    def split_records(
        block: bytes, rule: RecordRule, *, offset: int = 0, time_ns: int = 0, key: bytes = CONTENT, discard_unmatched: bool = False
    ) -> "EventBatch":
        return EventBatch(*split_records(block, rule, Origin(offset, time_ns, key), discard_unmatched=discard_unmatched))

    @staticmethod
    def from_events(events: Sequence[Event]) -> "EventBatch":
        return EventBatch(from_events(events))

    @staticmethod
    def decode(
        body: bytes,
        *,
        compression: Compression = "none",
        raw_size: int | None = None,
        max_raw_size: int = 31_457_280,
        max_events: int = 512_000,
        max_fields: int = 8_000_000,
        max_key: int = 1_024,
        max_value: int = 10_485_760,
        max_tags: int = 1_024,
    ) -> "EventBatch":
        raw = decompress(body, compression, max_size=max_raw_size, raw_size=raw_size)
        group = decode_group(raw, Bounds(max_events, max_fields, max_key, max_value, max_tags))
        batch = EventBatch.from_events(group.events)
        batch.topic, batch.source, batch.tags = group.topic, group.source, group.tags
        return batch

    # --- looking at it ----------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._table)

    @property
    def discarded(self) -> int:
        return self._discarded

    @property
    def memory(self) -> int:
        table = self._table
        return len(table.block) + sum(BYTES_PER_VALUE * len(values) + sum(map(len, values)) for values in table.values)

    @property
    def keys(self) -> list[bytes]:
        return list(distinct_keys(self._table.keys))

    def column(self, key: bytes) -> list[bytes | None]:
        return self._table.column(key)

    def spans(self, key: bytes) -> list[Span | None]:
        return self._table.column_spans(key)

    @property
    def times(self) -> list[int]:
        return list(self._table.times)

    @property
    def raw_offsets(self) -> list[int]:
        return list(self._table.offsets)

    @property
    def raw_lengths(self) -> list[int]:
        return list(self._table.lengths)

    def set_raw(self, offsets: Sequence[int], lengths: Sequence[int]) -> None:
        self._check_one_per_row(len(offsets))
        self._check_one_per_row(len(lengths))
        self._table.offsets, self._table.lengths = list(offsets), list(lengths)

    def rows(self) -> list[Event]:
        return self._table.events()

    def replace(self, events: Sequence[Event | None]) -> None:
        table = self._table
        if len(events) != len(table):
            raise ValueError(f"the batch has {len(table)} events, {len(events)} are put back")
        kept = [event is not None for event in events]
        table.keep(kept)
        self._discarded += kept.count(False)
        changed = from_events([event for event in events if event is not None])
        table.keys, table.values, table.times, table.spans = changed.keys, changed.values, changed.times, changed.spans

    # --- parsing ----------------------------------------------------------------------------------------------------------------

    def parse_regex(
        self,
        source: bytes,
        pattern: Pattern,
        keys: Sequence[bytes],
        *,
        omit_empty: bool = False,
        keep_on_success: bool = False,
        keep_on_fail: bool = True,
        renamed: bytes | None = None,
        copy_raw: bool = False,
    ) -> Failures:
        policy = Policy(source, keep_on_success, keep_on_fail, renamed, copy_raw)
        return apply(self._table, RegexParser(pattern, keys, omit_empty=omit_empty), policy)

    def parse_json(
        self,
        source: bytes,
        *,
        keep_on_success: bool = False,
        keep_on_fail: bool = True,
        renamed: bytes | None = None,
        copy_raw: bool = False,
    ) -> Failures:
        policy = Policy(source, keep_on_success, keep_on_fail, renamed, copy_raw)
        return apply(self._table, JsonParser(), policy)

    def expand_json(
        self,
        source: bytes,
        *,
        root: bytes = b"",
        connector: bytes = b"_",
        depth: int = 0,
        arrays: bool = False,
        keep_on_success: bool = False,
        keep_on_fail: bool = True,
        renamed: bytes | None = None,
        copy_raw: bool = False,
    ) -> Failures:
        policy = Policy(source, keep_on_success, keep_on_fail, renamed, copy_raw)
        return apply(self._table, LeafParser(root=root, connector=connector, depth=depth, arrays=arrays), policy)

    def parse_key_value(
        self,
        source: bytes,
        delimiter: bytes,
        separator: bytes,
        *,
        quote: bytes | None = None,
        empty_key: bytes = b"empty_key_",
        no_separator_key: bytes | None = b"no_separator_key_",
        note_empty: bool = True,
        note_loose: bool = True,
        keep_on_success: bool = False,
        keep_on_fail: bool = True,
        renamed: bytes | None = None,
        copy_raw: bool = False,
    ) -> Failures:
        policy = Policy(source, keep_on_success, keep_on_fail, renamed, copy_raw)
        shape = Shape(delimiter, separator, quote, empty_key, no_separator_key, note_empty, note_loose)
        return apply(self._table, KeyValueParser(shape), policy)

    def parse_apsara(
        self,
        source: bytes,
        *,
        utc_offset_secs: int,
        keep_on_success: bool = False,
        keep_on_fail: bool = True,
        renamed: bytes | None = None,
        copy_raw: bool = False,
    ) -> Failures:
        policy = Policy(source, keep_on_success, keep_on_fail, renamed, copy_raw)
        return parse_apsara(self._table, utc_offset_secs, policy)

    def parse_delimiter(
        self,
        source: bytes,
        separator: bytes,
        keys: Sequence[bytes],
        *,
        quote: bytes | None = None,
        trim: bool = False,
        allow_short: bool = True,
        overflow: Literal["extend", "keep", "discard"] = "extend",
        surplus: bytes | None = None,
        keep_on_success: bool = False,
        keep_on_fail: bool = True,
        renamed: bytes | None = None,
        copy_raw: bool = False,
    ) -> Failures:
        policy = Policy(source, keep_on_success, keep_on_fail, renamed, copy_raw)
        parser = DelimiterParser(
            separator, keys, quote=quote, trim=trim, allow_short=allow_short, overflow=overflow, surplus=surplus
        )  # fmt: skip
        return apply(self._table, parser, policy)

    def parse_time(
        self,
        source: bytes,
        format: str,  # noqa: A002 - the contract's name
        *,
        utc_offset_secs: int,
        year: int | None = None,
        now_ns: int = 0,
        keep_source: bool = True,
    ) -> Failures:
        clock = Clock(utc_offset_secs, year, now_ns)
        return parse_time(self._table, source, compile_format(format), clock, keep_source=keep_source)

    # --- shaping ----------------------------------------------------------------------------------------------------------------

    def filter(self, conditions: Sequence[tuple[bytes, Pattern]], *, exclude: bool = False) -> int:
        matching = edit.matching(self._table, conditions, any if exclude else all)
        kept = [not match for match in matching] if exclude else matching
        return self.keep_rows(kept)

    def matching(self, key: bytes, pattern: Pattern, *, anywhere: bool = False) -> list[bool]:
        return edit.matches(self._table.column(key), pattern, anywhere=anywhere)

    def utf8_rows(self) -> list[bool]:
        return edit.utf8_rows(self._table)

    def mask(
        self,
        source: bytes,
        pattern: Pattern,
        replacement: bytes,
        *,
        all: bool = True,  # noqa: A002 - the contract's name
        instead: bytes | None = None,  # noqa: ARG002 - `re` has no limits that a value could hit
    ) -> Failures:
        edit.mask(self._table, source, pattern, replacement, all_matches=all)
        return Failures()

    def rename(self, old: bytes, new: bytes) -> int:
        return edit.rename(self._table, old, new)

    def drop(self, keys: Sequence[bytes]) -> None:
        edit.drop(self._table, keys)

    def add(self, key: bytes, value: bytes, *, overwrite: bool = True) -> None:
        edit.add(self._table, key, value, overwrite=overwrite)

    def set_column(self, key: bytes, values: Sequence[bytes | None]) -> None:
        self._check_one_per_row(len(values))
        edit.set_column(self._table, key, values)

    def set_times(self, values: Sequence[int]) -> None:
        self._check_one_per_row(len(values))
        self._table.times = list(values)

    def keep_rows(self, kept: Sequence[bool]) -> int:
        self._check_one_per_row(len(kept))
        dropped = kept.count(False)
        self._table.keep(kept)
        self._discarded += dropped
        return dropped

    def keep_times(self, lower_ns: int | None = None, upper_ns: int | None = None) -> int:
        lower, upper = -math.inf if lower_ns is None else lower_ns, math.inf if upper_ns is None else upper_ns
        return self.keep_rows([lower <= time <= upper for time in self._table.times])

    def reorder(self, order: Sequence[int]) -> None:
        self._check_one_per_row(len(order))
        self._table.reorder(order)

    def repeat(self, counts: Sequence[int], starts: Sequence[int] | None = None) -> None:
        self._check_one_per_row(len(counts))
        repeat_rows(self._table, counts, starts)
        self._discarded += list(counts).count(0)

    def absent(self, key: bytes) -> int:
        return self._table.column(key).count(None)

    def _check_one_per_row(self, given: int) -> None:
        if given != len(self):
            raise ValueError(f"the batch has {len(self)} events, {given} values are given")

    # --- out --------------------------------------------------------------------------------------------------------------------

    def encode(
        self,
        *,
        compression: Compression = "lz4",
        digest: Digest = "sha256",
        first: int = 0,
        count: int | None = None,
        tags: Sequence[tuple[bytes, bytes]] = (),
        time_ns_part: bool = False,
    ) -> Encoded:
        rows = self._rows(first, count)
        group = log_group(self._table, rows, self.topic, self.source, [*self.tags, *tags], time_ns_part=time_ns_part)
        return seal(group, len(range(*rows.indices(len(self)))), compression, digest)

    def store_columns(self, *, first: int = 0, count: int | None = None, fields: Sequence[bytes] = ()) -> StoreColumns:
        return store_columns(self._table, self._rows(first, count), fields)

    def _rows(self, first: int, count: int | None) -> slice:
        if first < 0 or (count is not None and count < 0):
            raise ValueError("rows are counted from 0")
        return slice(first, None if count is None else first + count)
