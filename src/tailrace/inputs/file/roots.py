"""Roots: the file trees that an input searches. A config alone searches one, the host's own; containers will bring more at run time.

A root says where a tree lies on this host, what it is called in configs and in events, which tags its events carry, how far links between
directories may lead, and how long its files may still be read once it is gone.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from tailrace.inputs.file.patterns import PathPattern, path_pattern
from tailrace.pipeline.platform import is_below

LIFE_SECS = 3600.0
"""How long files of a removed root are read on, when nothing else is said."""


@dataclass(frozen=True, slots=True)
class Root:
    """One tree. Paths of configs are paths below `shown`; on this host they lie below `host`."""

    name: str = ""
    """Unique within an input."""
    host: str = "/"
    """Absolute, without links: the directory on this host."""
    shown: str = "/"
    """What that directory is called in configs."""
    tags: tuple[tuple[str, str], ...] = ()
    """(name, value) that the events of its files carry: for a container its name, its image, its pod."""
    beneath: str = "/"
    """Directories are searched below this real one and no further, wherever links lead; for a container its own tree."""
    life_secs: float = LIFE_SECS
    """So long after its removal its files are read on; what is unread then is counted as lost."""

    def pattern(self, text: str, max_depth: int) -> PathPattern | None:
        """A path of a config, in this tree; None when it lies outside of it."""
        if not is_below(text, self.shown):
            return None
        return path_pattern(self.host_path(text), max_depth, text=text)

    def host_path(self, shown: str) -> str:
        return _moved(shown, self.shown, self.host)

    def shown_path(self, path: str) -> str:
        """What a path on this host is called: in configs, and in the tag `__path__`."""
        return _moved(path, self.host, self.shown)


HOST = Root()


class Roots:
    """The roots of one input. Any thread may change them; the follower sees it at its next turn."""

    def __init__(self, first: Sequence[Root] = (HOST,)) -> None:
        self._lock = threading.Lock()
        self._roots = {root.name: root for root in first}
        self._removed: list[Root] = []
        self._read_on: list[Root] = []
        """Removed ones whose files may still be read."""

    def add(self, root: Root) -> None:
        """Search another tree. What stands in it already is read like new files; again with the same name replaces the root."""
        with self._lock:
            self._roots[root.name] = root

    def remove(self, name: str) -> None:
        """Search a tree once more, read its files to their end, then let them go."""
        with self._lock:
            if root := self._roots.pop(name, None):
                self._removed.append(root)
                self._read_on.append(root)

    @property
    def all(self) -> list[Root]:
        with self._lock:
            return [*self._roots.values()]

    def covers(self, path: str) -> bool:
        """Whether a path on this host lies in one of the roots."""
        return any(is_below(path, root.host) for root in self.all)

    def of(self, path: str) -> Root:
        """The root that a path on this host lies in, the innermost one, also one that was removed lately; else the host's own."""
        return self._innermost(path) or HOST

    def beneath(self, path: str) -> str:
        """The real directory that links in a path on this host may not lead out of: what the root says that it lies in. In no root, not
        even in one that was removed lately: its own directory."""
        root = self._innermost(path)
        return root.beneath if root is not None else path.rpartition("/")[0] or "/"

    def _innermost(self, path: str) -> Root | None:
        with self._lock:
            roots = [root for root in (*self._roots.values(), *self._read_on) if is_below(path, root.host)]
        return max(roots, key=lambda root: len(root.host), default=None)

    def is_over(self, root: Root) -> None:
        """Nothing of a removed root is read any more."""
        with self._lock:
            self._read_on = [one for one in self._read_on if one is not root]

    def take_removed(self) -> list[Root]:
        """Roots that were removed since the last call."""
        with self._lock:
            removed, self._removed = self._removed, []
            return removed


def _moved(path: str, of: str, to: str) -> str:
    rest = path if of == "/" else path[len(of) :]
    return (rest if to == "/" else to + rest) or "/"
