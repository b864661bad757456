"""Path patterns: `*`, `?` and `[…]` within one name, `**` across directories."""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One entry of `FilePaths`, taken apart."""

    text: str
    base: str
    """The directory before the first wildcard."""
    steps: Sequence[re.Pattern[str]]
    """Names of the directories below `base`, one level each."""
    depth: int
    """How many directories further down files may lie (`**`)."""
    name: re.Pattern[str]


def path_pattern(text: str, max_depth: int) -> PathPattern:
    """`text` has been checked by the config: absolute, at most one `**`, right before the file name."""
    *directories, name = text.split("/")
    deep = directories[-1] == "**"
    if deep:
        directories.pop()
    fixed = next((index for index, part in enumerate(directories) if WILDCARD.search(part)), len(directories))
    steps = [name_pattern(part) for part in directories[fixed:]]
    return PathPattern(text, "/".join(directories[:fixed]) or "/", steps, max_depth if deep else 0, name_pattern(name))


def name_pattern(text: str) -> re.Pattern[str]:
    """For one name, without its directory."""
    return re.compile(fnmatch.translate(text))


def whole_path_pattern(text: str) -> re.Pattern[str]:
    """For a whole path: `**` crosses directories, the other wildcards do not."""
    parts = ["(?:[^/]+/)*" if part == "**" else _one_name(part) + "/" for part in text.rstrip("/").split("/")]
    return re.compile("".join(parts).removesuffix("/"), re.DOTALL)


def _one_name(part: str) -> str:
    """fnmatch's translation of one name, its `.` (from `*` and `?`) kept within the name."""
    pieces = re.split(r"(\*|\?|\[!?\]?[^\]]*\])", part)
    wild = {"*": "[^/]*", "?": "[^/]"}
    return "".join(
        wild[piece]
        if piece in wild
        else _set(piece)
        if piece.startswith("[") and piece.endswith("]") and len(piece) > 2
        else re.escape(piece)
        for piece in pieces
    )


def _set(piece: str) -> str:
    inner = piece[1:-1].replace("\\", r"\\")
    return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"


@dataclass(frozen=True, slots=True)
class Excluded:
    """What `ExcludeDirs`, `ExcludeFiles` and `ExcludeFilePaths` take out."""

    directories: Sequence[re.Pattern[str]]
    names: Sequence[re.Pattern[str]]
    paths: Sequence[re.Pattern[str]]

    @classmethod
    def of(cls, *, directories: Iterable[str], names: Iterable[str], paths: Iterable[str]) -> "Excluded":
        return cls(
            [whole_path_pattern(text) for text in directories],
            [name_pattern(text) for text in names],
            [whole_path_pattern(text) for text in paths],
        )

    def directory(self, path: str) -> bool:
        """Whether this very directory is taken out; what is below it is never asked for."""
        return any(pattern.fullmatch(path) for pattern in self.directories)

    def file(self, path: str, name: str) -> bool:
        return any(pattern.fullmatch(name) for pattern in self.names) or any(pattern.fullmatch(path) for pattern in self.paths)
