"""The server's HTTP application: health and metrics, our own API under `/api/v1`, and the SLS API everywhere else."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from tailrace import telemetry
from tailrace.server.api.answer import Answering, answer_crash
from tailrace.server.api.call import Services
from tailrace.server.api.control import Control
from tailrace.server.api.sls.api import SlsApi
from tailrace.server.api.v1.api import create_api
from tailrace.server.auth.authenticate import Authenticator


def create_app(services: Services) -> ASGIApp:
    """An ASGI application over parts that are open already."""
    authenticator = Authenticator(services.roster.key, services.accounts.user, services.vault, services.settings)
    app = Starlette(
        routes=[
            Route("/healthz", _healthz),
            Route("/readyz", _readyz),
            Route("/metrics", _metrics),
            Mount("/api/v1", create_api(services, authenticator)),
            Mount("/", SlsApi(services, authenticator)),
        ],
        exception_handlers={Exception: answer_crash},
    )
    app.state.services = services
    app.router.redirect_slashes = False
    return Answering(Control(services, app))


async def _healthz(_request: Request) -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


async def _readyz(request: Request) -> Response:
    """Writes are taken and kept: true as long as the store is open, also while its engine restarts."""
    services: Services = request.app.state.services
    return JSONResponse({"ready": True, "store": services.store.health()})


async def _metrics(_request: Request) -> Response:
    return Response(telemetry.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
