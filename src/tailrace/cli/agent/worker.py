"""`tailrace-worker`: the process that a supervisor starts. Nobody types it, but for `tailrace-worker --self-test`, which asks whether
this release works here at all, without a server."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tailrace.cli.output import Exit, exit_code, print_error
from tailrace.errors import TailraceError, UsageError

if TYPE_CHECKING:
    from tailrace.agent.supervision import Supervision

USAGE: Final = "tailrace-worker --channel N | --self-test"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. `--channel N`: the inherited handle of the channel to the supervisor."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words == ["--self-test"]:
            from tailrace.agent.selftest import self_test

            self_test()
            return Exit.FINE
        if len(words) == 2 and words[0] == "--channel" and words[1].isdigit():
            return _supervised(int(words[1]))
        raise UsageError("a worker is started by its supervisor", hint=f"start the agent with `tailrace agent run`; `{USAGE}`")
    except TailraceError as error:
        print_error(error)
        return exit_code(error)


def _supervised(channel: int) -> int:
    from tailrace.agent.supervision import Supervision

    supervision = Supervision.by(channel)
    try:
        return _run(supervision)
    except TailraceError as error:
        print_error(error)
        supervision.refused(exit_code(error), f"{error.message}; {error.hint}" if error.hint else error.message)
        return exit_code(error)


def _run(supervision: "Supervision") -> int:
    from tailrace.cli.agent.running import run_worker

    told = supervision.run
    return run_worker(
        Path(told["home"]),
        pipelines=Path(told["pipelines"]) if told.get("pipelines") else None,
        enrol_local=str(told.get("enrol_local", "")),
        settings=[str(one) for one in told.get("settings", [])],
        log_level=str(told.get("log_level", "info")),
        limits=bool(told.get("limits", True)),
        supervision=supervision,
    )


if __name__ == "__main__":
    sys.exit(main())
