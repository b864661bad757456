"""What a config may name on the machine that it comes to, beside its logs: files that are read (keys, dictionaries, databases), files that
are written, variables of the environment.

The agent's administrator decides it in `HOME/agent.yaml`; no config and no server can widen it (DESIGN §4.5). Which options name files is
said by the options themselves (`option(file="read")`).
"""

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from tailrace.pipeline.config import OptionGroup, Problem, extra, has_reference, public_key
from tailrace.pipeline.platform import Reach


@dataclass(frozen=True, slots=True)
class ConfigPolicy:
    """`variables` are names of environment variables, with `*` and `?`."""

    reads: Reach
    writes: Reach
    variables: Sequence[str]

    def problems(self, group: OptionGroup) -> Iterator[Problem]:
        """The options of a plugin that name what they may not, their references put in."""
        for name in group.variables():
            if refusal := self.variable(name):
                yield refusal
        for key, how, path in _named(group):
            if refusal := self.file(path, how):
                yield Problem(key, refusal.message, refusal.hint)

    def file(self, path: str, how: str) -> Problem | None:
        """Why a file may not be read (`how` is `read`) or written; None when it may. Links are followed."""
        reach, key = (self.reads, "config_files") if how == "read" else (self.writes, "config_outputs")
        if Path(path).is_absolute() and reach.allows(os.path.realpath(path)):
            return None
        where = ", ".join(f"`{root}`" for root in reach.roots) or "nowhere"
        verb = "read" if how == "read" else "write"
        return Problem(
            "", f"a config may not {verb} `{path}` on this agent", f"it may {verb} in {where}; `{key}` in HOME/agent.yaml says where"
        )

    def variable(self, name: str) -> Problem | None:
        """Why a variable of the environment may not be used; None when it may."""
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.variables):
            return None
        listed = ", ".join(f"`{pattern}`" for pattern in self.variables) or "none"
        hint = f"it may use {listed}; `config_variables` in HOME/agent.yaml lists them"
        return Problem("", f"a config may not use the environment variable `{name}` on this agent", hint)


ANYTHING: Final = ConfigPolicy(Reach(), Reach(), ("*",))
"""For who runs a config by hand, with no more rights than their own (`tailrace parse`)."""


def _named(group: OptionGroup) -> Iterator[tuple[str, str, str]]:
    """(key, `read` or `write`, path) of every file that the options name."""
    for name, field in type(group).model_fields.items():
        key, value, how = public_key(name, field), getattr(group, name), extra(field).get("x-file")
        if isinstance(value, OptionGroup):
            yield from ((f"{key}.{inner}", mode, path) for inner, mode, path in _named(value))
        elif how and value:
            paths = cast("list[str]", value if isinstance(value, list) else [value])
            yield from ((key, str(how), path) for path in paths if not has_reference(path))
