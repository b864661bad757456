"""Cuts a search into tokens, each with the character at which it stands."""

import enum
from dataclasses import dataclass

from tailrace.errors import ApiError
from tailrace.server.query.search.ast import Pieces, Wild


class Kind(enum.Enum):
    """What a token is; the value is how an error message names it."""

    WORD = "a word"
    QUOTED = "a quoted text"
    PHRASE = "a phrase"
    COLON = "`:`"
    COMPARE = "a comparison"
    OPEN = "`(`"
    CLOSE = "`)`"
    OPEN_SQUARE = "`[`"
    CLOSE_SQUARE = "`]`"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """`text` has its escapes resolved. A word's `pieces` say which of its `*` and `?` are wildcards."""

    kind: Kind
    text: str
    position: int
    pieces: Pieces = ()

    @property
    def shown(self) -> str:
        """How an error message shows it."""
        return self.kind.value if self.kind is Kind.END else f"`{self.text}`"


_PUNCTUATION = {":": Kind.COLON, "(": Kind.OPEN, ")": Kind.CLOSE, "[": Kind.OPEN_SQUARE, "]": Kind.CLOSE_SQUARE}
_COMPARISONS = ("<=", ">=", "=", "<", ">")
_ENDS_WORD = frozenset(':()[]=<>|"')


def syntax_error(position: int, expected: str, found: str) -> ApiError:
    """The one form of every syntax error (sls-api §4.1: 400 ParameterInvalid with a position)."""
    return ApiError(400, "ParameterInvalid", f"cannot read the search at character {position}: expected {expected}, found {found}")


def split_statement(statement: str) -> tuple[str, str | None]:
    """`search | SQL` cut at the first `|` outside double quotes; the second part is None when there is no `|`."""
    quoted = escaped = False
    for index, character in enumerate(statement):
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == "|" and not quoted:
            return statement[:index], statement[index + 1 :]
    return statement, None


def tokenize(search: str) -> list[Token]:
    """All tokens of a search, closed by one END token."""
    tokens: list[Token] = []
    index = 0
    while index < len(search):
        if search[index].isspace():
            index += 1
            continue
        token, index = _token(search, index)
        tokens.append(token)
    tokens.append(Token(Kind.END, "", len(search) + 1))
    return tokens


def _token(search: str, start: int) -> tuple[Token, int]:
    character = search[start]
    if character in _PUNCTUATION:
        return Token(_PUNCTUATION[character], character, start + 1), start + 1
    for sign in _COMPARISONS:
        if search.startswith(sign, start):
            return Token(Kind.COMPARE, sign, start + 1), start + len(sign)
    if character == '"':
        text, end = _quoted(search, start)
        return Token(Kind.QUOTED, text, start + 1), end
    if search.startswith('#"', start):
        text, end = _quoted(search, start + 1)
        return Token(Kind.PHRASE, text, start + 1), end
    if character == "|":
        raise syntax_error(start + 1, "a search term", "`|`")
    return _word(search, start)


def _quoted(search: str, start: int) -> tuple[str, int]:
    """The text between double quotes; a backslash takes the next character as it is."""
    text: list[str] = []
    index = start + 1
    while index < len(search):
        character = search[index]
        if character == '"':
            return "".join(text), index + 1
        if character == "\\" and index + 1 < len(search) and search[index + 1] in '"\\':
            index += 1
            character = search[index]
        text.append(character)
        index += 1
    raise syntax_error(start + 1, 'a closing `"` for the quote that opens here', "the end")


def _word(search: str, start: int) -> tuple[Token, int]:
    pieces: list[str | Wild] = []
    literal: list[str] = []
    index = start
    while index < len(search) and not search[index].isspace() and search[index] not in _ENDS_WORD:
        character = search[index]
        if character in "*?":
            if literal:
                pieces.append("".join(literal))
                literal = []
            pieces.append(Wild(character))
        else:
            if character == "\\" and index + 1 < len(search):
                index += 1
            literal.append(search[index])
        index += 1
    if literal:
        pieces.append("".join(literal))
    text = "".join(piece.value if isinstance(piece, Wild) else piece for piece in pieces)
    return Token(Kind.WORD, text, start + 1, tuple(pieces)), index
