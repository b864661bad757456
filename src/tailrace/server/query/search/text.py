"""How a text is cut into tokens, and the regular expressions that find a token where the engine has no index for it.

The same rules as the engine's text index: tokens are what stands between delimiters, and case is folded for ASCII letters only.
"""

import re
import string

from tailrace.server.query.search.ast import Pieces, Wild

DEFAULT_DELIMITERS = (",", " ", "'", '"', ";", "=", "(", ")", "[", "]", "{", "}", "?", "@", "&", "<", ">", "/", ":", "\n", "\t", "\r")
"""The SLS default token list, used for whatever has no index of its own."""

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(text: str) -> str:
    """ASCII lower case, as the engine's `lower()`."""
    return text.translate(_ASCII_LOWER)


def cut(text: str, delimiters: tuple[str, ...]) -> list[str]:
    """The tokens of a text; the whole text is one token when there are no delimiters."""
    if not delimiters:
        return [text]
    return [token for token in re.split("|".join(map(re.escape, delimiters)), text) if token]


def cut_pieces(pieces: Pieces, delimiters: tuple[str, ...]) -> list[Pieces]:
    """The same for a word with wildcards: a wildcard belongs to the token that it touches."""
    words: list[list[str | Wild]] = [[]]
    for piece in pieces:
        if isinstance(piece, Wild) or not delimiters:
            words[-1].append(piece)
            continue
        first, *others = re.split("|".join(map(re.escape, delimiters)), piece)
        words[-1].append(first)
        words.extend([other] for other in others)
    cleaned = [tuple(piece for piece in word if piece) for word in words]
    return [word for word in cleaned if any(isinstance(piece, str) for piece in word)]


def token_regex(pieces: Pieces, delimiters: tuple[str, ...]) -> str:
    """A regular expression (RE2) that finds one token: `pieces` between two delimiters or ends of the text."""
    listed = "".join(re.escape(delimiter) for delimiter in delimiters)
    other = f"[^{listed}]" if listed else r"(?s:.)"
    body = "".join(re.escape(piece) if isinstance(piece, str) else other + ("*" if piece is Wild.ANY else "") for piece in pieces)
    before, after = (f"(?:^|[{listed}])", f"(?:[{listed}]|$)") if listed else ("^", "$")
    return before + body + after
