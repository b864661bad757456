"""Replacing what a pattern finds by a fixed text, or by its digest. Group 1 of the pattern is what stays of each match, before the rest.

A fixed text is put in by the kernel; digests are made value by value.
"""

from collections.abc import Callable

from tailrace.batch import EventBatch, Pattern


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

    def apply(self, batch: EventBatch, key: bytes) -> None:
        """Mask the first field of that name in each row."""
        if self.constant is not None:
            batch.mask(key, self.pattern, rb"\1" + self.constant.replace(b"\\", rb"\\"), all=not self.first_only)
            return
        batch.set_column(key, [None if value is None else self.digested(value) for value in batch.column(key)])

    def digested(self, value: bytes) -> bytes:
        """`value` with a digest in place of each part, or of the first."""
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
