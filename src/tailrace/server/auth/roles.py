"""What each role may do. An action's name says which role it takes: reading is the reader's, changing is the operator's, and a few changes
are the administrator's. What concerns no project concerns the server as a whole: there a change always takes its administrator."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

Role = Literal["reader", "operator", "admin"]
ROLES: Final = get_args(Role)
"""The least first; each may do what those before it may."""
EVERYTHING: Final = "*"
"""In the place of a project: all of them, and the server itself."""

READING_VERBS: Final = ("Get", "List", "Check", "Preview", "Search", "Export", "Tail")
OPERATORS_READ: Final = frozenset({"log:GetConfig", "log:GetLogtailPipelineConfig", "tailrace:CheckStore", "tailrace:GetResult"})
"""Configs may hold passwords of other systems; a check of the store reads all of it; results of commands hold lines of files."""
ADMINISTRATORS: Final = frozenset(
    {
        "log:CreateProject",
        "log:DeleteProject",
        "tailrace:SetQuota",
        "tailrace:SetRole",
        "tailrace:RemoveRole",
        "tailrace:CreateKey",
        "tailrace:ListKeys",
        "tailrace:ListRoles",
        "tailrace:ResetKey",
        "tailrace:RevokeKey",
        "tailrace:ListUsers",
        "tailrace:GetUser",
        "tailrace:GetChanges",
    }
)
USING: Final = frozenset({"log:PostLogStoreLogs", "log:ConsumerGroupHeartBeat", "log:ConsumerGroupUpdateCheckPoint"})
"""What is done all the time and changes nothing that anybody has set."""


def is_reading(action: str) -> bool:
    """Whether it leaves everything as it is."""
    return action.partition(":")[2].startswith(READING_VERBS)


def is_change(action: str) -> bool:
    """Whether it belongs into the audit log."""
    return not is_reading(action) and action not in USING


def needed(action: str, project: str) -> Role:
    """The least role that may do it; `project` is empty for what concerns the server as a whole."""
    if action in ADMINISTRATORS:
        return "admin"
    if is_reading(action):
        return "operator" if action in OPERATORS_READ else "reader"
    return "operator" if project else "admin"


def covers(roles: Mapping[str, str], action: str, project: str) -> bool:
    """`roles` are project → role."""
    needs = ROLES.index(needed(action, project))
    held = (roles.get(EVERYTHING), roles.get(project) if project else None)
    return any(ROLES.index(role) >= needs for role in ROLES if role in held)
