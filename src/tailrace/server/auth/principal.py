"""Who asks: what a verified key says about its holder."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a key. *admin* may do everything; *agent* writes to `logstores` of one project; *user* does what `actions` lists."""

    kind: Literal["admin", "agent", "user"]
    key_id: str
    agent: str = ""
    project: str = ""
    logstores: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
