"""Log groups in their wire form (sls-api §2.1), from rows of the engine."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tailrace.server.query.tailing import number
from tailrace.wire import protobuf

NS = 1_000_000_000
COLUMNS = (
    "group_cursor, seq, toUnixTimestamp64Nano(time), source, topic, mapKeys(tags), mapValues(tags), mapKeys(fields), mapValues(fields)"
)
"""What `encode_groups` reads, in any order."""
Row: TypeAlias = Sequence[object]


@dataclass(frozen=True, slots=True)
class Group:
    """`lines` are its events, `size` the bytes of the message."""

    cursor: int
    message: bytes
    lines: int

    @property
    def size(self) -> int:
        return len(self.message)


def encode_groups(rows: Iterable[Row], most_bytes: int) -> list[Group]:
    """In order, as many as weigh no more than that all together; the first one whatever it weighs."""
    found: list[Group] = []
    size = 0
    for rows_of_group in _grouped(sorted(rows, key=_place)):
        group = Group(number(rows_of_group[0][0]), _message(rows_of_group), len(rows_of_group))
        size += group.size
        if found and size > most_bytes:
            break
        found.append(group)
    return found


def _place(row: Row) -> tuple[int, int]:
    return number(row[0]), number(row[1])


def _grouped(rows: Iterable[Row]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for row in rows:
        if group and row[0] != group[0][0]:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _message(rows: Sequence[Row]) -> bytes:
    source, topic, tag_names, tag_values = rows[0][3:7]
    tags = [_pair(name, value) for name, value in zip(_list(tag_names), _list(tag_values), strict=True)]
    return b"".join(
        [
            *(protobuf.delimited(1, _log(row)) for row in rows),
            protobuf.delimited(3, _bytes(topic)),
            protobuf.delimited(4, _bytes(source)),
            *(protobuf.delimited(6, tag) for tag in tags),
        ]
    )


def _log(row: Row) -> bytes:
    seconds, nanoseconds = divmod(number(row[2]), NS)
    contents = [protobuf.delimited(2, _pair(key, value)) for key, value in zip(_list(row[7]), _list(row[8]), strict=True)]
    return b"".join([protobuf.number(1, max(0, seconds)), *contents, protobuf.fixed32(4, nanoseconds) if nanoseconds else b""])


def _pair(key: object, value: object) -> bytes:
    return protobuf.delimited(1, _bytes(key)) + protobuf.delimited(2, _bytes(value))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()
