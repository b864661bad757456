"""From the agent's settings to what configs may name on this machine."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tailrace.agent.platform import current
from tailrace.agent.settings.settings import AgentSettings
from tailrace.pipeline.labels import listed_variables
from tailrace.pipeline.platform import Reach
from tailrace.pipeline.policy import ConfigPolicy

OWN_STATE: Final = (
    "secret", "users", "agent", "server", "run", "logs", "crash", "pipelines", "config.d", "home.json", "agent.yaml", "server.yaml",
    "local_event.json", "user_defined_id", "app_info.json", "versions", "current", "last-good", "snapshot",
)  # fmt: skip
"""Parts of a home that no config may read or write, whatever the settings name; nor `/etc/tailrace/secret`."""


def own_state(home: Path) -> list[Path]:
    """A home with all of its parts: those of an installed agent are links that lead elsewhere, to places that no input may read either."""
    return [home, *(home / name for name in OWN_STATE)]


def config_policy(home: Path, settings: AgentSettings, environment: Mapping[str, str] = os.environ) -> ConfigPolicy:
    """What `HOME/agent.yaml` allows. Links are followed on both sides, so that none leads out."""
    never = [*(home / name for name in OWN_STATE), Path("/etc/tailrace/secret")]

    def reach(given: Sequence[str]) -> Reach:
        return current(never, roots=[home / one for one in given]).reach

    variables = [*settings.config_variables, *listed_variables(environment)]
    return ConfigPolicy(reach(settings.config_files), reach(settings.config_outputs), variables)
