"""Writes the reference page of actions: `python -m tailrace.server.api.page docs/reference/actions.md`."""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from tailrace.server.api.actions import Asking, askings

_HEAD = """# Actions and roles

<!-- Made by `make docs` from the routes of the server; what is written here by hand is lost. -->

What a request asks to do, and the least role that may do it ([users and roles](../howto/users-and-roles.md)): in the project that it
concerns, or `*` for the server as a whole. Whoever has a role in `*` has it in all projects. The `actions` of a key narrow it to actions
of these names, with `*`. What is recorded stands in the audit log before it is done.

Agents' own keys may do `log:PostLogStoreLogs` in the logstores that they were given, and what stands here as *the agent itself*.

| action | may be done by | recorded | asked for by |
| --- | --- | --- | --- |
"""


def page() -> str:
    """One row per action and role."""
    rows = sorted(askings(), key=lambda one: (one.action.partition(":")[2], one.action, one.who, one.place))
    return _HEAD + "".join(_row(list(same)) for _, same in groupby(rows, key=lambda one: (one.action, one.who)))


def _row(same: list[Asking]) -> str:
    first = same[0]
    return f"| `{first.action}` | {first.who} | {'yes' if first.is_recorded else ''} | {'<br>'.join(_places(same))} |\n"


def _places(same: list[Asking]) -> Iterator[str]:
    for one in same:
        yield f"`{one.place}`"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
