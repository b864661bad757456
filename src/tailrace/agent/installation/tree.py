"""Files, links and directories that an installation makes, each noted, so that taking it away leaves nothing else behind."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tailrace.errors import StateError


class Tree:
    """Paths are those of the finished installation; `at` says where they are written. `give(path, user)` makes a user the owner."""

    def __init__(self, at: Callable[[Path], Path], give: Callable[[Path, str], None] | None = None) -> None:
        self._at = at
        self._give = give
        self.directories: list[Path] = []
        """Those that were not there before, outer ones first."""

    def directory(self, path: Path, mode: int = 0o755, owner: str = "root") -> None:
        """Make it and all above it. One that is there already stays as it is."""
        if owner != "root" and self._at(path).is_symlink():
            raise StateError(f"`{path}` is a link and should be a directory", hint="whoever may write there may not lead us elsewhere")
        for one in reversed([one for one in (path, *path.parents) if not self._at(one).exists()]):
            here = self._at(one)
            here.mkdir(mode=0o755)
            here.chmod(mode if one == path else 0o755)  # whatever the umask
            self.own(here, owner if one == path else "root")
            self.directories.append(one)

    def file(self, path: Path, text: str, mode: int = 0o644, owner: str = "root") -> None:
        """As a whole or not at all."""
        self.directory(path.parent)
        unfinished = self._at(path.with_name(f"{path.name}.new"))
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(mode)
        self.own(unfinished, owner)
        unfinished.replace(self._at(path))

    def link(self, path: Path, target: Path, owner: str = "root") -> None:
        """In one step. StateError when something that is no link stands there."""
        self.directory(path.parent)
        here = self._at(path)
        if here.exists() and not here.is_symlink():
            raise StateError(f"cannot make the link `{path}`: something else stands there", hint="move it away, then install again")
        new = here.with_name(f"{here.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(target)
        self.own(new, owner)
        new.replace(here)

    def remove(self, path: Path) -> bool:
        """A file, a link or a whole directory; whether there was one. Links in it are not followed."""
        here = self._at(path)
        if here.is_dir() and not here.is_symlink():
            shutil.rmtree(here)
        elif here.is_symlink() or here.exists():
            here.unlink()
        else:
            return False
        return True

    def prune(self) -> None:
        """Remove the directories that were made and are empty, inner ones first."""
        for path in reversed(self.directories):
            here = self._at(path)
            if here.is_dir() and not any(os.scandir(here)):
                here.rmdir()

    def own(self, path: Path, owner: str) -> None:
        """`path` as it is written."""
        if self._give is not None:
            self._give(path, owner)
