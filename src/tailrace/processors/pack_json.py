"""Put several fields into one, as a JSON object of strings, in the order in which they are named.

Bytes that are not UTF-8 stay as they are inside the strings, so that nothing is lost.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig, option
from tailrace.pipeline.registry import Example, processor
from tailrace.processors.base import BatchProcessor

_SPECIAL: Final = re.compile(rb'["\\\x00-\x1f]')
_SHORT: Final = {b'"': b'\\"', b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r", b"\t": b"\\t", b"\b": b"\\b", b"\f": b"\\f"}


class PackJsonConfig(PluginConfig):
    source_keys: list[str] = option(doc="The fields to pack; one that an event lacks is left out.", min_length=1, examples=[["user", "ip"]])
    dest_key: str = option(doc="The field that gets the object; it is overwritten.", min_length=1)
    keep_source: bool = option(True, doc="Keep the packed fields beside the object.")
    alarm_if_incomplete: bool = option(
        True, doc="Count events that lack one of the fields as failed; they get an object of what they have."
    )


@processor("processor_packjson")
class PackJson(BatchProcessor[PackJsonConfig]):
    Config = PackJsonConfig

    def __init__(self, config: PackJsonConfig) -> None:
        super().__init__(config)
        self.sources = [key.encode() for key in dict.fromkeys(config.source_keys)]
        self.names = [b"%s:" % _quoted(key) for key in self.sources]

    def process(self, batch: EventBatch) -> None:
        columns = [batch.column(key) for key in self.sources]
        rows = list(zip(*columns, strict=True))
        if self.config.alarm_if_incomplete and (incomplete := sum(None in row for row in rows)):
            self.context.failed(self.type_name, incomplete, "lacks a field of `SourceKeys`")
        if not self.config.keep_source:
            batch.drop(self.sources)
        batch.set_column(self.config.dest_key.encode(), list(map(self._object, rows)))

    def _object(self, values: Sequence[bytes | None]) -> bytes:
        members = [name + _quoted(value) for name, value in zip(self.names, values, strict=True) if value is not None]
        return b"{%s}" % b",".join(members)

    @classmethod
    def sample(cls) -> dict[str, Any]:
        return {"SourceKeys": ["user", "ip"], "DestKey": "client"}

    @classmethod
    def example(cls) -> Example:
        parse = {"Type": "processor_parse_delimiter_native", "Separator": ",", "Keys": ["user", "ip", "message"]}
        return Example([parse, {**cls.sample(), "KeepSource": False}], 'ann,10.0.0.7,ok\n"""bob""",10.0.0.8,ok\neve\n')


def _quoted(text: bytes) -> bytes:
    """A JSON string."""
    return b'"%s"' % _SPECIAL.sub(_escaped, text)


def _escaped(match: re.Match[bytes]) -> bytes:
    return _SHORT.get(match[0]) or b"\\u%04x" % match[0][0]
