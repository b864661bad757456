"""`tailrace agent doctor`: why a file is collected, or is not."""

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from tailrace.cli.home import DEFAULT
from tailrace.cli.output import Exit, note, say
from tailrace.errors import ConfigErrors, UnreachableError

if TYPE_CHECKING:
    from tailrace.pipeline.model import PipelineConfig


def doctor(
    *,
    file: Annotated[Path, Parameter(help="The file in question, as the agent's machine has it.")],
    home: Annotated[Path, Parameter(help="Home of the agent.")] = DEFAULT,
    pipelines: Annotated[Path | None, Parameter(help="Directory with pipeline files; HOME/pipelines by default.")] = None,
) -> int:
    """Say which pipeline a file belongs to, how far it is, and why it is not collected.

    tailrace agent doctor --file /var/log/nginx/access.log

    Exit code 0: it is collected, or will be when it grows; 1: a line marked [Warning] says why not.
    """
    from tailrace.agent.doctor import MARKS, examine
    from tailrace.agent.platform import current
    from tailrace.agent.settings import startup

    home = home.expanduser().absolute()
    path = os.path.abspath(file.expanduser())  # noqa: PTH100  # links are told, not followed
    roots = [Path(root) for root in startup.load(home).settings.allowed_roots]
    findings = examine(path, _pipelines(pipelines or home / "pipelines"), current([home], roots=roots).reach, _seen(home, path))
    say(path)
    for finding in findings:
        say(f"{MARKS[finding.level]} {finding.text}")
    return Exit.FAILED if any(finding.level == "warning" for finding in findings) else Exit.FINE


def _pipelines(directory: Path) -> "list[PipelineConfig]":
    from tailrace.pipeline.loading import load_directory

    def broken(path: Path, errors: ConfigErrors) -> None:
        note(f"`{path}` is left out, it has mistakes: {errors.message}")

    return load_directory(directory, broken=broken)


def _seen(home: Path, path: str) -> list[Mapping[str, Any]] | None:
    from tailrace.agent.control.socket import ask

    try:
        return list(ask(home / "run", {"ask": "files", "pattern": glob.escape(path), "limit": 10}))
    except UnreachableError:
        return None
