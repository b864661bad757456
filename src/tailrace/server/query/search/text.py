"""How a text is cut into tokens, and the regular expressions that find a token where the engine has no index for it.

The same rules as the engine's text index (store/schema.py): tokens are what stands between delimiters, case is folded for ASCII letters
only, and in an index of Chinese text each Chinese character is a token of its own.
"""

import re
import string
from dataclasses import dataclass

from tailrace.server.query.search.ast import Pieces, Wild
from tailrace.server.store.schema import HAN

DEFAULT_DELIMITERS = (",", " ", "'", '"', ";", "=", "(", ")", "[", "]", "{", "}", "?", "@", "&", "<", ">", "/", ":", "\n", "\t", "\r")
"""The SLS default token list, used for whatever has no index of its own."""

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_HAN = re.sub(r"\\x\{(\w+)\}", lambda match: chr(int(match[1], 16)), HAN)
"""The same characters for Python's regular expressions."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """What an index says of its tokens. Without delimiters a whole text is one token (or, of Chinese text, one run between characters)."""

    delimiters: tuple[str, ...] = DEFAULT_DELIMITERS
    chinese: bool = False

    @property
    def is_whole(self) -> bool:
        return not self.delimiters and not self.chinese

    def words(self, text: str) -> list[str]:
        """The tokens of a text."""
        parts = self._split(text)
        if self.chinese:
            parts = [word for part in parts for word in re.split(f"({_HAN})", part)]
        return parts if self.is_whole else [word for word in parts if word]

    def runs(self, text: str) -> list[str]:
        """Chinese characters that stand side by side in a search and have to in the text, too."""
        return re.findall(f"{_HAN}{{2,}}", text) if self.chinese else []

    def patterns(self, pieces: Pieces) -> list[Pieces]:
        """A word with wildcards cut at its delimiters; a wildcard belongs to the token that it touches."""
        words: list[list[str | Wild]] = [[]]
        for piece in pieces:
            if isinstance(piece, Wild):
                words[-1].append(piece)
                continue
            first, *others = self._split(piece)
            words[-1].append(first)
            words.extend([other] for other in others)
        cleaned = [tuple(piece for piece in word if piece) for word in words]
        return [word for word in cleaned if any(isinstance(piece, str) for piece in word)]

    def regex(self, pieces: Pieces) -> str:
        """A regular expression (RE2) that finds one token: `pieces` between two delimiters or ends of the text.

        A wildcard stands for Chinese characters, too, and such a character at an end needs nothing around it.
        """
        listed = "".join(re.escape(delimiter) for delimiter in self.delimiters)
        other = f"[^{listed}]" if listed else r"(?s:.)"
        body = "".join(re.escape(piece) if isinstance(piece, str) else other + ("*" if piece is Wild.ANY else "") for piece in pieces)
        return self._edge("^", listed, pieces[0]) + body + self._edge("$", listed, pieces[-1])

    def _edge(self, end: str, listed: str, piece: str | Wild) -> str:
        if self.chinese and isinstance(piece, str) and re.match(_HAN, piece[0 if end == "^" else -1]):
            return ""
        between = [end, *([f"[{listed}]"] if listed else []), *([HAN] if self.chinese else [])]
        return end if len(between) == 1 else f"(?:{'|'.join(between)})"

    def _split(self, text: str) -> list[str]:
        return re.split("|".join(map(re.escape, self.delimiters)), text) if self.delimiters else [text]


USUAL = Cutting()


def fold(text: str) -> str:
    """ASCII lower case, as the engine's `lower()`."""
    return text.translate(_ASCII_LOWER)
