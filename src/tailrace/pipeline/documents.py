"""YAML and JSON text → plain values, with the line of every key and item, and with bounds against hostile input.

YAML scalars follow the core schema of YAML 1.2: only `true` and `false` are booleans (`no`, `on` and `12:30` are text), there are no tags
beyond the standard ones, and a key may stand once in a map. JSON is RFC 8259 under the same rules.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

import yaml

from tailrace.errors import ConfigError, ConfigErrors

MAX_BYTES: Final = 1_048_576
"""A pipeline is written by hand; the largest seen in the field are some tens of KB."""
MAX_VALUES: Final = 100_000
"""Values after aliases are followed, so that nine lines of aliases cannot grow into a billion values."""
MAX_DEPTH: Final = 64

Path: TypeAlias = tuple[str | int, ...]
Value: TypeAlias = "str | int | float | bool | list[Value] | dict[str, Value] | None"

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+")
_DECIMAL: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")
_TAG: Final = "tag:yaml.org,2002:"
_PLAIN: Final = frozenset({"str", "int", "float", "bool", "null", "timestamp", "merge", "value", "seq", "map"})
"""What an untagged value may resolve to; dates, `<<` and `=` become text."""


@dataclass(slots=True)
class Document:
    """One parsed file. `lines` has the 1-based line of each key and list item, by path."""

    name: str
    value: Value = None
    lines: dict[Path, int] = field(default_factory=dict["Path", int])
    errors: list[ConfigError] = field(default_factory=list["ConfigError"])

    def where(self, path: Path) -> str:
        """`name:line dotted.path`; the line is that of the nearest thing that stands in the file."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = self.lines.get(known, 1)
        return f"{self.name}:{line} {dotted(path)}".rstrip()


def dotted(path: Path) -> str:
    """`("processors", 2, "Keys")` → `processors[2].Keys`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def read(text: str, name: str) -> Document:
    """Parse `text`: JSON when `name` ends in `.json`, else YAML. Raises ConfigErrors for what is not well-formed, too large or too deep."""
    document = Document(name)
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise ConfigErrors([ConfigError(f"is larger than {MAX_BYTES:,} bytes", where=name)])
    if name.endswith(".json"):
        _JsonReader(text, document).run()
    else:
        _YamlReader(document).run(text)
    if document.errors:
        raise ConfigErrors(document.errors)
    return document


class _Bounds:
    """Counts values and depth while a document is built."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.values = 0

    def enter(self, path: Path, line: int) -> None:
        self.document.lines.setdefault(path, line)
        self.values += 1
        if self.values > MAX_VALUES:
            raise self.refusal(line, f"holds more than {MAX_VALUES:,} values once its aliases are followed")
        self.check_depth(len(path), line)

    def check_depth(self, depth: int, line: int) -> None:
        if depth > MAX_DEPTH:
            raise self.refusal(line, f"is nested deeper than {MAX_DEPTH} levels")

    def refusal(self, line: int, message: str, hint: str = "") -> ConfigErrors:
        return ConfigErrors([ConfigError(message, where=f"{self.document.name}:{line}", hint=hint)])

    def duplicate(self, path: Path, line: int) -> None:
        first = self.document.lines[path]
        self.document.errors.append(
            ConfigError("is given twice", where=f"{self.document.name}:{line} {dotted(path)}", hint=f"it stands on line {first} already")
        )


