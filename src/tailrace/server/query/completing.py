"""What may stand at the cursor of a query that is being typed.

In the search: fields, operators, and after `field:` the values that are most frequent just now. In SQL: fields, functions, keywords.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tailrace.server.query.search.lexer import split_statement
from tailrace.server.query.sql.functions import FUNCTIONS
from tailrace.server.store.port import TableSpec

Kind: TypeAlias = Literal["field", "value", "operator", "function", "keyword"]

RESERVED = ("__source__", "__topic__")
OPERATORS = ("and", "or", "not", "in")
KEYWORDS = (
    "select", "from", "log", "where", "group by", "order by", "having", "limit", "as", "and", "or", "not", "in", "is null", "is not null",
    "between", "like", "case", "when", "then", "else", "end", "distinct", "desc", "asc", "join", "on", "union all", "with", "over",
    "partition by", "cast", "interval",
)  # fmt: skip
NEAR = 1024
"""Characters before the cursor that are looked at: the expressions below take time with the square of it."""
_NEEDS_QUOTES = re.compile(r'[\s:"()\[\]{}=<>|*?\\]')
_VALUE = re.compile(r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<name>[^\s:"()\[\]=<>|]+))\s*:\s*(?P<open>"?)(?P<value>[^\s:"()\[\]=<>|]*)$')
_WORD = re.compile(r"[^\s:\"()\[\]=<>|,+*/%-]*$")
_COLUMN = re.compile(r'"(?P<quoted>[^"]*)$|(?P<name>\w*)$')


@dataclass(frozen=True, slots=True)
class Item:
    """`text` takes the place of what stands between `start` and the cursor."""

    text: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Completion:
    """Characters count from 0. `field` is that whose values are wanted, with the `prefix` that they begin with; "" for none."""

    start: int
    items: Sequence[Item]
    field: str = ""
    prefix: str = ""


def complete(table: TableSpec, query: str, position: int) -> Completion:
    """For the text before the cursor."""
    before = query[: max(0, position)]
    search, sql = split_statement(before)
    if sql is None:
        return _in_search(table, search[-NEAR:], max(0, len(search) - NEAR))
    if sql.count("'") % 2:
        return Completion(len(before), [])
    return _in_sql(table, sql[-NEAR:], len(before) - len(sql[-NEAR:]))


def value_item(value: str) -> Item:
    """As a search has to write it."""
    return Item(quoted(value), "value")


def quoted(text: str) -> str:
    """In double quotes where the search language needs them."""
    if text and not _NEEDS_QUOTES.search(text) and text.lower() not in OPERATORS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _in_search(table: TableSpec, search: str, offset: int) -> Completion:
    if (found := _VALUE.search(search)) is not None:
        name = re.sub(r"\\(.)", r"\1", found["quoted"]) if found["quoted"] is not None else found["name"]
        field = {"source": "__source__", "topic": "__topic__"}.get(name, name)
        return Completion(offset + found.start("open"), [], field, found["value"])
    word = _WORD.search(search)
    typed = word[0] if word is not None else ""
    names = [Item(f"{quoted(name)}:", "field") for name in _fields(table, typed)]
    operators = [Item(operator, "operator") for operator in OPERATORS if operator.startswith(typed.lower()) and search.strip()]
    return Completion(offset + len(search) - len(typed), [*names, *operators])


def _in_sql(table: TableSpec, sql: str, offset: int) -> Completion:
    found = _COLUMN.search(sql)
    typed = "" if found is None else found["quoted"] if found["quoted"] is not None else found["name"]
    start = offset + (found.start() if found is not None else len(sql))
    names = [Item(_identifier(name), "field") for name in _fields(table, typed)]
    if found is not None and found["quoted"] is not None:
        return Completion(start, names)
    functions = [Item(f"{name}(", "function") for name in _beginning(sorted(FUNCTIONS), typed)] if typed else []
    keywords = [Item(word, "keyword") for word in _beginning(KEYWORDS, typed)]
    return Completion(start, [*names, *keywords, *functions])


def _fields(table: TableSpec, typed: str) -> list[str]:
    names = [*(index.key for index in table.fields), *(index.alias for index in table.fields if index.alias), *RESERVED]
    return _beginning(names, typed)


def _beginning(names: Iterable[str], typed: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.lower().startswith(typed.lower())]


def _identifier(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace('"', '""') + '"'
