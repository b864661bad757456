"""Turns the tree of a search into a condition that the engine evaluates (storage-engine.md §9).

User text reaches the engine only as a bound parameter. What the text index can answer it answers, and its tokenizer and case rule define
the meaning; the same meaning is spelt as a regular expression where there is no index. No condition is ever NULL, so that `not` means not.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tailrace.errors import ApiError
from tailrace.server.query.search.ast import And, Everything, Exists, Leaf, Node, Not, Or, Pattern, Phrase, Pieces, Range, Term, Wild
from tailrace.server.query.search.lexer import syntax_error
from tailrace.server.query.search.parser import read_number
from tailrace.server.query.search.text import USUAL, Cutting, fold
from tailrace.server.store import schema
from tailrace.server.store.port import TAG_PREFIX, FieldIndex, LineIndex, TableSpec

TRUE, FALSE = "1", "0"
_INT64 = range(-(1 << 63), 1 << 63)


class Binder:
    """Collects what a statement binds, and what it asks for without an index. Names are unique within one statement, equal values share
    one."""

    def __init__(self, prefix: str = "p") -> None:
        self.parameters: dict[str, object] = {}
        self.unindexed: dict[str, None] = {}
        """Fields that have no index of their own, `*` for all, in order."""
        self.scans = False
        """Whether no index leads to the events of some part of it: they are read one by one."""
        self._prefix = prefix
        self._names: dict[tuple[str, object], str] = {}

    def bind(self, value: object, engine_type: str = "String") -> str:
        """The place-holder for a value: `{p0:String}`."""
        name = self._names.get((engine_type, value))
        if name is None:
            name = self._names[engine_type, value] = f"{self._prefix}{len(self._names)}"
            self.parameters[name] = value
        return f"{{{name}:{engine_type}}}"


@dataclass(frozen=True, slots=True)
class _Text:
    """Where a text is looked for: one value, or each of several."""

    value: str
    """An expression of type String; of type Array(String) when `several`."""
    several: bool = False
    indexes: tuple[str, ...] = ()
    """The expressions with a text index that have all tokens of it between them; none when there is no index."""
    verified: bool = False
    """Whether a hit of `indexes` still has to be looked for in `value` (an index over more than this value)."""
    cutting: Cutting = USUAL
    case_sensitive: bool = False

    def fold(self, expression: str) -> str:
        return expression if self.case_sensitive else f"lower({expression})"

    def fold_text(self, text: str) -> str:
        return text if self.case_sensitive else fold(text)

    def each(self, condition: str) -> str:
        """`condition` speaks of `x`, the folded value."""
        if self.several:
            return f"arrayExists(v -> {condition.replace('<x>', self.fold('v'))}, {self.value})"
        return condition.replace("<x>", self.fold(self.value))


@dataclass(frozen=True, slots=True)
class _JsonPart:
    """A value inside a JSON field: as text, '' when it is missing, and whether it is there (`null` is not)."""

    whole: FieldIndex
    text: str
    there: str


@dataclass(slots=True)
class Predicates:
    """Writes conditions over one logstore's table."""

    table: TableSpec
    binder: Binder
    _fields: dict[str, FieldIndex] = field(init=False)
    _one_by_one: bool = field(init=False, default=False)
    """Whether the leaf at hand has a part that no index leads to."""

    def __post_init__(self) -> None:
        self._fields = {index.key: index for index in self.table.fields}

    def write(self, node: Node) -> str:
        """The condition of a whole tree, `1` for everything. Raises ApiError(400, ParameterInvalid) where word and index do not fit."""
        condition, led = self._write(node)
        self.binder.scans |= led is False
        return condition

    def _write(self, node: Node) -> tuple[str, bool | None]:
        """With whether an index leads to its events; None where that takes none: all of them, or all but some that an index knows."""
        match node:
            case Everything():
                return TRUE, None
            case And(items):
                conditions, led = self._each(items)
                return _joined(conditions, "AND", neutral=TRUE, deciding=FALSE), True if True in led else False if False in led else None
            case Or(items):
                conditions, led = self._each(items)
                return _joined(conditions, "OR", neutral=FALSE, deciding=TRUE), False if False in led else None if None in led else True
            case Not(item):
                condition, led_to_it = self._write(item)
                return _negated(condition), False if led_to_it is False else None
            case _:
                self._one_by_one = False
                return self._leaf(node), not self._one_by_one

    def _each(self, items: Iterable[Node]) -> tuple[list[str], list[bool | None]]:
        written = [self._write(item) for item in items]
        return [condition for condition, _ in written], [led for _, led in written]

    def _leaf(self, node: Leaf) -> str:
        if isinstance(node, Range):
            return self._range(node)
        if isinstance(node, Exists):
            return self._exists(node.field)
        if node.field is None:
            return self._anywhere(node)
        index = self._fields.get(node.field)
        if index is not None and index.type in ("long", "double"):
            return self._range(_as_number(node, index))
        if isinstance(node, Term) and not node.text:
            return self._empty(node.field)
        return self._find(self._text(node.field, index), node)

    def _anywhere(self, node: Term | Phrase | Pattern) -> str:
        line = self.table.line
        if line is not None:
            cutting = Cutting(line.tokens, line.chinese)
            indexes = () if cutting.is_whole else self._line_indexes(line)
            return self._find(_Text(schema.line_scope(line), True, indexes, False, cutting, line.case_sensitive), node)
        texts = [index for index in self.table.fields if index.type in ("text", "json") and not index.parent]
        if not texts:
            self.binder.unindexed["*"] = None
            return self._find(_Text("mapValues(fields)", several=True), node)
        return "(" + " OR ".join(self._find(self._text(index.key, index), node) for index in texts) + ")"

    def _text(self, key: str, index: FieldIndex | None) -> _Text:
        if index is not None:
            cutting = Cutting(index.tokens, index.chinese)
            return _Text(index.column, False, () if cutting.is_whole else (index.column,), False, cutting, index.case_sensitive)
        part = self._json_part(key)
        if part is not None:
            return _Text(part.text, False, (), False, Cutting(part.whole.tokens, part.whole.chinese), part.whole.case_sensitive)
        if key in ("__source__", "__topic__"):
            return _Text(key.strip("_"))
        if key.startswith(TAG_PREFIX):
            return _Text(f"tags[{self.binder.bind(key.removeprefix(TAG_PREFIX))}]")
        value = self._field(key)
        line = self.table.line
        self.binder.unindexed[key] = None
        if line is None or not line.tokens or not line.covers(key):
            return _Text(value)
        return _Text(value, False, self._line_indexes(line), True, Cutting(line.tokens, line.chinese), line.case_sensitive)

    def _line_indexes(self, line: LineIndex) -> tuple[str, ...]:
        return (schema.line_values(line), *(self._fields[key].column for key in line.without))

    def _find(self, text: _Text, node: Term | Phrase | Pattern) -> str:
        if not (text.indexes and _has_certain_token(text.cutting, node)):
            self._one_by_one = True
        match node:
            case Pattern():
                return self._tokens_like(text, node.pieces)
            case Phrase():
                return self._phrase(text, node.text)
            case Term():
                return self._term(text, node.text)

    def _term(self, text: _Text, wanted: str) -> str:
        words = text.cutting.words(wanted)
        if not words:
            return self._contains(text, wanted)
        found = [self._indexed(text, wanted)] if text.indexes else []
        if not text.indexes or text.verified:
            found += [self._token_like(text, (word,)) for word in words]
        found += [self._contains(text, run) for run in text.cutting.runs(wanted)]
        return _joined(found, "AND", neutral=TRUE, deciding=FALSE)

    def _indexed(self, text: _Text, wanted: str) -> str:
        """Each token may be in another of the indexes."""
        if len(text.indexes) == 1:
            return f"hasAllTokens({text.indexes[0]}, {self.binder.bind(wanted)})"
        words = [self.binder.bind(word) for word in text.cutting.words(wanted)]
        anywhere = [
            _joined([f"hasAllTokens({index}, {word})" for index in text.indexes], "OR", neutral=FALSE, deciding=TRUE) for word in words
        ]
        return _joined(anywhere, "AND", neutral=TRUE, deciding=FALSE)

    def _phrase(self, text: _Text, wanted: str) -> str:
        contained = self._contains(text, wanted)
        return f"({self._term(text, wanted)} AND {contained})" if text.cutting.words(wanted) else contained

    def _tokens_like(self, text: _Text, pieces: Pieces) -> str:
        """A pattern that holds delimiters is several tokens; those without wildcards are certain and may use the index."""
        found: list[str] = []
        for word in text.cutting.patterns(pieces):
            literal = "".join(piece for piece in word if isinstance(piece, str))
            found.append(self._term(text, literal) if _is_certain(word) else self._token_like(text, word))
        return _joined(sorted(found, key=lambda condition: "match(" in condition), "AND", neutral=TRUE, deciding=FALSE)

    def _token_like(self, text: _Text, pieces: Pieces) -> str:
        folded = tuple(text.fold_text(piece) if isinstance(piece, str) else piece for piece in pieces)
        if text.cutting.is_whole and not any(isinstance(piece, Wild) for piece in folded):
            return text.each(f"<x> = {self.binder.bind(''.join(str(piece) for piece in folded))}")
        return text.each(f"match(<x>, {self.binder.bind(text.cutting.regex(folded))})")

    def _contains(self, text: _Text, wanted: str) -> str:
        return text.each(f"position(<x>, {self.binder.bind(text.fold_text(wanted))}) > 0")

    def _empty(self, key: str) -> str:
        self._one_by_one = True
        if key in ("__source__", "__topic__"):
            return f"{key.strip('_')} = ''"
        part = self._json_part(key)
        if part is not None:
            return f"({part.there} AND {part.text} = '')"
        container, name = ("tags", key.removeprefix(TAG_PREFIX)) if key.startswith(TAG_PREFIX) else ("fields", key)
        if container == "fields" and key not in self._fields:
            self.binder.unindexed[key] = None
        value = self._field(name) if container == "fields" else f"tags[{self.binder.bind(name)}]"
        return f"(has({container}.keys, {self.binder.bind(name)}) AND {value} = '')"

    def _json_part(self, key: str) -> "_JsonPart | None":
        """Where `key` is `field.a.b` and `field` is indexed as JSON; the field with the longest name counts."""
        names = key.split(".")
        wholes = (self._fields.get(".".join(names[:count])) for count in range(len(names) - 1, 0, -1))
        whole = next((index for index in wholes if index is not None and index.type == "json"), None)
        if whole is None:
            return None
        path = key.removeprefix(f"{whole.key}.").split(".")
        place = ", ".join([whole.column, *map(self.binder.bind, path)])
        return _JsonPart(whole, f"JSONExtractString({place})", f"JSONType({place}) != 'Null'")

    def _field(self, key: str) -> str:
        """A field's value, '' when it is missing.

        Not `fields[key]`: seeing that, the engine uses the index over the keys as well and then no longer asks the one over the values,
        whose functions fall back to other tokens and another case rule (tests/integration/query/test_search_means.py).
        """
        return f"mapValues(fields)[indexOf(mapKeys(fields), {self.binder.bind(key)})]"

    def _exists(self, key: str) -> str:
        index = self._fields.get(key)
        if index is not None and index.type in ("long", "double"):
            return f"isNotNull({index.column})"
        self._one_by_one = True
        if key in ("__source__", "__topic__"):
            return f"{key.strip('_')} != ''"
        if key.startswith(TAG_PREFIX):
            return f"has(tags.keys, {self.binder.bind(key.removeprefix(TAG_PREFIX))})"
        part = self._json_part(key)
        if part is not None:
            return part.there
        if index is None:
            self.binder.unindexed[key] = None
        return f"has(fields.keys, {self.binder.bind(key)})"

    def _range(self, node: Range) -> str:
        index = self._fields.get(node.field)
        if node.field in ("__source__", "__topic__") or (index is not None and index.type not in ("long", "double")):
            raise ApiError(
                400,
                "ParameterInvalid",
                f"cannot compare `{node.field}` with a number at character {node.position}: it is text; index it as long or double",
            )
        part = self._json_part(node.field)
        self._one_by_one = index is None
        if index is not None:
            column = index.column
        elif part is not None:
            column = f"toFloat64OrNull({part.text})"
        elif node.field.startswith(TAG_PREFIX):
            column = f"toFloat64OrNull(tags[{self.binder.bind(node.field.removeprefix(TAG_PREFIX))}])"
        else:
            self.binder.unindexed[node.field] = None
            column = f"toFloat64OrNull({self._field(node.field)})"
        if node.low is not None and node.low == node.high:
            both = node.low_inclusive and node.high_inclusive
            return f"ifNull({column} = {self._number(node.low)}, 0)" if both else FALSE
        bounds: list[str] = []
        if node.low is not None:
            bounds.append(f"{column} {'>=' if node.low_inclusive else '>'} {self._number(node.low)}")
        if node.high is not None:
            bounds.append(f"{column} {'<=' if node.high_inclusive else '<'} {self._number(node.high)}")
        return f"ifNull({' AND '.join(bounds) or f'isNotNull({column})'}, 0)"

    def _number(self, value: float) -> str:
        if isinstance(value, int) and value in _INT64:
            return self.binder.bind(value, "Int64")
        return self.binder.bind(float(value), "Float64")


