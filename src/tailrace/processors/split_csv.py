"""Split a field that holds one record of CSV into named fields.

A field that begins with `"` runs to its closing quote and may hold separators and newlines; doubled inside, the quote stands for itself.
Elsewhere a quote is a character like any other. Text behind a closing quote fails: such an event keeps the field as it is.
"""

from collections.abc import Iterator
from typing import Any

from tailrace.batch import EventBatch
from tailrace.pipeline.config import Problem, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.parsing import separator_bytes
from tailrace.processors.splitting import ExpandingConfig, Quoting, Splitting


class SplitCsvConfig(ExpandingConfig):
    split_sep: str = option(
        ",", doc="What stands between two fields; a hidden character is typed as `\\t` or `0x01`.", unit="1 byte", min_length=1
    )
    trim_leading_space: bool = option(False, doc="Leave out spaces and tabs in front of a field.")
    preserve_others: bool = option(
        False,
        doc="Keep what comes after the last named field under `_decode_preserve_`, or as `ExpandOthers` says; otherwise it is dropped.",
    )

    def problems(self) -> Iterator[Problem]:
        yield from self.one_byte_problem()
        if separator_bytes(self.split_sep) == b'"':
            yield Problem("SplitSep", 'must not be the quote `"`')
        yield from self.expanding_problems()
        if self.preserve_others and self.expand_others and not self.expand_key_prefix:
            yield Problem("ExpandKeyPrefix", "is missing", "`ExpandOthers` needs it to name the fields")


@processor("processor_csv")
class SplitCsv(Splitting[SplitCsvConfig]):
    Config = SplitCsvConfig
    rest = b"_decode_preserve_"

    def process(self, batch: EventBatch) -> None:
        failures = self.split(batch, Quoting(quote=b'"', trim=self.config.trim_leading_space))
        self.report_quotes(failures)
        self.report_count(failures)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SplitKeys": ["time", "level", "message"]}

    @classmethod
    def example(cls) -> Example:
        config = {"SplitKeys": ["time", "level", "message"], "TrimLeadingSpace": True, "PreserveOthers": True}
        return Example([config], '12:00:01, info, "all ""well"", so far"\n12:00:02, warn, slow, 1.5 s, sda\n12:00:03, "info"?\n12:00:04\n')
