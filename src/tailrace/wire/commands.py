"""What an agent can be told to do once: the details of commands, for `onetime_pipeline_config_updates` of the ConfigServer protocol.

These are all: an agent runs no programs for a server, and reads nothing that its machine's administrator does not let it read.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

KINDS: Final = ("restart", "log-level", "diagnostics", "sample", "import")
RESULT_PATH: Final = "/agent/v1/results"
"""Below it agents lay down the results that are more than a sentence."""
MAX_RESULT_BYTES: Final = 3 * 1_048_576
MOST_LINES: Final = 1000
PROJECT: Final = "project"
"""In a command's `extra`: the project that it comes from."""
LEFT: Final = "secs_left"
"""In a command's `extra`: how long it may still be begun; an agent's clock may be wrong."""

AbsolutePath = Annotated[str, StringConstraints(pattern=r"^/[^\x00]*$", max_length=4096)]


class _Detail(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Restart(_Detail):
    """Stop the worker in good order; its supervisor starts another one."""

    kind: Literal["restart"] = "restart"


class LogLevel(_Detail):
    """Log from this level on, for a while."""

    kind: Literal["log-level"] = "log-level"
    level: Literal["debug", "info", "warning", "error"] = "debug"
    secs: int = Field(default=600, ge=1, le=86_400, description="How long; after that the level is what it was.")


class Diagnostics(_Detail):
    """Send a bundle of what helps to find a fault: status, settings, configs, the end of the logs, all without secrets."""

    kind: Literal["diagnostics"] = "diagnostics"


class Sample(_Detail):
    """Send lines of a file that the agent may read."""

    kind: Literal["sample"] = "sample"
    path: AbsolutePath
    lines: int = Field(default=20, ge=1, le=MOST_LINES)
    of: Literal["start", "end"] = Field(default="end", description="Which end of the file.")


class Import(_Detail):
    """Read files from their beginning, once, whatever the age of their events."""

    kind: Literal["import"] = "import"
    config: str = Field(min_length=1, max_length=128, description="Config of the project whose processors and flushers are used.")
    paths: list[AbsolutePath] = Field(min_length=1, max_length=100, description="Files, directories or patterns on the agent's machine.")
    since: int = Field(default=0, ge=0, le=1 << 40, description="Only events from then on, in Unix seconds; 0: all.")
    again: bool = Field(default=False, description="Also files that the config has collected already.")


Detail = Annotated[Restart | LogLevel | Diagnostics | Sample | Import, Field(discriminator="kind")]


_ADAPTER: Final[TypeAdapter[Restart | LogLevel | Diagnostics | Sample | Import]] = TypeAdapter(Detail)


def of(document: Mapping[str, Any]) -> Restart | LogLevel | Diagnostics | Sample | Import:
    """ValueError for what is none of these."""
    return _ADAPTER.validate_python(document)
