"""`tailrace agent enroll`: join a server with a join token."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tailrace.cli.home import AGENT_HOME, become_owner
from tailrace.cli.output import Exit, note, say
from tailrace.errors import BusyError, UsageError

VARIABLE = "TAILRACE_JOIN_TOKEN"
MAX_TOKEN = 4096
ANSWER_SECS = 60.0


def enroll(
    *,
    server: Annotated[
        str, Parameter(help="The server's TLS address, `https://host:9481`; else the one that is known.", show_default=False)
    ] = "",
    token: Annotated[
        str,
        Parameter(
            help="Join token; `-` reads it from standard input; else TAILRACE_JOIN_TOKEN.", allow_leading_hyphen=True, show_default=False
        ),
    ] = "",
    home: Annotated[Path, Parameter(help="Home of the agent; made when it is not there.")] = AGENT_HOME,
    new_id: Annotated[bool, Parameter(help="Join as an agent of its own: for a home that was copied.", negative="")] = False,
) -> int:
    """Join a server: the agent gets its keys from there, and may write to the token's project. A second token adds a project.

    tailrace agent enroll --server https://logs.example.org:9481 --token -
    tailrace agent enroll --token - --new-id

    The token is made on the server by `tailrace agent token create`. On a command line it can be seen by other users of this machine for a
    moment: prefer `-`. An agent that runs goes on with what is new within seconds.
    """
    _hide_arguments()
    text = _token(token)
    home = home.expanduser().absolute()
    become_owner(home)
    joined = _through_the_agent(home, server, text, new_id=new_id)
    if joined is None:
        joined = _alone(home, server, text, new_id=new_id)
        note("the agent takes it on at its next start")
    stores = joined["logstores"]
    say(f"joined: this agent may write to {'all logstores' if stores == ['*'] else ', '.join(stores)} of project {joined['project']}")
    return Exit.FINE


def _hide_arguments() -> None:
    """From `ps`: the arguments may hold the token."""
    from setproctitle import setproctitle

    setproctitle("tailrace agent enroll")


def _token(given: str) -> str:
    if given == "-":
        return sys.stdin.readline(MAX_TOKEN).strip()
    text = given or os.environ.get(VARIABLE, "")
    if not text:
        raise UsageError(
            "there is no join token", hint=f"give it with `--token`, or in {VARIABLE}; the server makes one: `tailrace agent token create`"
        )
    return text


def _through_the_agent(home: Path, server: str, token: str, *, new_id: bool) -> dict[str, Any] | None:
    """What the running agent answers, which alone writes its identity; None when none runs."""
    from tailrace.agent.control.socket import ask
    from tailrace.agent.platform import current

    try:
        current([home]).own(home / "agent" / "lock").release()
    except BusyError:
        question = {"ask": "enrol", "server": server, "token": token, "new_id": new_id}
        return ask(home / "run", question, timeout=ANSWER_SECS)[0]
    return None


def _alone(home: Path, server: str, token: str, *, new_id: bool) -> dict[str, Any]:
    from tailrace.agent.identity import identity as identities
    from tailrace.agent.identity.joining import IDENTITY, join, join_anew
    from tailrace.agent.platform import current
    from tailrace.agent.settings import startup
    from tailrace.cli.home import open_home
    from tailrace.wire.proxy import use

    open_home(home)
    use(startup.load(home).settings.proxies)
    lock = current([home]).own(home / "agent" / "lock")
    try:
        identity = identities.load(home / "secret" / IDENTITY)
        enrolment = (join_anew if new_id else join)(identity, home / "secret", server, token)
    finally:
        lock.release()
    return {"project": enrolment.project, "logstores": list(enrolment.logstores)}
