"""How many things there may be: projects on a server; logstores, configs and machine groups in a project. Only making another one is
refused: what there is stays, also when the limit is lowered below it."""

from collections.abc import Sized
from typing import Literal

from tailrace.errors import ApiError
from tailrace.server.db.records import Project
from tailrace.server.settings import Settings

Kind = Literal["logstores", "configs", "machine_groups"]


def most_of(kind: Kind, project: Project, settings: Settings) -> int:
    """As it was set for the project, else for all; 0 is no bound."""
    own = project.quota.get(f"max_{kind}")
    defaults: dict[Kind, int] = {
        "logstores": settings.max_logstores,
        "configs": settings.max_configs,
        "machine_groups": settings.max_machine_groups,
    }
    return defaults[kind] if own is None else int(own)


def check_room(present: Sized, most: int, what: str) -> None:
    """Raises ApiError 400 ProjectQuotaExceed, which the SLS API answers for whatever a project may have no more of."""
    if most and len(present) >= most:
        raise ApiError(400, "ProjectQuotaExceed", f"Project Quota Exceed: there may be {most} {what} at most")
