"""What the queries of one project may use: each of them, and all at a time. Set for the project, else for all in the server's settings."""

from dataclasses import dataclass, replace

from tailrace.server.db.records import Project
from tailrace.server.quota import ProjectQuota, chosen
from tailrace.server.settings import Settings
from tailrace.server.store.port import Limits, Partial


@dataclass(frozen=True, slots=True)
class Allowance:
    """Zeros are no bound but those of the limit class. `tenant` is the project's name, "" the server itself."""

    tenant: str = ""
    seconds: float = 0.0
    memory: int = 0
    read_rows: int = 0
    at_once: int = 0

    def limits(self, base: Limits, partial: Partial = "never") -> Limits:
        """For what a user asks. `partial`: which of them end it with what was found by then, marked."""
        return replace(
            base, seconds=self.seconds or base.seconds, memory=self.memory or base.memory, read_rows=self.read_rows, partial=partial
        )

    def in_turn(self, limits: Limits) -> Limits:
        """With how many may run at a time: of searches, scans and SQL, whatever else bounds them."""
        return limits if limits.pool in ("export", "pull") else replace(limits, at_once=self.at_once)


UNBOUNDED = Allowance()


def allowance_of(project: Project, settings: Settings) -> Allowance:
    """As it is at this moment."""
    own = ProjectQuota.stored(project.quota)
    return Allowance(
        project.name,
        float(chosen(own.query_secs, settings.project_query_secs)),
        chosen(own.query_memory_bytes, settings.project_query_memory_bytes),
        chosen(own.query_rows, settings.project_query_rows),
        chosen(own.queries_at_once, settings.project_queries_at_once),
    )
