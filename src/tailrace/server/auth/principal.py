"""Who asks: what a verified key, or a session, says about its holder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

LONGEST_AUTHOR: Final = 64


@dataclass(frozen=True, slots=True)
class Principal:
    """*admin* may do everything; *agent* writes to `logstores` of one project; *user* does what its `roles` (project → role) allow, as far
    as the scope of its key reaches: `project`, `logstores`, `actions`."""

    kind: Literal["admin", "agent", "user"]
    key_id: str
    """Of the key, or of the session."""
    agent: str = ""
    project: str = ""
    logstores: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    user: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)

    @property
    def who(self) -> str:
        """For people: who it is that did something."""
        if self.user:
            return self.user
        return f"agent {self.agent}" if self.agent else f"key {self.key_id}"

    @property
    def author(self) -> str:
        """`who`, as long as the column that keeps it."""
        return self.who[:LONGEST_AUTHOR]
