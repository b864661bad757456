"""Which operation a request means."""

import pytest

from tailrace.errors import ApiError
from tailrace.server.api.call import Call, Response, Route, ok
from tailrace.server.api.routing import RouteTable


async def nothing(call: Call) -> Response:
    return ok()


LIST = Route("GET", "/", "log:ListProject", nothing, project=False)
GET = Route("GET", "/", "log:GetProject", nothing)
CREATE = Route("POST", "/", "log:CreateProject", nothing, project=None)
STORE = Route("GET", "/logstores/{logstore}", "log:GetLogStore", nothing)
LOGS = Route("GET", "/logstores/{logstore}", "log:GetLogStoreLogs", nothing, match={"type": "log"})
SHARD = Route("GET", "/logstores/{logstore}/shards/{shard}", "log:PullLogs", nothing)
BALANCED = Route("GET", "/logstores/{logstore}/shards/lb", "log:PostLogStoreLogs", nothing)
TYPED = Route("GET", "/typed", "log:Typed", nothing, match={"type": "log"})
TABLE = RouteTable([LIST, GET, CREATE, STORE, LOGS, SHARD, BALANCED, TYPED])


def find(method: str, path: str, query: dict[str, str] | None = None, *, has_project: bool = True) -> tuple[Route, dict[str, str]]:
    return TABLE.find(method, path, query or {}, has_project=has_project)


def test_the_host_decides_between_one_project_and_the_list_of_all() -> None:
    assert find("GET", "/", has_project=True)[0] is GET
    assert find("GET", "/", has_project=False)[0] is LIST


def test_a_project_is_created_with_and_without_its_name_in_the_host() -> None:
    assert find("POST", "/", has_project=True)[0] is find("POST", "/", has_project=False)[0] is CREATE


def test_the_query_selects_among_operations_on_one_path() -> None:
    assert find("GET", "/logstores/web", {"type": "log", "line": "3"})[0] is LOGS
    assert find("GET", "/logstores/web")[0] is STORE


def test_fixed_segments_go_before_names() -> None:
    assert find("GET", "/logstores/web/shards/lb")[0] is BALANCED
    assert find("GET", "/logstores/web/shards/0") == (SHARD, {"logstore": "web", "shard": "0"})


def test_a_segment_is_decoded_once_and_stays_one_segment() -> None:
    assert find("GET", "/logstores/a%2Fb")[1] == {"logstore": "a/b"}
    assert find("GET", "/logstores/%252e%252e")[1] == {"logstore": "%2e%2e"}


@pytest.mark.parametrize(
    ("method", "path", "has_project", "expected"),
    [
        ("GET", "/nowhere", True, (404, "ApiNotExist")),
        ("PATCH", "/logstores", True, (404, "ApiNotExist")),
        ("GET", "/logstores/web", False, (404, "ProjectNotExist")),
        ("GET", "/typed", True, (400, "ParameterInvalid")),
    ],
)
def test_what_is_no_operation_is_never_a_server_error(method: str, path: str, has_project: bool, expected: tuple[int, str]) -> None:
    with pytest.raises(ApiError) as caught:
        find(method, path, has_project=has_project)
    assert (caught.value.status, caught.value.error_code) == expected
