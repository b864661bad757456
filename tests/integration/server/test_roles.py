"""Who may do what, over every operation that the server serves."""

import pytest

from tests.conftest import RunningServer
from tests.integration.server.people import make_key
from tests.integration.server.served import Operation, operations

ROLES = ("none", "reader", "operator", "admin")
ADMINS = {
    "log:DeleteProject",
    "own GET /projects/{project}/roles",
    "own PUT /projects/{project}/roles/{name}",
    "own DELETE /projects/{project}/roles/{name}",
    "own GET /projects/{project}/changes",
}
"""What the administrators of a project may, and nobody below."""
OPERATORS_READ = {
    "log:GetConfig",
    "log:GetLogtailPipelineConfig",
    "own GET /projects/{project}/configs/{name}/versions",
    "own GET /projects/{project}/logstores/{logstore}/check",
    "own GET /projects/{project}/commands/{command}/results/{agent_id}",
}
EVERYBODYS = {"own GET /agents", "own GET /tokens", "own GET /keys"}
"""Lists that hold what the caller may see."""
UNKNOWN = {"own GET /keys/{key_id}", "own POST /keys/{key_id}/reset", "own DELETE /keys/{key_id}"}
"""A key of others does not exist for those who may not manage it."""
SERVERS = {
    "log:CreateProject",
    "own POST /keys",
    "own PUT /projects/{project}/quota",
    "own PUT /projects/{project}/logstores/{logstore}/quota",
}
"""These concern no project, although their host or body may name one."""
AGENTS = {"own GET /agents/streams", "own GET /agents/streams/{stream}"}


def least_role(operation: Operation) -> str:
    """What the role has to be, as the documentation says it (docs/howto/users-and-roles.md)."""
    names = {operation.action, f"{operation.api} {operation.method} {operation.pattern}"}
    concerns_project = operation.api == "sls" or "{project}" in operation.pattern or operation.name == "own POST /tokens"
    if names & EVERYBODYS:
        return "none"
    if not concerns_project or names & SERVERS:
        return "nobody"
    if names & ADMINS:
        return "admin"
    reads = operation.method in ("GET", "HEAD") or operation.action.startswith("log:Get")
    return "operator" if not reads or names & OPERATORS_READ else "reader"


@pytest.fixture(scope="module")
def places(server: RunningServer) -> dict[str, str]:
    """A project for each role, as some operations end it."""
    names = {role: server.fresh_name(role) for role in ROLES}
    for name in names.values():
        server.make_logstore(name, "access")
    return names


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_it_may_and_nothing_else(server: RunningServer, places: dict[str, str], role: str) -> None:
    project = places[role]
    elsewhere = {"role": "admin", "project": places["reader"]}
    key = make_key(server, **(elsewhere if role == "none" else {"role": role, "project": project}))
    wrong: list[str] = []
    for operation in operations(server):
        values = {"logstore": "access", "project": project}
        answer = operation.send(server, project, values, key)
        needs = least_role(operation)
        allowed = needs in ROLES and ROLES.index(role) >= ROLES.index(needs)
        refused = answer.status == 401 or (answer.code == "KeyNotExist" and f"own {operation.method} {operation.pattern}" in UNKNOWN)
        if refused == allowed or answer.status >= 500:
            wrong.append(f"{operation.name}: {role} got {answer.status} {answer.body[:100]!r}, it needs {needs}")
    assert wrong == []


def test_an_agents_key_writes_and_does_nothing_else(server: RunningServer, places: dict[str, str]) -> None:
    project = server.fresh_name("agents")
    server.make_logstore(project, "access")
    key = server.enrol(server.fresh_name("host"), project, ["access"])
    done = [
        operation.name
        for operation in operations(server)
        if operation.action != "log:PostLogStoreLogs"
        and f"own {operation.method} {operation.pattern}" not in AGENTS
        and operation.send(server, project, {"logstore": "access"}, key).status not in (401, 404)
    ]
    assert done == []


def test_an_administrator_of_the_server_may_everything(server: RunningServer) -> None:
    project = server.fresh_name("all")
    server.make_logstore(project, "access")
    key = make_key(server, role="admin")
    refused = [
        operation.name
        for operation in operations(server)
        if f"own {operation.method} {operation.pattern}" not in AGENTS
        and operation.send(server, project, {"logstore": "access"}, key).status == 401
    ]
    assert refused == []
