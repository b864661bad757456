"""Something that agents do once: what was asked of whom, and what became of it on each agent.

| state | when |
| --- | --- |
| waiting | the agent has not taken it; it is sent with each answer until it does |
| running | the agent has it |
| done, failed | as the agent says |
| expired | it was not taken in time |
| cancelled | somebody took it back before the agent had it |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tailrace.wire.control import ConfigInfo, ConfigStatus

State = Literal["waiting", "running", "done", "failed", "expired", "cancelled"]
ENDED: Final = frozenset({"done", "failed"})
"""By the agent's own word; nothing changes that."""
MAX_MESSAGE: Final = 1024
IMPORT: Final = "import"
"""The one kind that concerns no more than the project that gives it."""

_SAID: Final[Mapping[int, State]] = {ConfigStatus.APPLYING: "running", ConfigStatus.APPLIED: "done", ConfigStatus.FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class Command:
    """`detail` is what agents are told (`wire.commands`). Times are Unix seconds; from `expires` on nobody begins with it."""

    id: str
    project: str
    detail: Mapping[str, Any]
    author: str
    created: int
    expires: int
    others: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """Of one that is whole: agent → projects beside this one that it worked for when the command was given, if there were any."""

    @property
    def kind(self) -> str:
        return str(self.detail["kind"])

    @property
    def is_whole(self) -> bool:
        """Whether it concerns an agent as a whole, and so all projects that the agent works for."""
        return self.kind != IMPORT

    def projects(self, agent: str) -> set[str]:
        """Those that an agent worked for when the command was given."""
        return {self.project, *self.others.get(agent, ())}


@dataclass(frozen=True, slots=True)
class Outcome:
    """On one agent."""

    command: str
    agent: str
    state: State = "waiting"
    message: str = ""
    changed: int = 0
    result_bytes: int = 0
    """0: it has none beside its message."""


def said(info: ConfigInfo) -> tuple[State, str]:
    """What an agent says of a command that it has."""
    return _SAID.get(info.status, "running"), info.message[:MAX_MESSAGE]
