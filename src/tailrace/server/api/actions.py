"""Which operation asks for which action: of the SLS API from its table of routes; of `/api/v1` from what the code of each route names, and
that of what it depends on. The reference page of actions is made of it, and tests hold it against what is served."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter

from tailrace.server.api.routing import pattern_text
from tailrace.server.api.sls.api import ROUTES
from tailrace.server.api.v1.api import PARTS
from tailrace.server.auth.authorize import AGENT_ACTIONS, ANYBODYS_ACTIONS, SERVERS_ACTIONS
from tailrace.server.auth.roles import is_change, needed

WITHOUT_ROLE: Final = {
    "tailrace:EnrolAgent": "whoever has a join token",
    "tailrace:Login": "whoever knows the password",
    **dict.fromkeys(AGENT_ACTIONS, "the agent itself"),
    **dict.fromkeys(ANYBODYS_ACTIONS, "everybody, with what is theirs"),
}
ACTION: Final = re.compile(r"(?:log|tailrace):[A-Z]\w+")


@dataclass(frozen=True, slots=True)
class Asking:
    """One operation and one action that it asks for; a few ask for one or another, as the case may be."""

    action: str
    place: str
    """`GET /logstores/{logstore}`; what stands under `/api/v1` begins with that."""
    in_project: bool
    """Whether it concerns one project; else the server as a whole."""

    @property
    def who(self) -> str:
        """Who may do it."""
        if self.action in WITHOUT_ROLE:
            return WITHOUT_ROLE[self.action]
        if self.action in SERVERS_ACTIONS or not self.in_project:
            return f"{needed(self.action, '')} in `*`"
        return needed(self.action, "one")

    @property
    def is_recorded(self) -> bool:
        return is_change(self.action)


def askings() -> list[Asking]:
    """All of them, by action."""
    return sorted({*_sls(), *_own()}, key=lambda one: (one.action.partition(":")[2], one.action, one.place))


def operations() -> dict[str, set[str]]:
    """`METHOD path` of each operation of `/api/v1`, as the OpenAPI has it, and the actions that it may ask for."""
    return {f"{method} {route.path}": set(_actions(route)) for route in _routes() for method in sorted(route.methods or ())}


def _sls() -> Iterator[Asking]:
    for route in ROUTES:
        yield Asking(route.action, f"{route.method} {pattern_text(route)}", route.project is not False)


def _own() -> Iterator[Asking]:
    for route in _routes():
        for method in sorted(route.methods or ()):
            for action in _actions(route):
                yield Asking(action, f"{method} /api/v1{route.path}", _names_project(route, action))


def _names_project(route: APIRoute, action: str) -> bool:
    """By its path; and what concerns tokens, keys and the users in them, by what it is about."""
    return "{project}" in route.path or action in BY_BODY


BY_BODY: Final = frozenset(
    {
        "tailrace:CreateToken",
        "tailrace:RevokeToken",
        "tailrace:ListTokens",
        "tailrace:CreateKey",
        "tailrace:ResetKey",
        "tailrace:RevokeKey",
        "tailrace:ListKeys",
    }
)
"""The project stands in the request's body, or in the thing that is changed."""


def _routes() -> Iterator[APIRoute]:
    routers: list[APIRouter] = [part.router for part in PARTS]
    for router in routers:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


def _actions(route: APIRoute) -> Iterator[str]:
    """Those that its function, or one that it depends on, names."""
    for called in _called(route.dependant):
        yield from _named(called)


def _called(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    if dependant.call is not None:
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _called(inner)


def _named(called: Callable[..., Any]) -> Iterator[str]:
    code, around = getattr(called, "__code__", None), getattr(called, "__globals__", {})
    if code is None:
        return
    for value in (*code.co_consts, *(around.get(name) for name in code.co_names)):
        if isinstance(value, str) and ACTION.fullmatch(value):
            yield value
