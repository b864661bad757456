"""Finds the route of a request among the operations of the SLS API."""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

from tailrace.errors import ApiError
from tailrace.server.api.call import Route


class RouteTable:
    """Looks routes up by method and number of segments, then by the segments themselves."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes: dict[tuple[str, int], list[tuple[list[str], Route]]] = {}
        for route in routes:
            segments = _segments(route.pattern)
            self._routes.setdefault((route.method, len(segments)), []).append((segments, route))
        for candidates in self._routes.values():
            # Fixed segments go before `{names}`, routes with more query matches before those with fewer.
            candidates.sort(key=lambda entry: ([segment.startswith("{") for segment in entry[0]], -len(entry[1].match)))

    def find(self, method: str, path: str, query: Mapping[str, str], *, has_project: bool) -> tuple[Route, dict[str, str]]:
        """The route and the values of its `{names}`, decoded once. `path` is as on the request line.

        Raises ApiError 404 for an operation that does not exist, 400 for one whose query parameters are missing or whose host is wrong.
        """
        parts = _segments(path)
        nearest: ApiError | None = None
        for pattern, route in self._routes.get((method, len(parts)), ()):
            parameters = _bind(pattern, parts)
            if parameters is None:
                continue
            if any(query.get(name) != value for name, value in route.match.items()):
                nearest = nearest or ApiError(400, "ParameterInvalid", f"{method} {pattern_text(route)} is the nearest operation")
            elif route.project is not None and route.project != has_project:
                nearest = _wrong_host(route)
            else:
                return route, parameters
        raise nearest or ApiError(404, "ApiNotExist", f"`{method} {path}` is not an operation of this server")


def pattern_text(route: Route) -> str:
    """The route as a client would write it: `/logstores/{logstore}?type=log`."""
    query = "&".join(f"{name}={value}" for name, value in route.match.items())
    return f"{route.pattern}?{query}" if query else route.pattern


def _wrong_host(route: Route) -> ApiError:
    if route.project:
        return ApiError(404, "ProjectNotExist", "the host names no project")
    return ApiError(400, "ParameterInvalid", f"`{route.method} {route.pattern}` is no operation on a project")


def _segments(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def _bind(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected.startswith("{"):
            parameters[expected[1:-1]] = unquote(part, errors="replace")
        elif expected != part:
            return None
    return parameters
