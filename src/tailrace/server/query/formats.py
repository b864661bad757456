"""How exported rows are written: JSON lines, CSV, Parquet. A writer gives the bytes of each page as it comes, so that a file of any length
needs no more memory than a page."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

Format: TypeAlias = Literal["json", "csv", "parquet"]
Row: TypeAlias = Mapping[str, str]

MEDIA_TYPES: Mapping[Format, str] = {
    "json": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
TIME = "__time__"


class Writer(Protocol):
    """Of one file."""

    def page(self, rows: Sequence[Row]) -> bytes: ...
    def end(self) -> bytes: ...


def writer(kind: Format, columns: Sequence[str], numbers: Sequence[str] = ()) -> Writer:
    """`columns` are those of CSV and Parquet; JSON has in each line what there is. `numbers`: columns of whole numbers."""
    match kind:
        case "json":
            return _JsonLines()
        case "csv":
            return _Csv(columns)
        case "parquet":
            return _Parquet(columns, numbers)


class _JsonLines:
    def page(self, rows: Sequence[Row]) -> bytes:
        return b"".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n" for row in rows)

    def end(self) -> bytes:
        return b""


class _Csv:
    """RFC 4180: a header, CRLF, quotes where they are needed. What an event does not have is empty."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._text = io.StringIO(newline="")
        self._writer = csv.DictWriter(self._text, columns, restval="", extrasaction="ignore")
        self._writer.writeheader()

    def page(self, rows: Sequence[Row]) -> bytes:
        self._writer.writerows(rows)
        return self._taken()

    def end(self) -> bytes:
        return self._taken()

    def _taken(self) -> bytes:
        text = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return text.encode("utf-8", "replace")


class _Parquet:
    """One row group per page, zstd; text but for `numbers`, and null where an event does not have it."""

    def __init__(self, columns: Sequence[str], numbers: Sequence[str]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - slow, and only exports need it
        from pyarrow import parquet  # noqa: PLC0415

        self._arrow: Any = pa
        self._schema: Any = pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in columns])
        self._numbers = frozenset(numbers)
        self._file = _Taken()
        self._writer: Any = parquet.ParquetWriter(pa.PythonFile(self._file, "w"), self._schema, compression="zstd")

    def page(self, rows: Sequence[Row]) -> bytes:
        if rows:
            arrays = [self._column(field, rows) for field in self._schema]
            self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))
        return self._file.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._file.taken()

    def _column(self, field: Any, rows: Sequence[Row]) -> Any:
        values = [row.get(field.name) for row in rows]
        if field.name in self._numbers:
            return self._arrow.array([None if value is None else int(value) for value in values], field.type)
        return self._arrow.array([None if value is None else value.encode("utf-8", "replace").decode() for value in values], field.type)


class _Taken(io.RawIOBase):
    """Holds what was written until it is taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
