"""What a search means, said in the slowest and plainest way: the rules of the SLS search language over Python dicts."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tailrace.server.query.search.ast import And, Everything, Exists, Node, Not, Or, Pattern, Phrase, Range, Term, Wild
from tailrace.server.store.port import FieldIndex, TableSpec
from tests.integration.query.logs import TOKENS, Log


@dataclass(frozen=True)
class Rules:
    """How one text is cut and compared."""

    tokens: Sequence[str]
    case_sensitive: bool
    chinese: bool = False

    def fold(self, text: str) -> str:
        return text if self.case_sensitive else "".join(c.lower() if c.isascii() else c for c in text)

    def words(self, text: str) -> list[str]:
        if not self.tokens and not self.chinese:
            return [self.fold(text)]
        found, word = [], ""
        for character in self.fold(text):
            if self.chinese and is_han(character):
                found += [word, character]
                word = ""
            elif character in self.tokens:
                found.append(word)
                word = ""
            else:
                word += character
        return [word for word in [*found, word] if word]


def is_han(character: str) -> bool:
    return "\u4e00" <= character <= "\u9fff"


def runs(text: str) -> list[str]:
    """What stands side by side in Chinese."""
    return [run for run in "".join(c if is_han(c) else " " for c in text).split() if len(run) > 1]


def matches(log: Log, node: Node, table: TableSpec) -> bool:
    match node:
        case Everything():
            return True
        case And(items):
            return all(matches(log, item, table) for item in items)
        case Or(items):
            return any(matches(log, item, table) for item in items)
        case Not(item):
            return not matches(log, item, table)
        case Exists(field):
            return value_of(log, field, table) is not None and (numeric(field, table) is None or number_of(log, field, table) is not None)
        case Range():
            return in_range(number_of(log, node.field, table), node)
        case _:
            return text_matches(log, node, table)


def text_matches(log: Log, node: Term | Phrase | Pattern, table: TableSpec) -> bool:
    if node.field is not None:
        if numeric(node.field, table):
            return number_of(log, node.field, table) == float(node.text)  # type: ignore[union-attr]
        value = value_of(log, node.field, table)
        if isinstance(node, Term) and not node.text:
            return (value or "") == "" if node.field in ("__source__", "__topic__") else value == ""
        return one_text([value or ""], node, rules_of(node.field, table))
    if table.line is not None:
        return one_text(values(log), node, Rules(table.line.tokens, table.line.case_sensitive, table.line.chinese))
    texts = [index.key for index in table.fields if index.type in ("text", "json") and not index.parent]
    if not texts:
        return one_text(values(log), node, Rules(TOKENS, False))
    return any(one_text([value_of(log, key, table) or ""], node, rules_of(key, table)) for key in texts)


def one_text(texts: Iterable[str], node: Term | Phrase | Pattern, rules: Rules) -> bool:
    """All tokens somewhere in these texts; a phrase as it stands in one of them; without tokens, any text that holds it."""
    texts = list(texts)
    present = {word for text in texts for word in rules.words(text)}
    if isinstance(node, Pattern):
        words = present | {part for text in texts for part in chinese_parts(text, rules)}
        plain, wild = parts_of(node, rules)
        return all(any(re.fullmatch(regex, word, re.DOTALL) for word in words) for regex in wild) and all(
            one_text(texts, Term(node.field, word), rules) for word in plain
        )
    wanted = rules.words(node.text)
    somewhere = any(rules.fold(node.text) in rules.fold(text) for text in texts)
    if not wanted:
        return somewhere
    together = not rules.chinese or all(any(run in text for text in texts) for run in runs(node.text))
    return all(word in present for word in wanted) and together and (somewhere or not isinstance(node, Phrase))


def parts_of(node: Pattern, rules: Rules) -> tuple[list[str], list[str]]:
    """What delimiters divide: words without a wildcard, which mean what they mean in any search, and regular expressions of the others."""
    mark = {Wild.ANY: "\ue000", Wild.ONE: "\ue001"}
    written = "".join(mark[piece] if isinstance(piece, Wild) else piece for piece in node.pieces)
    words = [word for word in Rules(rules.tokens, rules.case_sensitive).words(written) if word.strip("\ue000\ue001")]
    wild = [word for word in words if set(word) & set(mark.values())]
    return (
        [word for word in words if word not in wild],
        [re.escape(word).replace("\ue000", ".*").replace("\ue001", ".") for word in wild],
    )


def chinese_parts(text: str, rules: Rules) -> set[str]:
    """What a wildcard word can match in Chinese text: from any edge of a Chinese character to any other, between two delimiters."""
    if not rules.chinese:
        return set()
    parts = set()
    for run in Rules(rules.tokens, rules.case_sensitive).words(text):
        edges = [at for at in range(len(run) + 1) if at in (0, len(run)) or is_han(run[at]) or is_han(run[at - 1])]
        parts |= {run[start:end] for start in edges for end in edges if start < end}
    return parts


def in_range(number: float | None, node: Range) -> bool:
    if number is None:
        return False
    above = node.low is None or (number >= node.low if node.low_inclusive else number > node.low)
    below = node.high is None or (number <= node.high if node.high_inclusive else number < node.high)
    return above and below


def values(log: Log) -> list[str]:
    return [str(value) for value in dict(log.fields).values()]


def value_of(log: Log, field: str, table: TableSpec) -> str | None:
    whole, _, path = field.partition(".")
    if path and any(index.key == whole and index.type == "json" for index in table.fields):
        return json_value(dict(log.fields).get(whole), path.split("."))
    if field == "__source__":
        return log.source or None
    if field == "__topic__":
        return log.topic or None
    if field.startswith("__tag__:"):
        return log.tags.get(field.removeprefix("__tag__:"))
    value = dict(log.fields).get(field)
    return None if value is None else str(value)


def json_value(text: str | bytes | None, path: list[str]) -> str | None:
    try:
        value = json.loads(text or "")
    except ValueError:
        return None
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if value is None or isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def number_of(log: Log, field: str, table: TableSpec) -> float | None:
    index = numeric(field, table)
    text = value_of(log, field, table) or ""
    whole = index is not None and index.type == "long"
    if not re.fullmatch(r"-?\d+" if whole else r"-?\d+(\.\d+)?", text):
        return None
    return float(text)


def numeric(field: str, table: TableSpec) -> FieldIndex | None:
    return next((index for index in table.fields if index.key == field and index.type in ("long", "double")), None)


def rules_of(field: str, table: TableSpec) -> Rules:
    index = next((index for index in table.fields if index.key == field), None)
    if index is not None:
        return Rules(index.tokens, index.case_sensitive, index.chinese)
    whole = next((index for index in table.fields if index.type == "json" and field.startswith(f"{index.key}.")), None)
    if whole is not None:
        return Rules(whole.tokens, whole.case_sensitive, whole.chinese)
    reserved = field.startswith("__")
    if reserved or table.line is None or not table.line.tokens:
        return Rules(TOKENS, False)
    return Rules(table.line.tokens, table.line.case_sensitive, table.line.chinese)
