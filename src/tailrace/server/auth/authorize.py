"""The one question that every route asks: may this principal do this action on this resource."""

import fnmatch
from dataclasses import dataclass

from tailrace.errors import ApiError
from tailrace.server.auth.principal import Principal
from tailrace.server.db.records import ALL_LOGSTORES
from tailrace.wire.internal_logs import LOGSTORE

WRITE = "log:PostLogStoreLogs"
# What the agent itself asks about itself; not in SLS.
AGENT_ACTIONS = frozenset({"tailrace:GetAgentStreams"})


@dataclass(frozen=True, slots=True)
class Resource:
    """What is acted on. Empty texts where the action has none: listing projects has neither."""

    project: str = ""
    logstore: str = ""

    def __str__(self) -> str:
        project = f"project/{self.project or '*'}"
        return f"acs:log:*:*:{project}/logstore/{self.logstore}" if self.logstore else f"acs:log:*:*:{project}"


def authorize(principal: Principal, action: str, resource: Resource) -> None:
    """Raises ApiError 401 Unauthorized where it is not allowed."""
    if not is_allowed(principal, action, resource):
        raise ApiError(401, "Unauthorized", f"key {principal.key_id} may not {action} on {resource}")


def is_allowed(principal: Principal, action: str, resource: Resource) -> bool:
    """Agent keys write to the logstores that they are bound to, and to that of what they say about themselves, and do nothing else."""
    if principal.kind == "admin":
        return True
    if principal.kind == "agent":
        return action in AGENT_ACTIONS or (action == WRITE and _is_bound_to(principal, resource))
    return _reaches(principal, resource) and any(fnmatch.fnmatchcase(action, pattern) for pattern in principal.actions)


def _is_bound_to(principal: Principal, resource: Resource) -> bool:
    reaches = resource.logstore in (*principal.logstores, LOGSTORE) or principal.logstores == ALL_LOGSTORES
    return resource.project == principal.project and reaches


def _reaches(principal: Principal, resource: Resource) -> bool:
    """A *user* key without project reaches all of them; without logstores, all of its project."""
    if principal.project and resource.project != principal.project:
        return False
    return not principal.logstores or not resource.logstore or resource.logstore in principal.logstores
