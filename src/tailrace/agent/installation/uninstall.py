"""Takes the agent away: its service and its program. What it was told, what it collected last and what it said stay, unless all of it is to
go."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tailrace.agent.installation import manifest
from tailrace.agent.installation.layout import ROOT_USER, Layout
from tailrace.agent.installation.tree import Tree
from tailrace.agent.platform import Users

STATE_OF_PROGRAM: Final = ("versions", "current", "last-good", "run")
"""Parts of the home that mean nothing without the program."""


def uninstall(layout: Layout, users: Users | None, *, purge: bool) -> tuple[list[str], list[str]]:
    """What was removed, and what was left. The service is stopped already. Again after a first time, with `purge`, removes what was left.
    StateError, DamagedError."""
    known = manifest.read(layout.at(layout.manifest))
    tree = Tree(layout.at)
    tree.directories = [Path(one) for one in known.directories] if known else []
    going = [*(Path(one) for one in (known.files if known else ())), layout.programs, *(layout.home / one for one in STATE_OF_PROGRAM)]
    data = [layout.home, layout.config, layout.logs]
    removed = [str(path) for path in [*going, *(data if purge else [])] if tree.remove(path)]
    if purge:
        tree.prune()
        if known and known.made_user and users and layout.user != ROOT_USER:
            users.remove(layout.user)
            removed.append(f"the user {layout.user}")
    elif known:
        kept = {*data, *(above for path in data for above in path.parents)}
        tree.directories = [path for path in tree.directories if path not in kept and not any(path.is_relative_to(one) for one in data)]
        tree.prune()
    return removed, _left(layout, users)


def _left(layout: Layout, users: Users | None) -> list[str]:
    left: Sequence[Path] = [path for path in (layout.home, layout.config, layout.logs) if layout.at(path).exists()]
    user = [f"the user {layout.user}"] if users and layout.user != ROOT_USER and users.knows(layout.user) else []
    return [*map(str, left), *user]
