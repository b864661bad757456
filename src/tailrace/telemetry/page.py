"""The page docs/reference/alarms.md, from the catalogue: `python -m tailrace.telemetry.page FILE`."""

# ruff: noqa: E501 - the text of a page

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tailrace.telemetry.alarms import MERGE_SECS, QUIET_SECS
from tailrace.telemetry.catalogue import AlarmKind
from tailrace.telemetry.kinds import RAISED
from tailrace.telemetry.server_kinds import RAISED_BY_SERVERS
from tailrace.telemetry.unused_kinds import unused

HEAD: Final = f"""# Alarms

An alarm is a line in the log, a count in `tailrace_alarms_total{{kind}}`, and a row of `tailrace agent status alarms`. The names are those of Logtail's manual, with its
spelling, where it has one.

An alarm has an *id* that follows from its kind and from what it is about (pipeline, target, path …): raised again it is the same alarm and counts up, also after a restart.
It is *active* until whoever raised it finds that it is over (*told*), or until it was not raised for {QUIET_SECS / 60:.0f} minutes (*silence*); then it is *resolved*. What happened to it is
reported every {MERGE_SECS} s, with a count and one sample ([monitor an agent](../howto/monitor-an-agent.md)).

| severity | when |
| --- | --- |
| critical | data is lost, or nothing gets on |
| error | someone must act |
| warning | degraded, and recovering by itself |

## Raised by agents
"""
ROW: Final = ("alarm", "severity", "means", "what to do", "ends by", "provoked by")
SERVERS: Final = "## Raised by servers\n\nIn the server's log and in `tailrace_alarms_total{kind}` of its `/metrics`.\n"
UNUSED: Final = "## Not applicable\n\nThe other alarms of the manual are never raised:\n"


def page() -> str:
    rows = ((f"`{kind.name}`", kind.why_not) for kind in unused())
    return "\n".join(
        [HEAD, *_raised(RAISED), "", SERVERS, *_raised(RAISED_BY_SERVERS), "", UNUSED, *_table(("alarm", "why not"), rows), ""]
    )


def _raised(kinds: Iterable[AlarmKind]) -> Iterator[str]:
    yield from _table(
        ROW,
        (
            (f"`{kind.name}`", kind.severity, kind.means, kind.remedy, "told" if kind.is_condition else "silence", f"`{kind.test}`")
            for kind in kinds
        ),
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    head = list(head)
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