def _joined(conditions: Iterable[str], operator: str, *, neutral: str, deciding: str) -> str:
    """Constants are folded here: beside one, the engine stops asking the text index."""
    found = [condition for condition in conditions if condition != neutral]
    if deciding in found:
        return deciding
    if len(found) < 2:
        return found[0] if found else neutral
    return "(" + f" {operator} ".join(found) + ")"


def _has_certain_token(cutting: Cutting, node: Term | Phrase | Pattern) -> bool:
    """Whether there is one that an index can be asked for."""
    return any(map(_is_certain, cutting.patterns(node.pieces))) if isinstance(node, Pattern) else bool(cutting.words(node.text))


def _is_certain(word: Pieces) -> bool:
    return not any(isinstance(piece, Wild) for piece in word)


def _negated(condition: str) -> str:
    return {TRUE: FALSE, FALSE: TRUE}.get(condition) or f"NOT {condition}"


def _as_number(node: Leaf, index: FieldIndex) -> Range:
    """`status:404` on a number field means `status = 404`."""
    text = node.text if isinstance(node, Term | Phrase) else ""
    number = read_number(text)
    if number is None:
        shown = "".join(piece if isinstance(piece, str) else piece.value for piece in node.pieces) if isinstance(node, Pattern) else text
        raise syntax_error(node.position, f"a number for `{index.key}`, whose index is of type {index.type}", f"`{shown}`")
    return Range(index.key, number, number, position=node.position)
