"""`tailrace agent settings`: what the agent of this machine may use, and where each value comes from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tailrace.cli.home import AGENT_HOME
from tailrace.cli.output import Exit, Output, print_table


def settings(
    *,
    home: Annotated[Path, Parameter(help="Home of the agent.")] = AGENT_HOME,
    set_: Annotated[Sequence[str], Parameter(name="--set", help="`KEY=VALUE`, as `agent run` takes it.", negative="")] = (),
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
) -> int:
    """Show every start-up setting: its value, its default and its origin.

    A later origin wins: HOME/agent.yaml, HOME/config.d/*, the environment (TAILRACE_KEY, ALIYUN_LOGTAIL_KEY), --set KEY=VALUE.
    """
    from tailrace.agent.settings import startup

    rows = [_shown(row) for row in startup.load(home.expanduser().absolute(), flags=set_).rows()]
    rows = [_readable(row) for row in rows] if output == "table" else rows
    print_table(rows, columns=("key", "value", "unit", "default", "origin"), output=output)
    return Exit.FINE


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Values as they are written in the file; a default only beside another value."""
    value, default = (json.dumps(row[name], ensure_ascii=False) if row[name] is not None else "" for name in ("value", "default"))
    return {**row, "value": value, "default": "" if value == default else default}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "origin": f"{row['origin']}; without effect: {row['ignored']}" if row["ignored"] else row["origin"]}
