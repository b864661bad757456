"""Running a worker in this process: alone in the foreground, or for a supervisor."""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tailrace.agent.supervision import Supervision
    from tailrace.pipeline.model import PipelineConfig

YOUNG_OBJECTS: Final = 10_000
"""So many new ones before they are searched; Python's default is 700."""


def run_worker(
    home: Path,
    *,
    pipelines: Path | None = None,
    enrol_local: str = "",
    exit_when_drained: bool = False,
    settings: Sequence[str] = (),
    log_level: str = "info",
    limits: bool = True,
    supervision: "Supervision | None" = None,
) -> int:
    """Until a signal comes, or all is read; the exit code. `settings` are flags, `KEY=VALUE`.

    ConfigErrors when nothing can run, and the errors of `Worker.run`.
    """
    from tailrace import telemetry
    from tailrace.agent.identity import identity
    from tailrace.agent.worker import Worker
    from tailrace.errors import ConfigError, ConfigErrors, SameNameError
    from tailrace.pipeline.loading import load_directory, load_file

    telemetry.setup("agent", level=log_level, directory=home / "logs")
    source = (pipelines or home / "pipelines").expanduser()
    failures: list[ConfigError] = []
    managed = bool(identity.load(home / "secret" / "agent.json").servers)
    loaded: list[PipelineConfig] = []
    if source.is_dir():
        loaded = load_directory(source, broken=lambda _, errors: failures.extend(errors.errors))
    elif pipelines is not None or source.exists():
        loaded = [load_file(source)]
    if failures and not loaded and not managed:
        raise ConfigErrors(failures)
    for failure in failures:  # one bad file does not keep the others from running
        kind = "SAME_CONFIG_ALARM" if isinstance(failure, SameNameError) else "USER_CONFIG_ALARM"
        telemetry.alarm(kind, "cannot run a pipeline file", file=failure.where, reason=failure.message, hint=failure.hint)
    if not loaded and not managed:
        raise ConfigError(
            f"there is no pipeline in `{source}`, and no server gives this agent any",
            hint="put a file such as `app.yaml` there (`tailrace config check FILE` checks it), or `tailrace agent enroll`",
        )
    worker = Worker(home, loaded, finite=exit_when_drained, flags=settings, supervision=supervision, limited=limits)
    _collect_less_often()
    return worker.run(enrol_at=enrol_local)


def _collect_less_often() -> None:
    """Search for cycles less often, and never among what is loaded by now: with thousands of files it took a tenth of all CPU, and what
    a worker makes by the thousand has no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 20)
