"""Settings and pipelines: what is wrong with them, and what in them stands without effect."""

from collections.abc import Iterator, Sequence

from tailrace.agent.doctor.finding import Finding, ok, warning
from tailrace.agent.doctor.scene import Scene
from tailrace.errors import ConfigError


def check_settings(scene: Scene) -> Iterator[Finding]:
    """HOME/agent.yaml, HOME/config.d and the environment. A mistake keeps the agent from starting."""
    yield from _mistakes(scene.settings_mistakes, "`tailrace agent settings` shows each value and its origin")
    if not scene.settings_mistakes:
        yield ok("the start-up settings are fine")


def check_pipelines(scene: Scene) -> Iterator[Finding]:
    """A pipeline with mistakes does not run; the others do."""
    yield from _mistakes(scene.pipeline_mistakes, f"`tailrace config check {scene.source}` says more")
    if scene.pipelines:
        names = ", ".join(f"`{pipeline.name}`" for pipeline in scene.pipelines[:5])
        more = f" and {len(scene.pipelines) - 5} more" if len(scene.pipelines) > 5 else ""
        given = f" ({scene.given} of them given by servers)" if scene.given else ""
        yield ok(f"what can run: {names}{more}{given}")
    elif not scene.pipeline_mistakes:
        remedy = "put a file such as `app.yaml` there (`tailrace config generate` helps), or let a server give it some"
        yield warning(f"there is no pipeline in `{scene.source}`, and no server has given one", remedy)


def _mistakes(mistakes: Sequence[ConfigError], otherwise: str) -> Iterator[Finding]:
    for mistake in mistakes:
        yield warning(mistake.message, mistake.hint or otherwise)
