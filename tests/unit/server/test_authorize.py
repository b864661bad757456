"""Who may do what."""

import pytest

from tailrace.errors import ApiError
from tailrace.server.auth.authorize import Resource, authorize
from tailrace.server.auth.principal import Principal

ADMIN = Principal("admin", "A")
AGENT = Principal("agent", "B", agent="host-1", project="web", logstores=("access", "errors"))
READER = Principal("user", "C", project="web", actions=("log:Get*", "log:List*"), roles={"web": "operator"})

WRITE = "log:PostLogStoreLogs"


def may(principal: Principal, action: str, project: str = "", logstore: str = "") -> bool:
    try:
        authorize(principal, action, Resource(project, logstore))
    except ApiError:
        return False
    return True


def test_an_admin_may_do_everything() -> None:
    assert may(ADMIN, "log:DeleteProject", "web")
    assert may(ADMIN, "tailrace:EnrolAgent")


def test_an_agent_writes_to_its_logstores() -> None:
    assert may(AGENT, WRITE, "web", "access")
    assert may(AGENT, WRITE, "web", "errors")


@pytest.mark.parametrize(
    ("action", "project", "logstore"),
    [
        (WRITE, "web", "audit"),
        (WRITE, "shop", "access"),
        ("log:GetLogStoreLogs", "web", "access"),
        ("log:GetLogStore", "web", "access"),
        ("log:ListProject", "", ""),
        ("log:CreateLogStore", "web", ""),
        ("tailrace:EnrolAgent", "web", ""),
    ],
)
def test_an_agent_does_nothing_else(action: str, project: str, logstore: str) -> None:
    assert not may(AGENT, action, project, logstore)


def test_a_user_does_what_its_key_lists_in_its_project() -> None:
    assert may(READER, "log:GetLogStoreLogs", "web", "access")
    assert not may(READER, "log:GetLogStoreLogs", "shop", "access")
    assert not may(READER, "log:DeleteLogStore", "web", "access")


def test_a_refusal_names_key_action_and_resource() -> None:
    with pytest.raises(ApiError, match="key B may not log:GetIndex on acs:log:") as caught:
        authorize(AGENT, "log:GetIndex", Resource("web", "access"))
    assert caught.value.message.endswith("project/web/logstore/access")
    assert (caught.value.status, caught.value.error_code) == (401, "Unauthorized")
