"""`tailrace agent`: run the agent in the foreground, and ask the one that runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(name="agent", help="Run the agent, see how it is, import history.")
app.command("tailrace.cli.agent.dead_letters:dead_letters", name="dead-letters", help_format="plaintext")
app.command("tailrace.cli.agent.release:release", name="release", help_format="plaintext")
app.command("tailrace.cli.agent.status:status", name="status", help_format="plaintext")
app.command("tailrace.cli.agent.importing:import_", name="import", help_format="plaintext")
app.command("tailrace.cli.agent.settings:settings", name="settings", help_format="plaintext")
app.command("tailrace.cli.agent.doctor:doctor", name="doctor", help_format="plaintext")
app.command("tailrace.cli.agent.enroll:enroll", name="enroll", help_format="plaintext")
app.command("tailrace.cli.agent.install:install", name="install", help_format="plaintext")
app.command("tailrace.cli.agent.install:uninstall", name="uninstall", help_format="plaintext")
app.command("tailrace.cli.agent.service:start", name="start")
app.command("tailrace.cli.agent.service:stop", name="stop")
app.command("tailrace.cli.agent.service:restart", name="restart")
app.command("tailrace.cli.agent.token:app", name="token", help="Make, list and revoke join tokens, on the server.")
app.command("tailrace.cli.agent.command:app", name="command", help="Let agents do something once, from the server.")
app.command("tailrace.cli.agent.fleet:list_", name="list")
app.command("tailrace.cli.agent.fleet:why", name="why")
app.command("tailrace.cli.agent.fleet:purge", name="purge")
app.command("tailrace.cli.agent.fleet:revoke", name="revoke")
app.command("tailrace.cli.agent.fleet:reinstate", name="reinstate")


@app.command
def run(
    *,
    home: Annotated[Path, Parameter(help="Home of this installation; made when it is not there.")] = Path("~/.tailrace"),
    pipelines: Annotated[Path | None, Parameter(help="Directory with pipeline files, or one file; HOME/pipelines by default.")] = None,
    enrol_local: Annotated[
        str, Parameter(help="Get a key from the server at this endpoint, which runs with the same home.", show_default=False)
    ] = "",
    exit_when_drained: Annotated[bool, Parameter(help="End when everything is read and acknowledged.", negative="")] = False,
    max_log_age_secs: Annotated[
        int | None,
        Parameter(help="Age limit of pipelines that give no `MaxLogAgeSecs`; 0 keeps all: `--set max_log_age_secs=N`.", show_default=False),
    ] = None,
    set_: Annotated[
        Sequence[str],
        Parameter(name="--set", help="A start-up setting, `KEY=VALUE`, before files and environment; may be repeated.", negative=""),
    ] = (),
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Parameter(help="Least level that is logged.")] = "info",
    limits: Annotated[bool, Parameter(help="Keep to the limits of CPU, memory and bandwidth (`tailrace agent settings`).")] = True,
    supervisor: Annotated[bool, Parameter(help="Start a supervisor, which watches over the worker and starts it again.")] = True,
) -> int:
    """Run the agent until Ctrl-C: a supervisor and the worker that it starts. The log goes to standard error and to HOME/logs/agent.log.

    With --no-supervisor, and with --exit-when-drained, the worker runs alone, in this process.
    """
    from tailrace.agent.platform import processes
    from tailrace.agent.supervisor.order import Order
    from tailrace.cli.agent.running import run_worker

    home = home.expanduser().absolute()
    settings = [*set_, *([f"max_log_age_secs={max_log_age_secs}"] if max_log_age_secs is not None else [])]
    if exit_when_drained or not supervisor:
        return run_worker(
            home,
            pipelines=pipelines,
            enrol_local=enrol_local,
            exit_when_drained=exit_when_drained,
            settings=settings,
            log_level=log_level,
            limits=limits,
        )
    source = str(pipelines.expanduser().absolute()) if pipelines else ""
    told = {"pipelines": source, "enrol_local": enrol_local, "settings": settings, "log_level": log_level, "limits": limits}
    return processes().become(Order(home, told).command())
