"""The SLS REST API as one ASGI application: find the route, verify the signature, authorise, read the body, call the handler.

A sender nobody knows gets an answer before its body is read; nothing is decompressed before it is authenticated.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial

from starlette.types import Receive, Scope, Send

from tailrace import telemetry
from tailrace.errors import ApiError, TailraceError
from tailrace.server.api.answer import as_api_error, error_response
from tailrace.server.api.call import Call, Response, Route, Services
from tailrace.server.api.hosts import project_of_host
from tailrace.server.api.request import memory_of, peer_of, query_values, read_body, read_head, wait_for_disconnect
from tailrace.server.api.routing import RouteTable
from tailrace.server.api.sls import (
    configs,
    consumer_groups,
    documents,
    index,
    logstores,
    machine_groups,
    projects,
    pulls,
    reads,
    recording,
    shards,
    tags,
    writes,
)
from tailrace.server.auth.authenticate import Authenticator
from tailrace.server.auth.authorize import Resource, authorize

log = telemetry.logger("server.api")

ROUTES = (
    *projects.ROUTES,
    *logstores.ROUTES,
    *index.ROUTES,
    *writes.ROUTES,
    *reads.ROUTES,
    *pulls.ROUTES,
    *shards.ROUTES,
    *consumer_groups.ROUTES,
    *configs.ROUTES,
    *machine_groups.ROUTES,
    *documents.ROUTES,
    *tags.ROUTES,
)


class SlsApi:
    """Stands at the root of the server, below `/api/v1` and the health routes."""

    def __init__(self, services: Services, authenticator: Authenticator) -> None:
        self._services = services
        self._authenticator = authenticator
        self._table = RouteTable(ROUTES)
        self._domains = services.domains

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._answer(scope, receive)
        except TailraceError as error:
            refusal = as_api_error(error)
            if refusal.status in (401, 403):
                log.warning("refused", code=refusal.error_code, reason=refusal.message, peer=peer_of(scope))
            response = error_response(refusal)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        head = read_head(scope)
        project_name = project_of_host(head.headers.get("host", ""), self._domains)
        principal, authorization = self._authenticator.authenticate(head)
        query = query_values(head.query)
        route, parameters = self._table.find(head.method, head.path, query, has_project=project_name is not None)
        authorize(principal, route.action, Resource(project_name or "", parameters.get("logstore", "")))
        project = self._services.catalog.project(project_name) if project_name is not None else None
        if project is None and route.project:
            raise ApiError(404, "ProjectNotExist", f"The Project does not exist : {project_name}")
        limit = self._body_limit(route)
        async with self._memory(route, head.headers):
            body = await read_body(head.headers, receive, limit)
            self._authenticator.check_body(head, body, authorization)
            call = Call(
                request_id=scope["state"]["request_id"],
                method=head.method,
                path=head.path,
                query=query,
                headers=head.headers,
                body=body,
                principal=principal,
                services=self._services,
                project=project,
                parameters=parameters,
                peer=peer_of(scope),
                disconnected=partial(wait_for_disconnect, receive),
            )
            return await recording.run(self._table, route, call)

    def _body_limit(self, route: Route) -> int:
        settings = self._services.settings
        return settings.max_body_bytes if route.log_write else settings.max_control_bytes

    def _memory(self, route: Route, headers: Mapping[str, str]) -> AbstractAsyncContextManager[None]:
        """Log writes share a budget, and take their part of it before their bodies are read."""
        if not route.log_write:
            return nullcontext()
        return self._services.ingest.memory(memory_of(headers, self._services.settings.max_raw_bytes))