class _YamlReader(_Bounds):
    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.open: set[int] = set()

    def run(self, text: str) -> None:
        try:
            self.measure(text)
            node = yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = ", ".join(part for part in (error.context, error.problem) if part)
            raise self.refusal(mark.line + 1 if mark else 1, f"is not YAML: {what}") from error
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            raise self.refusal(1, f"is not YAML: {' '.join(str(error).split())}") from error
        if node is not None:
            self.document.value = self.build(node, (), node.start_mark.line + 1)

    def measure(self, text: str) -> None:
        """Refuse deep nesting before the composer sees it: it recurses in C and would take the process down."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                self.check_depth(depth, event.start_mark.line + 1)
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1

    def build(self, node: yaml.Node, path: Path, line: int) -> Value:
        self.enter(path, line)
        if id(node) in self.open:
            raise self.refusal(line, "has an alias that contains itself")
        if node.tag.removeprefix(_TAG) not in _PLAIN:
            raise self.refusal(line, f"has a tag `{node.tag}`; only plain values are allowed")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                items = cast("list[yaml.Node]", node.value)
                return [self.build(item, (*path, index), item.start_mark.line + 1) for index, item in enumerate(items)]
            return self.mapping(cast("yaml.MappingNode", node), path)
        finally:
            self.open.discard(id(node))

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Value]:
        result: dict[str, Value] = {}
        for key_node, value_node in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.refusal(line, "has a key that is not a plain text")
            key = cast("str", key_node.value)
            if key in result:
                self.duplicate((*path, key), line)
            result[key] = self.build(value_node, (*path, key), line)
        return result


def _scalar(node: yaml.ScalarNode) -> Value:
    text = cast("str", node.value)
    kind = node.tag.removeprefix(_TAG)
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "int" and _INTEGER.fullmatch(text):
        return int(text, 0)
    if kind == "float" and _DECIMAL.fullmatch(text):
        return float(text)
    return text


class _JsonReader(_Bounds):
    """Recursive descent, since the standard parser tells neither lines nor repeated keys."""

    space: Final = re.compile(r"[ \t\n\r]*")
    number: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
    strings: Final = json.JSONDecoder()
    words: Final[dict[str, Value]] = {"true": True, "false": False, "null": None}

    def __init__(self, text: str, document: Document) -> None:
        super().__init__(document)
        self.text = text.removeprefix("\ufeff")
        self.at = 0
        self.counted_to = 0
        self.counted = 1

    def run(self) -> None:
        self.document.value = self.value((), self.line())
        if self.peek():
            raise self.wrong("the end of the file")

    def line(self) -> int:
        """The line of the next value or key."""
        self.peek()
        self.counted += self.text.count("\n", self.counted_to, self.at)
        self.counted_to = self.at
        return self.counted

    def peek(self) -> str:
        space = self.space.match(self.text, self.at)
        self.at = space.end() if space else self.at
        return self.text[self.at : self.at + 1]

    def wrong(self, expected: str) -> ConfigErrors:
        found = self.peek()
        return self.refusal(self.line(), f"is not JSON: expected {expected}, found {f'`{found}`' if found else 'the end of the file'}")

    def take(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.at += 1
        return True

    def value(self, path: Path, line: int) -> Value:
        self.enter(path, line)
        if self.take("{"):
            return self.object(path)
        if self.take("["):
            return self.array(path)
        if self.peek() == '"':
            return self.string()
        for word, value in self.words.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        number = self.number.match(self.text, self.at)
        if number is None or len(number[0]) > 64:
            raise self.wrong("a value")
        self.at = number.end()
        return float(number[0]) if number[2] or number[3] else int(number[0])

    def object(self, path: Path) -> dict[str, Value]:
        result: dict[str, Value] = {}
        if self.take("}"):
            return result
        while True:
            line = self.line()
            if self.peek() != '"':
                raise self.wrong('a key in `"`')
            key = self.string()
            if not self.take(":"):
                raise self.wrong("`:`")
            if key in result:
                self.duplicate((*path, key), line)
            result[key] = self.value((*path, key), line)
            if self.take("}"):
                return result
            if not self.take(","):
                raise self.wrong("`,` or `}`")

    def array(self, path: Path) -> list[Value]:
        result: list[Value] = []
        if self.take("]"):
            return result
        while True:
            result.append(self.value((*path, len(result)), self.line()))
            if self.take("]"):
                return result
            if not self.take(","):
                raise self.wrong("`,` or `]`")

    def string(self) -> str:
        line = self.line()
        try:
            text, self.at = cast("tuple[str, int]", self.strings.raw_decode(self.text, self.at))
            text.encode()
        except json.JSONDecodeError as error:
            raise self.refusal(line, f"is not JSON: {error.msg.removesuffix(' at').lower()}") from error
        except UnicodeEncodeError as error:
            raise self.refusal(line, "is not JSON: a text holds half of a surrogate pair") from error
        return text
