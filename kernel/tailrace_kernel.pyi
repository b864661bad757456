"""The contract of the native kernel.

`tailrace.batch.reference` offers the same names with the same results in pure Python; `tests/parity` runs both. All calls that walk bytes
release the GIL, unless they are surely done within a millisecond or two: on less than 4 KiB, and with short patterns of the linear engines.
Offsets and lengths are bytes, times are nanoseconds since the Unix epoch (int, may be negative only as an error), keys and values are
`bytes` and may hold any byte.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, final

__version__: str

Compression: TypeAlias = Literal["none", "lz4", "zstd", "deflate"]
Digest: TypeAlias = Literal["none", "md5", "sha256"]
Event: TypeAlias = tuple[int, list[tuple[bytes, bytes]]]
"""(time in ns, [(key, value), …]); keys may repeat and keep their order."""

class PatternError(ValueError):
    """A user pattern outside the dialect, or malformed. The text says which part and why; `.position` is its byte offset."""

    position: int

class DecodeError(ValueError):
    """Bytes that are not what they should be (LogGroup, compressed body), or beyond a bound. `.reason` is one of "malformed",
    "too_large", "too_many", "wrong_size"."""

    reason: str

@final
class Pattern:
    r"""A compiled user pattern. Dialect (docs/reference/patterns.md): bytes, ASCII classes, `.` matches any byte but newline unless
    `dotall`, `$` only at the very end. Raises PatternError.

    - A character beyond ASCII stands for its UTF-8 bytes as one unit (a quantifier repeats all of it); inside `[…]` it is refused.
    - `\d \D \w \W \s \S` (`\s` is `[ \t\n\r\f\v]`), `\b \B`, `^` and `\A` (the very start), `$`, `\z` and `\Z` (the very end), `\n \r \t
      \f \v \a \xHH`; a backslash before any other ASCII character that is no letter or digit makes it literal; every other backslash form
      is refused.
    - `[…]`: ranges, negation, the class escapes, `[:alpha:]` and the other POSIX names; `]` first, `-` first or last and `[` are literal.
    - `(…)`, `(?:…)`, `(?P<name>…)`, `(?<name>…)`, flags `i` and `s` as `(?is)` at the very start or scoped `(?i-s:…)`. At most 200
      groups, nesting at most 100.
    - `* + ? {n} {n,} {,m} {n,m}` (bounds at most 1000) and their lazy forms; a `{` that begins none of these is literal. A quantifier
      needs something to repeat: not another quantifier, nor an assertion. Multiplied out a pattern has at most 100 000 single-byte steps.
    - `(?=…) (?!…) (?<=…) (?<!…)` (look-behind of one fixed width), `\1`…`\99` and `(?P=name)` to a group closed before, `(?>…)`, `*+ ++
      ?+ {n,m}+`: "backtracking", unless the pattern is "negation": after an optional `^`, one or more `(?!…)` and then a rest, all free
      of the forms of this line (and the rest is no top-level alternation), or exactly `^(?:(?!X).)*$` with any of `^ $` absent, X as
      before and never empty.
    - Choice is leftmost-first (as in Perl). What a group holds after a repeated body that matched nothing is not defined.
    """

    def __init__(self, pattern: str, *, dotall: bool = True) -> None: ...
    @property
    def pattern(self) -> str: ...
    @property
    def groups(self) -> int:
        """Number of capture groups, without group 0."""
    @property
    def group_names(self) -> list[str | None]: ...
    @property
    def engine(self) -> Literal["scanner", "linear", "negation", "backtracking"]:
        """Which engine runs it: a compiled scanner, a linear-time engine, the rewritten `^(?!.*X).*` idiom, or PCRE2 with limits. The
        twin answers "backtracking" for whatever is not "negation"."""
    def full_match(self, data: bytes) -> list[bytes | None] | None:
        """The groups 1… when the whole of `data` matches, else None."""
    def prefix_match(self, data: bytes) -> bool:
        """Whether `data` starts with a match (record starts of multi-line logs)."""
    def search(self, data: bytes) -> tuple[int, int] | None:
        """Span of the leftmost match. ValueError where the value hits a limit of the backtracking engine: nothing is known then."""

@final
class RecordRule:
    r"""What a record of several lines is. Patterns see one line at a time, without `\n` or `\r\n`, and need only match its beginning.

    - start: a record begins at a line that matches, and runs to the next such line.
    - start and more: it begins at a line that matches `start` and goes on over the lines that match `more` (which is asked first).
    - start and end: it begins at a line that matches `start` and ends with the next that matches `end`, which may be the same line unless
      both patterns are the same text.
    - more and end: lines that match `more`, up to and with one that matches `end`. If a line matches neither, it and the lines at work
      belong to no record; but lines at work that are longer than `limit` bytes (without the last line's end) are a record all the same, so
      that whoever sees the lines in steps need not go back further.
    - end: each record ends with a line that matches.
    - objects: one JSON object each, from a `{` before which there are only blanks on its line, or which follows an object, to the brace
      that closes it; only strings and nesting are looked at. Blanks between objects belong to nothing.

    Whatever belongs to no record is *unmatched*, line by line. Other combinations are a ValueError. All take linear time.
    """

    def __init__(
        self, start: Pattern | None = None, more: Pattern | None = None, end: Pattern | None = None, *, limit: int | None = None
    ) -> None: ...
    @staticmethod
    def objects() -> RecordRule: ...
    def state(self, block: bytes, state: int = 0, *, begun: bytes = b"") -> int:
        """What has to be known to go on behind `block`, which itself began with `state`: 0 where a record may begin, else a number that
        only `rest` and `state` understand. `begun` is what of the block's first line lies before it."""
    def rest(self, block: bytes, state: int, *, begun: bytes = b"", last: bool = False) -> int | None:
        """How many bytes of `block` still belong to the record (or the unmatched line) within which it begins; None when its end does not
        show. `last`: a last line without newline is judged as it is."""

@final
class Failures:
    """Which rows a parsing step could not handle. Rows stay in the batch unless the source policy removed them."""

    @property
    def count(self) -> int: ...
    @property
    def removed(self) -> int:
        """How many of them were removed from the batch because nothing of them was to be kept."""
    @property
    def sample(self) -> bytes:
        """The first failing value, cut at 1 KiB (empty when there is none)."""
    @property
    def partial(self) -> int:
        """How many rows were parsed with something missing, as the parsing step says; they are no failures."""
    @property
    def partial_sample(self) -> bytes:
        """The first such value, cut at 1 KiB."""
    @property
    def rows(self) -> list[int]:
        """Indexes of the failed rows as they were before removal."""

@final
class Encoded:
    """One LogGroup ready to send."""

    @property
    def body(self) -> bytes: ...
    @property
    def raw_size(self) -> int:
        """Bytes of the uncompressed LogGroup."""
    @property
    def digest(self) -> str:
        """Digest of `body`: lower hex for sha256, upper hex for md5, "" for none."""
    @property
    def events(self) -> int: ...

@final
class StoreColumns:
    """Every row's contents as the storage engine lays them out (ClickHouse's `Native`): integers are little-endian, a string is its
    length in base 128, lowest digits first, then its bytes."""

    @property
    def times(self) -> bytes:
        """int64 ns, one per row."""
    @property
    def ends(self) -> bytes:
        """uint64 per row: how many entries this row and those before it have."""
    @property
    def key_index(self) -> bytes:
        """Per entry the index into `keys`: uint8 for up to 256 keys, uint16 for up to 65536, else uint32."""
    @property
    def keys(self) -> list[bytes]:
        """The distinct keys, in order of first appearance."""
    @property
    def values(self) -> bytes:
        """A string per entry."""
    @property
    def fields(self) -> list[bytes]:
        """Per asked name a string per row: its first value, empty where the row has none."""

@final
class EventBatch:
    """Events of one range as columns: spans over a read-only block plus an arena for bytes that had to be rewritten.

    Row order is the order of the source. Columns keep the order in which their key first appeared; a row's fields are written in the
    order in which the row got them. A key may repeat within a row only in batches that were decoded or built from events.
    """

    # --- making one -------------------------------------------------------------------------------------------------------------
    @staticmethod
    def split_lines(block: bytes, *, offset: int = 0, time_ns: int = 0, key: bytes = b"content") -> EventBatch:
        r"""One event per line of `block`. A line ends at `\n`; one `\r` before it is not part of the value. A last line without `\n` is
        an event too. An empty line is an event with an empty value. `offset` is the block's position in its stream: raw offset and raw
        length of the events partition `[offset, offset + len(block))`."""
    @staticmethod
    def split_records(
        block: bytes, rule: RecordRule, *, offset: int = 0, time_ns: int = 0, key: bytes = b"content", discard_unmatched: bool = False
    ) -> EventBatch:
        r"""One event per record of a block that begins between records; the last newline (and its `\r`) is not part of the value. A record
        that the block ends in is an event too. Unmatched lines are one event each (`single_line`), or discarded and counted in
        `discarded`."""
    @staticmethod
    def from_events(events: Sequence[Event]) -> EventBatch: ...
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
    ) -> EventBatch:
        """A LogGroup (protobuf; sls-api §2.1), decompressed under the bounds before anything is allocated for it. Unknown fields are
        skipped; a log without Time gets 0. Raises DecodeError; `raw_size`, when given, must be exact ("wrong_size")."""

    # --- looking at it ----------------------------------------------------------------------------------------------------------
    def __len__(self) -> int: ...
    topic: bytes
    source: bytes
    tags: list[tuple[bytes, bytes]]
    @property
    def discarded(self) -> int:
        """Events dropped on purpose so far (unmatched lines, filters)."""
    @property
    def memory(self) -> int:
        """Bytes held: block, arena, spans and overflow."""
    @property
    def keys(self) -> list[bytes]:
        """The distinct keys that rows have now, in order of first appearance (row by row, field by field)."""
    def column(self, key: bytes) -> list[bytes | None]:
        """One value per row, None where absent; of a repeated key the first."""
    def spans(self, key: bytes) -> list[tuple[int, int] | None]:
        """(offset, length) in the input block for values that still lie there, None for absent or rewritten ones (all, in batches that
        were decoded or built from events). Where an empty value lies is not said."""
    @property
    def times(self) -> list[int]: ...
    @property
    def raw_offsets(self) -> list[int]:
        """0 in batches that were decoded or built from events, and so are the raw lengths."""
    @property
    def raw_lengths(self) -> list[int]: ...
    def set_raw(self, offsets: Sequence[int], lengths: Sequence[int]) -> None:
        """Say anew where in their stream the events stood, when the block was made from its bytes (decoded). One of each per row, else
        ValueError."""
    def rows(self) -> list[Event]:
        """All events as Python objects: the slow, easy way."""
    def replace(self, events: Sequence[Event | None]) -> None:
        """Put back what a Python processor made of `rows()`, index by index; None removes the event (counted in `discarded`)."""

    # --- parsing: a failed row keeps nothing of the parse; the source field is handled by the policy arguments --------------------
    # source: field that is parsed and then removed.
    # keep_on_success / keep_on_fail: keep its value, under `renamed` (default: the source's own name).
    # copy_raw: on failure also put the value under `__raw_log__`.
    # A failed row that keeps no field at all is removed. Rows without the field are untouched and are not failures.
    # A parsed key that exists in the row already is overwritten in place (of a repeated key the first field).
    # The order of things on success: the parsed fields are set one after another; then the source goes, or is renamed in place to `renamed`
    # (which removes
    # another field of that name). When a parsed key has the source's name, that field is the parsed one: it stays, and the source's value
    # is kept only with a
    # `renamed` of another name, as a new last field (or in place of the field of that name).
    # On failure: the source goes, or is renamed in place; then `__raw_log__` is set.
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
        """Full match; group i goes to keys[i]; a group that took no part gives an empty value, or with `omit_empty` no field, like a group
        that is empty. `len(keys) == pattern.groups`, else ValueError."""
    def parse_json(
        self,
        source: bytes,
        *,
        keep_on_success: bool = False,
        keep_on_fail: bool = True,
        renamed: bytes | None = None,
        copy_raw: bool = False,
    ) -> Failures:
        r"""One JSON object per value (RFC 8259): top-level keys become fields; strings are unescaped (a lone surrogate becomes U+FFFD),
        other values keep their JSON text as written. The last of equal keys wins, in the place of the first. Control characters and
        invalid UTF-8 inside strings are kept as they are. Nesting beyond 512 fails."""
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
        r"""Separator of one byte or more. `quote` (one byte, only with a one-byte separator) encloses a field at its very start; doubled inside,
        it stands for itself; after the closing quote only a separator or the end may follow, else the row fails. Fewer fields than keys:
        failure unless `allow_short`. More: `extend` puts each under `__column<i>__` (i from 0; `__column255__` holds all the rest as
        written), `keep` puts the rest as written (separators included) under `__column0__`, `discard` drops them; what is not told apart
        is not looked at, so that a broken quote there does no harm. With `surplus` the names are `<surplus>1`, `<surplus>2`, … and, with
        `keep`, `surplus` itself. `trim` (only with a quote): spaces and tabs before a field do not count. Partial is a row with fewer
        fields than keys, or one whose surplus was dropped."""
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
        """As `parse_json`, but the members of nested objects become fields too: the key is `root`, then the names on the way with
        `connector` between them. Objects at `depth` stay JSON text (top-level members are at 1; 0: no limit), and so do arrays, unless
        `arrays`: then their elements are called `name[0]`, `name[1]` (arrays directly inside an array stay text). An empty object or
        array is a value. A value whose keys together have more than 16 times its own bytes and 64 KiB fails."""
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
        r"""Pairs `key<separator>value` between delimiters; the first separator counts. `quote` at the very start of a value (or of text
        without a separator) encloses it, if the first quote after it that has no odd number of backslashes before it stands before a
        delimiter or the end; what is inside stays as written. Nothing between two delimiters is nothing. A pair with an empty key is
        called `<empty_key>0`, `…1`; text without a separator `<no_separator_key>0`, … (None: dropped); number 255 of either kind holds
        all the rest. A value of which nothing comes fails. Partial (as `note_empty` and `note_loose` want it) is a row with an empty key,
        or with text without a separator."""
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
        r"""`[time]`, then up to 9 brackets, then pairs `key:value` between tabs; blanks between brackets do not count, and a bracket closes
        only before a blank, a newline, another bracket or the end. The time sets the event's: `%Y-%m-%d %H:%M:%S` with up to 9 digits of
        fraction, or a Unix time of 10, 13, 16 or 19 digits; without it the value fails. The first bracket of upper-case letters is
        `__LEVEL__`, the first of digits `__THREAD__`, the first with a `/` or `.` `__FILE__` and, behind its first colon, `__LINE__`.
        Other brackets and text without a colon are `no_separator_key_0`, `…1`, up to 255, which holds all the rest. Last comes
        `microtime`: microseconds since the Unix epoch."""
    def parse_time(
        self, source: bytes, format: str, *, utc_offset_secs: int, year: int | None = None, now_ns: int = 0, keep_source: bool = True
    ) -> Failures:
        """Set the event time from a field by strptime directives (facts §2.5; docs/reference/time-formats.md). Only the matched prefix
        counts. `%f` takes 1–9 digits of fraction and `%z` an offset (both ours); a fraction right after `%S` (`.` or `,` and digits) is
        taken too, `%s` accepts 10, 13, 16 or 19 digits. Without a year in the format: `year`, or with None the year that puts the time
        nearest below now + 1 day. A failed row keeps its time and its field."""

    # --- shaping ----------------------------------------------------------------------------------------------------------------
    def filter(self, conditions: Sequence[tuple[bytes, Pattern]], *, exclude: bool = False) -> int:
        """Keep rows of which every named field is present and matches in full (`exclude`: drop rows of which any does). Returns how many
        were dropped."""
    def matching(self, key: bytes, pattern: Pattern, *, anywhere: bool = False) -> list[bool]:
        """Per row whether the field is there and matches in full, or `anywhere` in it (of a repeated key the first)."""
    def utf8_rows(self) -> list[bool]:
        """Per row whether all its keys and values are UTF-8."""
    def mask(self, source: bytes, pattern: Pattern, replacement: bytes, *, all: bool = True, instead: bytes | None = None) -> Failures:
        r"""Replace the first or all matches of `pattern` in a field. In `replacement` `\1`…`\9` are groups, `\\` a backslash, all else
        literal; a group beyond the pattern's is a ValueError. Empty matches are skipped (and the search goes on one byte further).
        Rows fail whose value hits a limit of the backtracking engine: the whole value becomes `instead`, without that it stays as it was.
        Their sample is empty: it would show what is to be hidden."""
    def rename(self, old: bytes, new: bytes) -> int:
        """Rows changed. An existing `new` in the row is overwritten; the field keeps the position of `old`."""
    def drop(self, keys: Sequence[bytes]) -> None: ...
    def add(self, key: bytes, value: bytes, *, overwrite: bool = True) -> None: ...
    def set_column(self, key: bytes, values: Sequence[bytes | None]) -> None:
        """The counterpart of `column`: afterwards `column(key)` is `values`. A row without the field gets it at its end, None removes all
        fields of that name, of a repeated key the first is set. A value equal to the old one stays where it lies, so that handing back
        what did not change costs nothing. One value per row, else ValueError (also below)."""
    def set_times(self, values: Sequence[int]) -> None: ...
    def keep_rows(self, kept: Sequence[bool]) -> int:
        """Drop the rows that `kept` denies. Returns how many; they count as `discarded` (also below)."""
    def keep_times(self, lower_ns: int | None = None, upper_ns: int | None = None) -> int:
        """Drop the rows whose time is not in `[lower_ns, upper_ns]`; None is no bound. Returns how many."""
    def reorder(self, order: Sequence[int]) -> None:
        """Row `i` becomes what row `order[i]` was. ValueError when `order` does not name every row once."""

    def repeat(self, counts: Sequence[int], starts: Sequence[int] | None = None) -> None:
        """Every row as often as `counts` says (one per row); rows that become none count as `discarded`. `starts` gives for each new row
        where in its old row's raw bytes it begins: the first of an old row begins with it, and each runs to the next. Without `starts`
        every copy has the raw bytes of the whole."""
    def absent(self, key: bytes) -> int:
        """How many rows lack the field."""

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
        """Rows `[first, first + count)` as one LogGroup: Logs (Time, Contents…, Time_ns when `time_ns_part`), Topic, Source, LogTags
        (`self.tags`, then `tags`). Field order inside a Log is Time, Contents, Time_ns; in the group Logs, Topic (when set), Source (when
        set), LogTags. lz4 is the raw block format."""
    def store_columns(self, *, first: int = 0, count: int | None = None, fields: Sequence[bytes] = ()) -> StoreColumns:
        """Rows `[first, first + count)`; `fields` are names, each once, whose values are wanted as columns of their own too."""

def record_end(block: bytes, rule: RecordRule | None = None) -> int:
    r"""How many bytes at the front of `block`, which begins between records, are whole records and whole unmatched lines that more bytes
    cannot change: with None up to and with the last `\n`; else a record that the block ends in is not counted, and a line without its
    `\n` is not looked at (but an object that is closed is whole). 0 when there is none."""

def fingerprint(data: bytes) -> bytes:
    """XXH3-128 of `data`, 16 bytes big-endian: the hash of ranges and file heads (not cryptographic)."""

def compress(data: bytes, compression: Compression) -> bytes: ...
def decompress(data: bytes, compression: Compression, *, max_size: int, raw_size: int | None = None) -> bytes:
    """Bounded: never allocates more than `max_size`, checks `raw_size` when given (required for lz4). Raises DecodeError; of several
    reasons any."""
