"""Reads blocks in the engine's `Native` format, written from its specification (native.py has the layout)."""

import struct
from dataclasses import dataclass
from typing import Any

NUMBERS = {"UInt16": "H", "UInt32": "I", "UInt64": "Q", "DateTime64(9, 'UTC')": "q", "DateTime64(3, 'UTC')": "q"}


@dataclass
class Reader:
    data: bytes
    at: int = 0

    def rows(self) -> list[dict[str, Any]]:
        """Of all blocks; a map is a list of pairs."""
        found: list[dict[str, Any]] = []
        while self.at < len(self.data):
            columns, count = self.varint(), self.varint()
            values = {self.string().decode(): self.column(self.string().decode(), count) for _ in range(columns)}
            found += [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        return found

    def column(self, kind: str, rows: int) -> list[Any]:
        if kind in NUMBERS:
            return self.numbers(NUMBERS[kind], rows)
        if kind == "String":
            return [self.string() for _ in range(rows)]
        assert self.numbers("Q", 1) == [1]
        if kind == "LowCardinality(String)":
            return self.index(rows)
        assert kind == "Map(LowCardinality(String), String)"
        ends = self.numbers("Q", rows)
        entries = ends[-1] if ends else 0
        keys = self.index(entries) if entries else []
        pairs = list(zip(keys, [self.string() for _ in range(entries)], strict=True))
        return [pairs[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    def index(self, rows: int) -> list[bytes]:
        flags, distinct = self.numbers("Q", 2)
        assert flags & ~0xFF == 0x600
        words = [self.string() for _ in range(distinct)]
        assert self.numbers("Q", 1) == [rows]
        return [words[place] for place in self.numbers("BHI"[flags & 0xFF], rows)]

    def numbers(self, code: str, count: int) -> list[int]:
        form = struct.Struct(f"<{count}{code}")
        self.at += form.size
        return list(form.unpack_from(self.data, self.at - form.size))

    def string(self) -> bytes:
        size = self.varint()
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self) -> int:
        value = shift = 0
        while True:
            digit = self.data[self.at]
            self.at += 1
            value |= (digit & 0x7F) << shift
            if digit < 0x80:
                return value
            shift += 7
