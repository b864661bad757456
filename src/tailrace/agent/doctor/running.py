"""Whether an agent is at work on the home, alone, and gets on."""

from collections.abc import Iterator
from typing import Any, Final

from tailrace.agent.doctor.finding import Finding, info, ok, warning
from tailrace.agent.doctor.scene import Scene
from tailrace.agent.supervisor import record

NOT_RUNNING: Final = "start it: `tailrace agent start` where it is installed, else `tailrace agent run`; `--home` names another home"
OWN_STATES: Final = {
    "identity_conflict": (
        "another agent has this one's id: its home was copied; this one sends nothing",
        "give this one an id of its own: `tailrace agent enroll --new-id --token -`",
    ),
}
"""What the agent says of itself, where it needs someone to act. That it was revoked is the server's to say."""


def check_running(scene: Scene) -> Iterator[Finding]:
    """The agent's processes, by the locks that they hold and by their answer."""
    agent = scene.home / "agent"
    worker, supervisor = scene.host.holder(agent / "lock"), scene.host.holder(agent / "supervisor.lock")
    if worker is None:
        yield _no_worker(scene, supervisor)
        return
    if supervisor is not None and _is_stranger(scene, worker, supervisor):
        yield warning(
            f"two agents are on this home: process {worker} works on it, and the supervisor {supervisor} waits with a worker of its own",
            f"stop one of them, or give it a home of its own with `--home`; `kill {worker}` stops the one that has no supervisor",
        )
    state = scene.host.process(worker)
    if state is not None and state.stopped:
        yield warning(f"the worker, process {worker}, is stopped: it does nothing", f"let it go on: `kill -CONT {worker}`")
    elif scene.agent.silent:
        yield warning(
            f"the worker, process {worker}, does not answer: it is busy, or hangs",
            f"ask again in a minute: a supervisor replaces a worker that hangs; without one stop it, `kill {worker}`, and start it again",
        )
    elif not scene.agent.answers:
        trouble = scene.agent.trouble or "and has no local socket yet"
        yield info(f"an agent runs, process {worker}, {trouble}", "run this as the agent's user")
    else:
        yield from _at_work(scene.agent.rows["summary"][0], worker)


def _no_worker(scene: Scene, supervisor: int | None) -> Finding:
    if supervisor is None:
        return warning("no agent runs on this home", NOT_RUNNING)
    last = record.read(scene.home)
    return warning(
        f"the supervisor runs, process {supervisor}, and its worker does not: {last.get('state', 'starting')}, "
        f"{last.get('restarts', 0)} starts before",
        f"`{scene.home / 'logs' / 'supervisor.log'}` and `agent.log` beside it say why it ends",
    )


def _is_stranger(scene: Scene, worker: int, supervisor: int) -> bool:
    """Whether the worker that has the home is none of the supervisor's."""
    state = scene.host.process(worker)
    return bool(worker and supervisor) and state is not None and state.parent != supervisor


def _at_work(summary: Any, worker: int) -> Iterator[Finding]:
    if summary["state"] in OWN_STATES:
        yield warning(*OWN_STATES[summary["state"]])
    else:
        yield ok(f"the agent runs: process {worker}, version {summary['version']}, pipelines: {summary['pipelines']}")
    if summary["limited_by"]:
        remedy = "give it more, where the machine has it: `tailrace agent settings` names the limits"
        yield info(f"it is slowed down by its limit of {', '.join(summary['limited_by'])}", remedy)
    for trouble in summary["troubles"]:
        if "set aside" in str(trouble):
            yield warning(f"{trouble}", "mend or remove the pipeline; `HOME/crash` has the reports")
        elif "does not run: " in str(trouble):
            yield warning(f"pipeline {trouble}", "mend the pipeline, or give it what it lacks; then restart the agent")
