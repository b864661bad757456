"""What a search means, said in the slowest and plainest way: the rules of the SLS search language over Python dicts."""

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

    def fold(self, text: str) -> str:
        return text if self.case_sensitive else "".join(c.lower() if c.isascii() else c for c in text)

    def words(self, text: str) -> list[str]:
        if not self.tokens:
            return [self.fold(text)]
        found, word = [], ""
        for character in self.fold(text):
            if character in self.tokens:
                found.append(word)
                word = ""
            else:
                word += character
        return [word for word in [*found, word] if word]


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
            return value_of(log, field) is not None and (numeric(field, table) is None or number_of(log, field, table) is not None)
        case Range():
            return in_range(number_of(log, node.field, table), node)
        case _:
            return text_matches(log, node, table)


def text_matches(log: Log, node: Term | Phrase | Pattern, table: TableSpec) -> bool:
    if node.field is not None:
        if numeric(node.field, table):
            return number_of(log, node.field, table) == float(node.text)  # type: ignore[union-attr]
        value = value_of(log, node.field)
        if isinstance(node, Term) and not node.text:
            return (value or "") == "" if node.field in ("__source__", "__topic__") else value == ""
        return one_text([value or ""], node, rules_of(node.field, table))
    if table.line is not None:
        return one_text(values(log), node, Rules(table.line.tokens, table.line.case_sensitive))
    texts = [index.key for index in table.fields if index.type == "text"]
    if not texts:
        return one_text(values(log), node, Rules(TOKENS, False))
    return any(one_text([value_of(log, key) or ""], node, rules_of(key, table)) for key in texts)


def one_text(texts: Iterable[str], node: Term | Phrase | Pattern, rules: Rules) -> bool:
    """All tokens somewhere in these texts; a phrase as it stands in one of them; without tokens, any text that holds it."""
    texts = list(texts)
    present = {word for text in texts for word in rules.words(text)}
    if isinstance(node, Pattern):
        return all(any(re.fullmatch(regex, word, re.DOTALL) for word in present) for regex in regexes(node, rules))
    wanted = rules.words(node.text)
    somewhere = any(rules.fold(node.text) in rules.fold(text) for text in texts)
    if not wanted:
        return somewhere
    return all(word in present for word in wanted) and (somewhere or not isinstance(node, Phrase))


def regexes(node: Pattern, rules: Rules) -> list[str]:
    mark = {Wild.ANY: "\ue000", Wild.ONE: "\ue001"}
    written = "".join(mark[piece] if isinstance(piece, Wild) else piece for piece in node.pieces)
    words = [word for word in rules.words(written) if word.strip("\ue000\ue001")]
    return [re.escape(word).replace("\ue000", ".*").replace("\ue001", ".") for word in words]


def in_range(number: float | None, node: Range) -> bool:
    if number is None:
        return False
    above = node.low is None or (number >= node.low if node.low_inclusive else number > node.low)
    below = node.high is None or (number <= node.high if node.high_inclusive else number < node.high)
    return above and below


def values(log: Log) -> list[str]:
    return [str(value) for value in dict(log.fields).values()]


def value_of(log: Log, field: str) -> str | None:
    if field == "__source__":
        return log.source or None
    if field == "__topic__":
        return log.topic or None
    if field.startswith("__tag__:"):
        return log.tags.get(field.removeprefix("__tag__:"))
    value = dict(log.fields).get(field)
    return None if value is None else str(value)


def number_of(log: Log, field: str, table: TableSpec) -> float | None:
    index = numeric(field, table)
    text = value_of(log, field) or ""
    whole = index is not None and index.type == "long"
    if not re.fullmatch(r"-?\d+" if whole else r"-?\d+(\.\d+)?", text):
        return None
    return float(text)


def numeric(field: str, table: TableSpec) -> FieldIndex | None:
    return next((index for index in table.fields if index.key == field and index.type in ("long", "double")), None)


def rules_of(field: str, table: TableSpec) -> Rules:
    index = next((index for index in table.fields if index.key == field), None)
    if index is not None:
        return Rules(index.tokens, index.case_sensitive)
    reserved = field.startswith("__")
    if reserved or table.line is None or not table.line.tokens:
        return Rules(TOKENS, False)
    return Rules(table.line.tokens, table.line.case_sensitive)
