"""The one question that every route asks: may this principal do this action on this resource."""

import fnmatch
from dataclasses import dataclass

from tailrace.errors import ApiError
from tailrace.server.auth.principal import Principal
from tailrace.server.auth.roles import covers, is_change, is_reading
from tailrace.server.db.changes import asked_for
from tailrace.server.db.records import ALL_LOGSTORES
from tailrace.wire.internal_logs import LOGSTORE

WRITE = "log:PostLogStoreLogs"
# What the agent itself asks about itself; not in SLS.
AGENT_ACTIONS = frozenset({"tailrace:GetAgentStreams"})
# Whoever asks sees what is theirs: the answer holds no more.
ANYBODYS_ACTIONS = frozenset(
    {"log:ListProject", "tailrace:GetSelf", "tailrace:SetOwnPassword", "tailrace:CreateOwnKey", "tailrace:ChangeOwnKey", "tailrace:Logout"}
)

SERVERS_ACTIONS = frozenset({"log:CreateProject", "tailrace:SetQuota"})
"""Administrators of the server decide, whatever project it is about: one that has no administrator yet, or how much one may take."""

SYSTEM_PROJECT = "tailrace-system"
"""Holds what the server itself writes, such as the changes that were made; nobody writes there, and nobody deletes."""
SYSTEM_CHANGES = frozenset({"log:UpdateLogStore"})
"""How long it is kept may be changed."""


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
    if is_change(action):
        asked_for(action, resource.project, resource.logstore)


def is_allowed(principal: Principal, action: str, resource: Resource) -> bool:
    """Agent keys write to the logstores that they are bound to, and to that of what they say about themselves, and do nothing else."""
    if resource.project == SYSTEM_PROJECT and not is_reading(action) and action not in SYSTEM_CHANGES:
        return False
    if principal.kind == "admin":
        return True
    if principal.kind == "agent":
        return action in AGENT_ACTIONS or (action == WRITE and _is_bound_to(principal, resource))
    if action in ANYBODYS_ACTIONS:
        return True
    if resource.project == SYSTEM_PROJECT:
        action, resource = "tailrace:GetChanges", Resource()
    if action in SERVERS_ACTIONS:
        resource = Resource()
    return _reaches(principal, action, resource) and covers(principal.roles, action, resource.project)


def may_see(principal: Principal, project: str) -> bool:
    """Whether a list of all projects shows it."""
    return is_allowed(principal, "log:GetProject", Resource(project))


def _is_bound_to(principal: Principal, resource: Resource) -> bool:
    reaches = resource.logstore in (*principal.logstores, LOGSTORE) or principal.logstores == ALL_LOGSTORES
    return resource.project == principal.project and reaches


def _reaches(principal: Principal, action: str, resource: Resource) -> bool:
    """The scope of its key. Without project it reaches all of them; with logstores only these, and what their project says of itself;
    without actions, all that its roles allow."""
    if principal.project and resource.project != principal.project:
        return False
    if principal.logstores and resource.logstore not in principal.logstores and (resource.logstore or not is_reading(action)):
        return False
    return not principal.actions or any(fnmatch.fnmatchcase(action, pattern) for pattern in principal.actions)
