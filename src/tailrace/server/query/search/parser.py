"""Reads a search into its tree: precedence climbing over `not`, `and`, `or`; two conditions side by side mean `and` (sls-api §4.1)."""

import math
from typing import NoReturn

from tailrace.server.query.search.ast import And, Everything, Exists, Leaf, Node, Not, Or, Pattern, Phrase, Pieces, Range, Term, Wild
from tailrace.server.query.search.lexer import Kind, Token, syntax_error, tokenize
from tailrace.server.store.port import TAG_PREFIX

MAX_CONDITIONS = 100
"""The manual allows 30; more is harmless to the engine up to about this."""
MAX_NESTING = 50

_OPERATORS = frozenset({"and", "or", "not"})
_ALIASES = {"source": "__source__", "topic": "__topic__"}


def parse_search(search: str) -> Node:
    """The tree of a search; the empty one is everything. Raises ApiError(400, ParameterInvalid) that points at the character."""
    parser = _Parser(tokenize(search))
    if parser.peek().kind is Kind.END:
        return Everything()
    node = parser.disjunction()
    if parser.peek().kind is not Kind.END:
        parser.fail("`and`, `or` or the end")
    return node


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0
        self._conditions = 0
        self._depth = 0

    def peek(self) -> Token:
        return self._tokens[self._index]

    def fail(self, expected: str, token: Token | None = None) -> NoReturn:
        token = token or self.peek()
        raise syntax_error(token.position, expected, token.shown)

    def disjunction(self) -> Node:
        items = [self._conjunction()]
        while self._operator() == "or":
            self._next()
            items.append(self._conjunction())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def _conjunction(self) -> Node:
        items = [self._negation()]
        while True:
            if self._operator() == "and":
                self._next()
            elif self._operator() == "or" or self.peek().kind in (Kind.END, Kind.CLOSE):
                break
            items.append(self._negation())
        return items[0] if len(items) == 1 else And(tuple(items))

    def _negation(self) -> Node:
        negated = False
        while self._operator() == "not":
            self._next()
            negated = not negated
        item = self._primary()
        return Not(item) if negated else item

    def _primary(self) -> Node:
        if self.peek().kind is not Kind.OPEN:
            return self._condition()
        opened = self._next()
        self._depth += 1
        if self._depth > MAX_NESTING:
            self.fail(f"at most {MAX_NESTING} nested parentheses", opened)
        node = self.disjunction()
        if self.peek().kind is not Kind.CLOSE:
            self.fail(f"`)` for the `(` at character {opened.position}")
        self._next()
        self._depth -= 1
        return node

    def _condition(self) -> Node:
        token = self.peek()
        if token.kind not in (Kind.WORD, Kind.QUOTED, Kind.PHRASE) or self._operator():
            self.fail('a search term (put `"` around a reserved character or word)')
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            self.fail(f"at most {MAX_CONDITIONS} conditions")
        self._next()
        if self._names_field(token):
            return self._field_condition(self._field_name(token), token.position)
        return self._text(None, token, token.position)

    def _names_field(self, token: Token) -> bool:
        if token.kind is Kind.PHRASE:
            return False
        sign = self.peek()
        if sign.kind is Kind.WORD and sign.text == "in":
            return self._tokens[self._index + 1].kind in (Kind.OPEN, Kind.OPEN_SQUARE)
        return sign.kind in (Kind.COLON, Kind.COMPARE)

    def _field_name(self, token: Token) -> str:
        if any(isinstance(piece, Wild) for piece in token.pieces):
            self.fail("a field name without wildcards", token)
        if not token.text:
            self.fail("a field name", token)
        if token.text + ":" != TAG_PREFIX or self.peek().kind is not Kind.COLON:
            return _ALIASES.get(token.text, token.text)
        self._next()
        name = self._next() if self.peek().kind in (Kind.WORD, Kind.QUOTED) else self.fail("a tag name after `__tag__:`")
        if self.peek().kind not in (Kind.COLON, Kind.COMPARE):
            self.fail(f"`:` after the tag name `{name.text}`")
        return TAG_PREFIX + name.text

    def _field_condition(self, field: str, position: int) -> Node:
        sign = self._next()
        if sign.kind is Kind.COMPARE:
            return self._comparison(field, sign.text, position)
        if sign.kind is Kind.COLON:
            return self._value(field, position)
        return self._range(field, position)

    def _value(self, field: str, position: int) -> Node:
        token = self.peek()
        if token.kind not in (Kind.WORD, Kind.QUOTED, Kind.PHRASE) or self._operator():
            self.fail(f'a value after `{field}:` (put `"` around a reserved character or word)')
        self._next()
        if self.peek().kind in (Kind.COLON, Kind.COMPARE):
            self.fail(f'a value after `{field}:` with `"` around it when it holds `{self.peek().text}`')
        return self._text(field, token, position)

    def _text(self, field: str | None, token: Token, position: int) -> Node:
        if token.kind is Kind.PHRASE:
            return Phrase(field, token.text, position)
        if not any(isinstance(piece, Wild) for piece in token.pieces):
            return Term(field, token.text, position)
        if all(piece is Wild.ANY for piece in token.pieces):
            return Everything() if field is None else Exists(field, position)
        self._check_pattern(token)
        return Pattern(field, _without_repeats(token.pieces), position)

    def _check_pattern(self, token: Token) -> None:
        if isinstance(token.pieces[0], Wild):
            self.fail("a word that does not begin with a wildcard", token)

    def _comparison(self, field: str, sign: str, position: int) -> Leaf:
        number = self._number(f"a number after `{sign}`")
        match sign:
            case "=":
                return Range(field, number, number, position=position)
            case ">" | ">=":
                return Range(field, number, None, low_inclusive=sign == ">=", position=position)
            case _:
                return Range(field, None, number, high_inclusive=sign == "<=", position=position)

    def _range(self, field: str, position: int) -> Leaf:
        opened = self._next()
        low = self._number("the lower bound, a number or `-inf`", infinite=-math.inf)
        high = self._number("the upper bound, a number or `inf`", infinite=math.inf)
        if self.peek().kind not in (Kind.CLOSE, Kind.CLOSE_SQUARE):
            self.fail("`]` or `)` after the two bounds")
        closed = self._next()
        if low is not None and high is not None and low > high:
            self.fail(f"bounds in rising order (not {low} before {high})", opened)
        return Range(field, low, high, opened.kind is Kind.OPEN_SQUARE, closed.kind is Kind.CLOSE_SQUARE, position)

    def _number(self, expected: str, infinite: float | None = None) -> int | float | None:
        token = self.peek()
        number = read_number(token.text) if token.kind in (Kind.WORD, Kind.QUOTED) else None
        if infinite is not None and token.text.lower().lstrip("+") == f"{infinite}":
            number = infinite
        if number is None or (math.isinf(number) and number != infinite):
            self.fail(expected)
        self._next()
        return None if isinstance(number, float) and math.isinf(number) else number

    def _operator(self) -> str | None:
        word = self.peek().text.lower() if self.peek().kind is Kind.WORD else ""
        return word if word in _OPERATORS else None

    def _next(self) -> Token:
        token = self._tokens[self._index]
        self._index += 1
        return token


def read_number(text: str) -> int | float | None:
    """A decimal number as the index reads it, else None: no spaces, underscores, `nan` or infinities by name."""
    if not text or text != text.strip() or "_" in text or not text.isascii():
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    if not any(character.isdigit() for character in text):
        return None
    try:
        return int(text)
    except ValueError:
        return number


def _without_repeats(pieces: Pieces) -> Pieces:
    """`a**` means `a*`: one star is enough, and cheaper."""
    return tuple(piece for index, piece in enumerate(pieces) if piece is not Wild.ANY or index == 0 or pieces[index - 1] is not Wild.ANY)
