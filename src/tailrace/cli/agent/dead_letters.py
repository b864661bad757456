"""`tailrace agent dead-letters`: events that a target refused for what they are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from tailrace.cli.home import AGENT_HOME
from tailrace.cli.output import Exit, Output, note, print_table

COLUMNS: Final[Sequence[str]] = ("number", "at", "target", "code", "reason", "path", "events", "sample")


def dead_letters(
    *,
    home: Annotated[Path, Parameter(help="Home of the agent.")] = AGENT_HOME,
    output: Annotated[Output, Parameter(help="`table`, `json` (one row a line) or `csv`.")] = "table",
    resend: Annotated[bool, Parameter(help="Send all of them again.", negative="")] = False,
) -> int:
    """List the events that a target refused for what they are, and that the agent keeps; or send them again.

    tailrace agent dead-letters                  when, where to, why, and how the first event begins
    tailrace agent dead-letters --resend         after the reason is gone; what is refused again comes back

    The agent has to run. Nothing of them is in the logstore, and all else of their files is.
    """
    from tailrace.agent.control.socket import ask

    rows = ask(home.expanduser().absolute() / "run", {"ask": "dead-letters", "resend": resend}, timeout=120.0)
    print_table(rows, columns=COLUMNS, output=output)
    if not rows:
        note("all dead letters are on their way again" if resend else "no dead letters: no target has refused anything for what it is")
    return Exit.FINE
