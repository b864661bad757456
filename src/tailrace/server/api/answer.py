"""What stands in every answer: request id and server time in the headers, errors as `{"errorCode", "errorMessage"}` (sls-api §1.3)."""

import math
import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tailrace import telemetry
from tailrace.errors import ApiError, BusyError, TailraceError

log = telemetry.logger("server.api")
REQUESTS = telemetry.counter("tailrace_requests_total", "Answered requests.", "method", "status")
SECONDS = telemetry.histogram("tailrace_request_seconds", "From a request's headers to its whole answer.")

# Methods as metric labels: whatever else is sent counts as one.
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD"})


BUSY_SECS = 1.0
"""When a server that is too busy may be asked again."""


class Answering:
    """The outermost layer: gives each request its id, puts it into every header and log line, counts and logs the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.monotonic()

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-log-requestid"] = request_id
                headers["x-log-time"] = str(int(time.time()))
                method = scope["method"] if scope["method"] in METHODS else "other"
                REQUESTS.labels(method=method, status=str(message["status"])).inc()
                log.debug("answered", method=scope["method"], path=scope["path"], status=message["status"])
            await send(message)

        telemetry.mark(request_id=request_id)
        await self._app(scope, receive, send_marked)
        SECONDS.observe(time.monotonic() - started)


def new_request_id() -> str:
    """24 upper-case hex digits."""
    return secrets.token_hex(12).upper()


def error_response(error: ApiError) -> Response:
    """A refused body may not have been read: then the connection cannot go on."""
    headers: dict[str, str] = {}
    if error.error_code in ("PostBodyTooLarge", "MissingContentLength", "RequestTimeout"):
        headers["connection"] = "close"
    if error.retry_after is not None:
        headers["retry-after"] = str(math.ceil(error.retry_after))
    return JSONResponse({"errorCode": error.error_code, "errorMessage": error.message}, error.status, headers)


def as_api_error(error: TailraceError) -> ApiError:
    """An error of ours as clients know it: retry later for a full queue, else an internal error without its details."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, BusyError):
        return ApiError(503, "ServerBusy", error.message, retry_after=BUSY_SECS)
    log.error("a request failed", error=type(error).__name__, reason=error.message, hint=error.hint)
    return ApiError(500, "InternalServerError", "the server failed, its log has the reason under the request id")


async def answer_crash(request: Request, error: Exception) -> Response:
    """For what nobody foresaw: a traceback in the log, an answer without details."""
    log.error("a request crashed", method=request.method, path=request.url.path, exc_info=error)
    return error_response(ApiError(500, "InternalServerError", "the server failed, its log has the reason under the request id"))
