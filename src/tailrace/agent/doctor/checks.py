"""The table of all checks, in the order in which a person would look: what a later one needs, an earlier one has shown."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from tailrace.agent.doctor.configs import check_pipelines, check_settings
from tailrace.agent.doctor.delivery import check_delivery
from tailrace.agent.doctor.files import check_files
from tailrace.agent.doctor.finding import Finding
from tailrace.agent.doctor.home import check_disk, check_home, closed
from tailrace.agent.doctor.keys import check_keys
from tailrace.agent.doctor.limits import check_open_files, check_time_zone, check_watching
from tailrace.agent.doctor.membership import check_membership
from tailrace.agent.doctor.network import check_clock, check_connection
from tailrace.agent.doctor.running import check_running
from tailrace.agent.doctor.scene import Scene

Check: TypeAlias = Callable[[Scene], Iterator[Finding]]

CHECKS: Final[Sequence[tuple[str, Check]]] = (
    ("home", check_home),
    ("disk", check_disk),
    ("settings", check_settings),
    ("pipelines", check_pipelines),
    ("files", check_files),
    ("inotify", check_watching),
    ("open files", check_open_files),
    ("time zone", check_time_zone),
    ("agent", check_running),
    ("keys", check_keys),
    ("connection", check_connection),
    ("clock", check_clock),
    ("membership", check_membership),
    ("delivery", check_delivery),
)


def examine(scene: Scene) -> Iterator[Finding]:
    """All that there is to say of the scene, one after the other: some of it takes seconds."""
    hidden = closed(scene)
    if hidden is not None:
        yield replace(hidden, check="home")
        return
    for name, check in CHECKS:
        for finding in check(scene):
            yield replace(finding, check=name)
