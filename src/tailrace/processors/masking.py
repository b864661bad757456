"""Replacing what a pattern finds by a fixed text, or by its digest. Group 1 of the pattern is what stays of each match, before the rest.

A fixed text is put in by the kernel; digests are made value by value. A value in which it cannot be told what the pattern finds, because it
hits a limit of the pattern's engine, is replaced as a whole: what is to be hidden is never let through.
"""

from collections.abc import Callable
from typing import Final

from tailrace.batch import EventBatch, Pattern
from tailrace.pipeline.contract import ProcessorContext

ALARM: Final = "CAST_SENSITIVE_WORD_ALARM"


class Masking:
    """`constant` is put in, or without one what `digest` makes of the part. `first_only` ends a value's search at its first match."""

    def __init__(
        self, pattern: Pattern, constant: bytes | None, digest: Callable[[bytes], bytes], *, first_only: bool = False, once: bool = False
    ) -> None:
        self.pattern = pattern
        self.constant = constant
        self.digest = digest
        self.first_only = first_only
        # A pattern that is bound to the beginning must not match again where the search for digests goes on.
        self.once = once or first_only

    def apply(self, batch: EventBatch, key: bytes, context: ProcessorContext, plugin: str) -> None:
        """Mask the first field of that name in each row. Values that are masked as a whole are told, and never shown."""
        if self.constant is not None:
            template = rb"\1" + self.constant.replace(b"\\", rb"\\")
            masked_whole = batch.mask(key, self.pattern, template, all=not self.first_only, instead=self.constant).count
        else:
            masked_whole = self._put_digests(batch, key)
        if masked_whole:
            context.failed(plugin, masked_whole, "hits a limit of the pattern's engine, and is masked as a whole", alarm=ALARM)

    def _put_digests(self, batch: EventBatch, key: bytes) -> int:
        """How many values are digested as a whole."""
        values, masked_whole = batch.column(key), 0
        for row, value in enumerate(values):
            if value is not None:
                try:
                    values[row] = self.digested(value)
                except ValueError:
                    values[row] = self.digest(value)
                    masked_whole += 1
        batch.set_column(key, values)
        return masked_whole

    def digested(self, value: bytes) -> bytes:
        """`value` with a digest in place of each part, or of the first. ValueError where a limit hides where they are."""
        done, rest = b"", value
        while rest and (span := self.pattern.search(rest)):
            start, end = span
            if start == end:
                done, rest = done + rest[: end + 1], rest[end + 1 :]
                continue
            groups = self.pattern.full_match(rest[start:end])
            before = (groups[0] or b"") if groups else b""
            done, rest = done + rest[:start] + before + self.digest(rest[start + len(before) : end]), rest[end:]
            if self.once:
                break
        return done + rest
