"""Path patterns: `*`, `?` and `[…]` within one name, `**` across directories."""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tailrace.pipeline.platform import is_below
from tailrace.pipeline.sharing import Rank

WILDCARD = re.compile(r"[*?\[]")
WILDCARDS = re.compile(r"\*|\?|\[!?\]?[^\]]*\]")


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
    rank: Rank
    """How exactly it names files: first its fixed directories, then what is fixed in the rest, then how few levels it may span."""

    def matches(self, path: str) -> bool:
        """Whether it would find a file at this path."""
        directory, _, name = path.rpartition("/")
        if not self.name.match(name) or not is_below(directory or "/", self.base):
            return False
        below = [part for part in directory[len(self.base) if self.base != "/" else 0 :].split("/") if part]
        deeper = len(below) - len(self.steps)
        return 0 <= deeper <= self.depth and all(step.match(part) for step, part in zip(self.steps, below, strict=False))


def path_pattern(path: str, max_depth: int, *, text: str = "") -> PathPattern:
    """`path` has been checked by the config: absolute, at most one `**`, right before the file name. `text`: how the config has it."""
    *directories, name = path.split("/")
    deep = directories[-1] == "**"
    if deep:
        directories.pop()
    fixed = next((index for index, part in enumerate(directories) if WILDCARD.search(part)), len(directories))
    steps = [name_pattern(part) for part in directories[fixed:]]
    base = "/".join(directories[:fixed]) or "/"
    literal = len(WILDCARDS.sub("", "/".join([*directories[fixed:], name])))
    rank = (len(base), literal, -max_depth if deep else 0)
    return PathPattern(text or path, base, steps, max_depth if deep else 0, name_pattern(name), rank)


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
    inner = re.sub(r"([\\\[&|~])", r"\\\1", piece[1:-1])
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

    def above(self, path: str, base: str) -> bool:
        """Whether a directory between `base` and the file at `path` is taken out."""
        if not self.directories:
            return False
        directory = path.rpartition("/")[0]
        while is_below(directory, base):
            if self.directory(directory):
                return True
            directory = directory.rpartition("/")[0]
            if not directory:
                break
        return False

    def file(self, path: str, name: str) -> bool:
        if not (self.names or self.paths):
            return False
        return any(pattern.fullmatch(name) for pattern in self.names) or any(pattern.fullmatch(path) for pattern in self.paths)
