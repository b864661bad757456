"""What parsing processors share: the field they read, what stays of it in the end, how separators and patterns are written."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, TypedDict

from tailrace.batch import Pattern
from tailrace.pipeline.config import PluginConfig, Problem, has_reference, option
from tailrace.pipeline.explain import counted

_HIDDEN: Final = re.compile(r"(?:0x[0-9a-fA-F]{2})+")
_ESCAPES: Final = re.compile(r"\\t|\\x([0-9a-fA-F]{2})|\\u00([0-9a-fA-F]{2})")
_FLAGS: Final = re.compile(r"\(\?([is]+)\)")


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


class SourceConfig(PluginConfig):
    """The field that the processors without the native parsers' keys read."""

    source_key: str = option("content", doc="The field to read.", min_length=1)


def separator_bytes(text: str) -> bytes:
    """What a separator or quote stands for: `0x01` typed as text is that byte, and so are `\\t`, `\\x01` and `\\u0001`."""
    if _HIDDEN.fullmatch(text):
        return bytes.fromhex(text.replace("0x", ""))
    parts: list[bytes] = []
    at = 0
    for escape in _ESCAPES.finditer(text):
        parts += [text[at : escape.start()].encode(), bytes.fromhex(escape[1] or escape[2] or "09")]
        at = escape.end()
    return b"".join([*parts, text[at:].encode()])


def found_anywhere(regex: str) -> str:
    """The pattern that matches a whole value of which `regex` matches some part: its first match, as a search would find it."""
    flags = _FLAGS.match(regex)
    inner = f"(?{flags[1]}:{regex[flags.end() :]})" if flags else f"(?:{regex})"
    return f"(?:.*?){inner}(?:.*)"


def key_problems(regex: str, keys: Sequence[str]) -> Iterator[Problem]:
    """There must be one name per group of `Regex`."""
    if has_reference(regex):
        return
    groups, names = Pattern(regex).groups, len(keys)
    message = f"{counted(names, 'name')} for {counted(groups, 'group')}"
    if groups > names:
        missing = "add a name" if groups - names == 1 else f"add {groups - names} names"
        has = f"the pattern has {counted(groups, 'capture group')}"
        yield Problem("Keys", message, f"{has}; {missing} or make one non-capturing: `(?:…)`")
    elif names > groups:
        yield Problem("Keys", message, "each name needs a capture group `(…)` in the pattern")
