"""The command `tailrace`: finds the command that is asked for, runs it, and turns what went wrong into a sentence and an exit code.

A command's module is imported when the command is called, so that `tailrace query` does not pay for the agent, nor the agent for the
server.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Final

from cyclopts import App, CycloptsError, Parameter

from tailrace import __version__
from tailrace.cli.mistakes import mistake, unknown_command
from tailrace.cli.output import Exit, exit_code, print_error
from tailrace.errors import StaleKernelError, StateError, TailraceError

COMMANDS: Final = {
    "up": "Start everything on this machine and collect its logs.",
    "query": "Search and analyse logs.",
    "tail": "Follow new logs.",
    "export": "Write everything that a query finds to a file.",
    "parse": "Show what a pipeline makes of sample lines.",
    "config": "Check, generate and translate pipeline files, and let agents run them.",
    "group": "Machine groups: which agents collect what.",
    "rollout": "Let a new version of a config out in stages.",
    "project": "The projects of a server.",
    "logstore": "The logstores of a project.",
    "quota": "What a project or a logstore may use, and what it uses.",
    "index": "The index of a logstore: what is in it, how far it is, build it anew.",
    "shard": "The shards of a logstore: list, split, merge.",
    "consumer": "The consumer groups of a logstore, by which programs share its shards.",
    "plugin": "List and describe inputs, processors and flushers.",
    "agent": "Run the agent, see how it is, import history.",
    "import-ilogtail": "Go on where a Logtail stood: its configs, positions, ids and limits.",
    "server": "Run the server.",
    "store": "What the server keeps: how much there is, whether all of it is there, copies of it.",
    "user": "Who may use a server, and what they may do.",
    "key": "Access keys of people and programs.",
    "backup": "Copy all that a server holds, while it runs.",
    "restore": "Make a server's home of a backup.",
    "ca": "Show and replace the root certificates of a server.",
    "completion": "Print what a shell needs to complete commands.",
}


def application() -> App:
    """The command tree; each command is a module `tailrace.cli.commands.NAME` (`-` as `_`) with an `app`."""
    app = App(
        name="tailrace",
        help="Collect, store and query logs.",
        version=__version__,
        help_on_error=False,
        default_parameter=Parameter(show_default=_default),
    )
    for name, summary in COMMANDS.items():
        app.command(f"tailrace.cli.commands.{name.replace('-', '_')}:app", name=name, help=summary)
    return app


def _default(value: object) -> str | None:
    """What stands for a default in the help: nothing for what is off, empty or not there."""
    return None if value is None or value is False or value in ("", (), []) else str(value)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. `--debug` before the command shows the traceback of an error too."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = words[:1] == ["--debug"]
    words = words[1:] if debug else words
    try:
        return _run(words)
    except TailraceError as error:
        print_error(error)
        if debug:
            raise
        return exit_code(error)
    except PermissionError as error:
        if debug:
            raise
        print_error(StateError(f"this user may not use `{error.filename}`: permission denied", hint="ask as its owner, or as root"))
        return Exit.FAILED
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader (`head`, a pager) went away. Python would complain once more when it flushes stdout at exit.
        sys.stdout = None
        return Exit.FAILED


def agent() -> int:
    """The command `tailrace-agent`: the same as `tailrace agent`."""
    return main(["agent", *sys.argv[1:]])


def _run(words: list[str]) -> int:
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        raise unknown_command(words[0], COMMANDS)
    try:
        result = _for(words)(words, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        raise mistake(error, words) from error
    except ImportError as error:
        stale = error if isinstance(error, StaleKernelError) else error.__cause__  # a lazily loaded command's is wrapped
        if isinstance(stale, StaleKernelError):
            raise stale from error
        raise TailraceError(f"`tailrace {words[0]}` cannot be loaded: {error.__cause__ or error}", hint=_remedy(words[0])) from error
    return result if isinstance(result, int) else Exit.FINE


def _for(words: list[str]) -> App:
    """The tree; when a group's commands are to be listed, with all of them loaded, because the list shows the first line of each."""
    app = application()
    if words and words[0] in COMMANDS and all(word in app.help_flags for word in words[1:]):
        group = app[words[0]]
        for name in group:
            group[name]  # asking for it loads it
        if group.default_command is not None:
            group.help = _whole(group.default_command, group.help)
    return app


def _whole(command: Callable[..., object], summary: str) -> str:
    """All that a command says of itself, not only its line in the list; what it says of its words stands beside these."""
    text = inspect.getdoc(command) or summary
    return text.partition("\n\nParameters\n")[0]


def _remedy(command: str) -> str:
    return "install the server: `pip install 'tailrace[server]'`" if command in ("server", "up") else ""


if __name__ == "__main__":
    sys.exit(main())
