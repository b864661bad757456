"""`tailrace agent doctor`: why the agent does not collect, or does not send."""

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from tailrace.cli.home import AGENT_HOME, become_owner
from tailrace.cli.output import Exit, Output, note, print_table, say
from tailrace.errors import StateError, UnreachableError

if TYPE_CHECKING:
    from tailrace.agent.doctor import Finding, Scene

COLUMNS: Final = ("check", "level", "text", "remedy")
CODES: Final = {"settings": Exit.USAGE, "pipelines": Exit.USAGE, "connection": Exit.UNREACHABLE}
"""Exit codes of checks whose warnings are no plain failure."""


def doctor(
    *,
    file: Annotated[Path | None, Parameter(help="Only why this file is collected, or is not.", show_default=False)] = None,
    home: Annotated[Path, Parameter(help="Home of the agent.")] = AGENT_HOME,
    pipelines: Annotated[
        Path | None, Parameter(help="Directory with pipeline files, or one file; HOME/pipelines by default.", show_default=False)
    ] = None,
    output: Annotated[Output, Parameter(help="`table`, `json` (one finding a line) or `csv`.")] = "table",
) -> int:
    """Say what keeps the agent from collecting or sending, and what to do about it.

    tailrace agent doctor                                         home, disk, configs, files, limits, agent, keys, network, clock
    tailrace agent doctor --file /var/log/nginx/access.log        which pipeline a file belongs to, how far it is, why it is not collected
    tailrace agent doctor --output json

    Run it as the agent's user, or as root, who asks as the agent. It needs no agent that runs, asks the one that does, and changes nothing.

    Exit code 0: nothing stands in the way; 1: a line marked [Warning] says what does; 2: all that does are settings and pipelines; 3: all
    that does are servers that cannot be reached.
    """
    from tailrace.agent.doctor import examine, look
    from tailrace.wire.outward import use as use_outward
    from tailrace.wire.proxy import use

    home = home.expanduser().absolute()
    become_owner(home)
    scene = look(home, pipelines.expanduser().absolute() if pipelines else None)
    use(scene.settings.proxies)
    use_outward(scene.settings.outward)
    if file is not None:
        path = os.path.abspath(file.expanduser())  # noqa: PTH100  # links are told, not followed
        found = _show(_of_file(path, scene), output, title=path)
    else:
        found = _show(examine(scene), output)
    return _exit_code(found)


def _of_file(path: str, scene: "Scene") -> "list[Finding]":
    from tailrace.agent.doctor import examine_file
    from tailrace.agent.platform import current

    if scene.source.exists() or scene.given:
        for mistake in scene.pipeline_mistakes:
            note(f"left out, it has mistakes: {mistake.message}")
    else:
        note(f"no server has given a pipeline, and there is no directory `{scene.source}`")
    roots = [Path(root) for root in scene.settings.allowed_roots]
    reach = current([scene.home], roots=roots).reach
    return [replace(finding, check="file") for finding in examine_file(path, scene.pipelines, reach, _seen(scene.home, path))]


def _seen(home: Path, path: str) -> list[Mapping[str, Any]] | None:
    """What the running agent says of a file; None when none answers."""
    from tailrace.agent.control.socket import ask

    try:
        return list(ask(home / "run", {"ask": "files", "pattern": glob.escape(path), "limit": 10}))
    except (UnreachableError, StateError):
        return None


def _show(findings: "Iterable[Finding]", output: Output, title: str = "") -> "Sequence[Finding]":
    """As they come: some take seconds."""
    from tailrace.agent.doctor import MARKS

    found: list[Finding] = []
    if output != "table":
        found += findings
        print_table([asdict(finding) for finding in found], columns=COLUMNS, output=output)
        return found
    if title:
        say(title)
    for finding in findings:
        found.append(finding)
        name = f"{finding.check}: " if finding.check != "file" else ""
        say(f"{MARKS[finding.level]} {name}{finding.text}")
        if finding.remedy and finding.level != "ok":
            say(f"       {finding.remedy}")
    return found


def _exit_code(findings: "Sequence[Finding]") -> int:
    codes = {CODES.get(finding.check, Exit.FAILED) for finding in findings if finding.level == "warning"}
    if not codes:
        return Exit.FINE
    return codes.pop() if len(codes) == 1 else Exit.FAILED
