"""`tailrace agent`: run the agent in the foreground, and ask the one that runs."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

app = App(name="agent", help="Run the agent, see how it is, import history.")
app.command("tailrace.cli.agent.status:status", name="status", help_format="plaintext")
app.command("tailrace.cli.agent.importing:import_", name="import", help_format="plaintext")
app.command("tailrace.cli.agent.settings:settings", name="settings", help_format="plaintext")
app.command("tailrace.cli.agent.doctor:doctor", name="doctor", help_format="plaintext")


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
        Parameter(help="Age limit of pipelines that give no `MaxLogAgeSecs`; 0 keeps all.", env_var="TAILRACE_MAX_LOG_AGE_SECS"),
    ] = None,
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Parameter(help="Least level that is logged.")] = "info",
) -> int:
    """Run one worker until Ctrl-C. Its log goes to standard error and to HOME/logs/agent.log."""
    from tailrace import telemetry
    from tailrace.agent.worker import Worker
    from tailrace.errors import ConfigError, ConfigErrors
    from tailrace.pipeline.loading import load_directory, load_file

    home = home.expanduser().absolute()
    telemetry.setup("agent", level=log_level, directory=home / "logs")
    source = (pipelines or home / "pipelines").expanduser()
    failures: list[ConfigError] = []
    loaded = load_directory(source, broken=lambda _, errors: failures.extend(errors.errors)) if source.is_dir() else [load_file(source)]
    if failures and not loaded:
        raise ConfigErrors(failures)
    for failure in failures:  # one bad file does not keep the others from running
        telemetry.alarm("USER_CONFIG_ALARM", "cannot run a pipeline file", reason=failure.message, hint=failure.hint)
    if not loaded:
        raise ConfigError(
            f"there is no pipeline in `{source}`", hint="put a file such as `app.yaml` there; `tailrace config check FILE` checks it"
        )
    return Worker(home, loaded, finite=exit_when_drained, max_log_age_secs=max_log_age_secs).run(enrol_at=enrol_local)
