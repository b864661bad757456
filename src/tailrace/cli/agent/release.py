"""`tailrace agent release`: what was set aside because the worker died of it gets another chance."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from tailrace.cli.home import AGENT_HOME, become_owner
from tailrace.cli.mistakes import listed
from tailrace.cli.output import Exit, Output, note, print_table, say
from tailrace.errors import UsageError

if TYPE_CHECKING:
    from tailrace.agent.supervisor.quarantine import Quarantine

COLUMNS: Final[Sequence[str]] = ("pipeline", "what", "stream", "start", "end", "at")


def release(
    pipeline: Annotated[str, Parameter(help="Name of a pipeline; without it what is set aside is listed.", show_default=False)] = "",
    /,
    *,
    home: Annotated[Path, Parameter(help="Home of the agent.")] = AGENT_HOME,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
) -> int:
    """Give a pipeline another chance that was set aside because the worker died of it again and again, and its ranges.

    tailrace agent release             what is set aside
    tailrace agent release app         goes on within seconds, where it was; a stopped agent does at its next start

    It is set aside again when the worker dies of it three more times.
    """
    from tailrace.agent.supervisor import quarantine

    home = home.expanduser().absolute()
    become_owner(home)
    aside = quarantine.load(home)
    rows = _rows(aside)
    if not pipeline:
        print_table(rows, columns=COLUMNS, output=output)
        if not rows:
            note("nothing is set aside")
        return Exit.FINE
    if not aside.release(pipeline):
        names = sorted({str(row["pipeline"]) for row in rows})
        raise UsageError(
            f"nothing of the pipeline `{pipeline}` is set aside",
            hint=f"released can be: {listed(names)}" if names else "nothing is set aside",
        )
    quarantine.save(aside, home)
    say(f"released: {pipeline}")
    return Exit.FINE


def _rows(aside: "Quarantine") -> list[dict[str, Any]]:
    found = [("pipeline", one) for one in aside.pipelines] + [("range, delivered raw", one) for one in aside.ranges]
    return [
        {
            "pipeline": one.pipeline,
            "what": what,
            "stream": one.stream,
            "start": one.start,
            "end": one.end,
            "at": datetime.fromtimestamp(one.at).astimezone().isoformat(sep=" ", timespec="seconds"),
        }
        for what, one in found
    ]
