"""`/api/v1` as one application."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response

from tailrace import __version__
from tailrace.errors import ApiError, TailraceError
from tailrace.server.api.answer import answer_crash, as_api_error, error_response
from tailrace.server.api.call import Services
from tailrace.server.api.v1 import (
    agents,
    authority,
    backup,
    changes,
    checks,
    collection,
    commands,
    export,
    fields,
    fleet,
    indexes,
    joining,
    keys,
    quotas,
    rollouts,
    sessions,
    status,
    storage,
    tail,
    tokens,
    users,
)
from tailrace.server.api.v1.recording import Recorded
from tailrace.server.api.v1.signed import Signed
from tailrace.server.auth.authenticate import Authenticator

PARTS = (
    joining,
    agents,
    fleet,
    commands,
    rollouts,
    tokens,
    authority,
    quotas,
    status,
    tail,
    collection,
    export,
    fields,
    indexes,
    storage,
    checks,
    backup,
    sessions,
    users,
    keys,
    changes,
)


def create_api(services: Services, authenticator: Authenticator) -> FastAPI:
    """Errors have the SLS form here too, so that a client needs one way of reading them."""
    api = FastAPI(
        title="Tailrace",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(Signed, authenticator=authenticator, sessions=services.sessions, max_body_bytes=services.settings.max_control_bytes),
            Middleware(Recorded, audit=services.audit),
        ],
        redirect_slashes=False,
    )
    api.state.services = services
    api.add_exception_handler(TailraceError, _answer_error)
    api.add_exception_handler(RequestValidationError, _answer_invalid)
    api.add_exception_handler(HTTPException, _answer_http)
    api.add_exception_handler(Exception, answer_crash)
    for part in PARTS:
        api.include_router(part.router)
    return api


async def _answer_error(_request: Request, error: Exception) -> Response:
    return error_response(as_api_error(error) if isinstance(error, TailraceError) else ApiError(500, "InternalServerError", ""))


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    text = "; ".join(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in problems)
    return error_response(ApiError(400, "ParameterInvalid", text))


async def _answer_http(request: Request, error: Exception) -> Response:
    status_code = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(ApiError(status_code, "ApiNotExist", f"`{request.method} {request.url.path}` is not an operation of this server"))
