"""The keys that all parsing processors share: the field they read, and what stays of it after success and failure."""

from typing import TypedDict

from tailrace.pipeline.config import PluginConfig, option


class Keep(TypedDict):
    """The policy arguments of `EventBatch.parse_…`."""

    keep_on_success: bool
    keep_on_fail: bool
    renamed: bytes | None
    copy_raw: bool


class ParserConfig(PluginConfig):
    """A failed event that keeps nothing is removed from the batch, and counted as failed."""

    source_key: str = option("content", doc="The field to parse; it is removed unless a key below keeps it.", min_length=1)
    keeping_source_when_parse_fail: bool = option(False, doc="Keep the field when it cannot be parsed.")
    keeping_source_when_parse_succeed: bool = option(False, doc="Keep the field when it was parsed.")
    renamed_source_key: str = option("", doc="The name that a kept field gets; empty leaves it its own.")
    coping_raw_log: bool = option(False, doc="Put a field that cannot be parsed under `__raw_log__` as well.", aliases=("CopyingRawLog",))

    def keep(self) -> Keep:
        return Keep(
            keep_on_success=self.keeping_source_when_parse_succeed,
            keep_on_fail=self.keeping_source_when_parse_fail,
            renamed=self.renamed_source_key.encode() or None,
            copy_raw=self.coping_raw_log,
        )
