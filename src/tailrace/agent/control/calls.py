"""One call of the agent to its server beside the data: signed with a key for data, or known by the agent's certificate, or open."""

import http.client
import json
import ssl
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from tailrace.errors import ApiError, UnreachableError
from tailrace.pipeline.contract import Credentials
from tailrace.wire.outward import outward
from tailrace.wire.proxy import PORTS, Proxy, way_to
from tailrace.wire.signature import SignedRequest, sign_v4
from tailrace.wire.tls import explain

REGION: Final = "local"
BAD_REQUEST: Final = 400
CLOCK: Final = (b"RequestTimeExpired", b"RequestTimeTooSkewed")
MAX_ANSWER_BYTES: Final = 64 * 1_048_576
"""Stream ends of 100 000 files take 4 MB."""

_Request = tuple[str, str, bytes, dict[str, str]]
"""Method, target, body, headers."""


def call(
    endpoint: str,
    method: str,
    path: str,
    document: object = None,
    *,
    key: Credentials | None = None,
    query: Sequence[tuple[str, str]] = (),
    tls: ssl.SSLContext | None = None,
) -> dict[str, Any]:
    """The answer's JSON object. `tls` is how an `https` endpoint is known; without it by the roots that the system trusts.

    UnreachableError when there is no answer, or none that can be trusted; ApiError when it is not a success.
    """
    body = b"" if document is None else json.dumps(document).encode()
    headers = {"host": urlsplit(endpoint).netloc, "x-log-bodyrawsize": str(len(body))}
    if body:
        headers["content-type"] = "application/json"
    target = f"{path}?{urlencode(query)}" if query else path

    def ask(now: datetime) -> tuple[int, bytes, str]:
        signed = SignedRequest(method, path, list(query), headers, body)
        signature = {} if key is None else sign_v4(signed, key.key_id, key.key_secret, REGION, now)
        return _exchange(endpoint, tls, (method, target, body, headers | signature))

    status, text, date = ask(datetime.now(UTC))
    if key is not None and status == BAD_REQUEST and any(code in text for code in CLOCK) and (theirs := _instant(date)):
        status, text, _ = ask(theirs)  # our clock is wrong: only the signature takes theirs
    return _answer(status, text, f"{method} {path} at `{endpoint}`")


class Line:
    """A connection to one address of a server that knows the agent by its certificate; it stays open between calls. For one thread."""

    def __init__(self, endpoint: str, tls: ssl.SSLContext) -> None:
        self._endpoint = endpoint
        self._tls = tls
        self._connection: http.client.HTTPConnection | None = None

    def exchange(self, method: str, target: str, body: bytes, *, media_type: str, timeout: float | None = None) -> bytes:
        """The body of the answer. The errors of `call`. What is asked may arrive twice, when the server has let the connection go."""
        headers = {"host": urlsplit(self._endpoint).netloc, **({"content-type": media_type} if body else {})}
        request = method, target, body, headers
        status, answer = self._again(request, timeout) or self._afresh(request, timeout)
        if status != 200:
            _answer(status, answer, f"{method} {target} at `{self._endpoint}`")
        return answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _again(self, request: _Request, timeout: float | None) -> tuple[int, bytes] | None:
        """Over the connection that is open; None when it is no more."""
        if self._connection is None or self._connection.sock is None:  # the server has said that it closes it
            return None
        try:
            return self._kept(_asked(self._connection, request, timeout))
        except (ConnectionError, ssl.SSLError, http.client.HTTPException):
            self.close()
            return None
        except OSError as error:
            self.close()
            raise _unreachable(self._endpoint, error) from error

    def _afresh(self, request: _Request, timeout: float | None) -> tuple[int, bytes]:
        self._connection = _connection(self._endpoint, self._tls)
        try:
            with _explained(self._endpoint):
                self._connection.connect()
                return self._kept(_asked(self._connection, request, timeout))
        except UnreachableError:
            self.close()
            raise

    def _kept(self, answer: tuple[int, bytes, str]) -> tuple[int, bytes]:
        status, text, _ = answer
        if len(text) > MAX_ANSWER_BYTES:  # the rest of it is still to come
            self.close()
            raise _too_long(self._endpoint)
        return status, text


def _exchange(endpoint: str, tls: ssl.SSLContext | None, request: _Request) -> tuple[int, bytes, str]:
    """Status, body and `Date` of the answer, over a connection of its own."""
    connection = _connection(endpoint, tls)
    try:
        with _explained(endpoint):
            connection.connect()
            answer = _asked(connection, _for_the_way(endpoint, request), None)
    finally:
        connection.close()
    if len(answer[1]) > MAX_ANSWER_BYTES:
        raise _too_long(endpoint)
    return answer


def _asked(connection: http.client.HTTPConnection, request: _Request, timeout: float | None) -> tuple[int, bytes, str]:
    connection.sock.settimeout(timeout or outward().request_secs)
    connection.request(*request)
    with connection.getresponse() as response:
        return response.status, response.read(MAX_ANSWER_BYTES + 1), response.headers.get("date", "")


@contextmanager
def _explained(endpoint: str) -> Generator[None]:
    try:
        yield
    except ssl.SSLError as error:
        message, hint = explain(error, endpoint)
        raise UnreachableError(message, hint=hint) from error
    except (OSError, UnicodeError, http.client.HTTPException) as error:  # UnicodeError: it is no host name
        raise _unreachable(endpoint, error) from error


def _unreachable(endpoint: str, error: Exception) -> UnreachableError:
    return UnreachableError(f"cannot reach the server at `{endpoint}`: {error}", hint="check that it runs and that the address is right")


def _too_long(endpoint: str) -> UnreachableError:
    return UnreachableError(f"`{endpoint}` answers with more than {MAX_ANSWER_BYTES} bytes", hint="check that the address is right")


def _instant(date: str) -> datetime | None:
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return None


def _for_the_way(endpoint: str, request: _Request) -> _Request:
    """As a proxy wants it that is given the request itself: in absolute form, RFC 9112 §3.2.2."""
    proxy = _proxy(endpoint)
    if proxy is None or urlsplit(endpoint).scheme == "https":
        return request
    method, target, body, headers = request
    return method, f"http://{headers['host']}{target}", body, headers | proxy.headers


def _connection(endpoint: str, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """To the server, or to the proxy that leads there: with `https` through a tunnel."""
    url, proxy = urlsplit(endpoint), _proxy(endpoint)
    host, port = (url.hostname or "", url.port) if proxy is None else (proxy.host, proxy.port)
    patience, source = outward().connect_secs, outward().source_to(host, port)
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=patience, source_address=source, context=tls)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=patience, source_address=source)
    if proxy is not None and url.scheme == "https":
        connection.set_tunnel(url.hostname or "", url.port or PORTS.get(url.scheme), proxy.headers)
    return connection


def _proxy(endpoint: str) -> Proxy | None:
    try:
        return way_to(endpoint)
    except ValueError as error:
        raise UnreachableError(f"cannot use the proxy for `{endpoint}`: {error}", hint="check `http_proxy` and `https_proxy`") from error


def _answer(status: int, text: bytes, what: str) -> dict[str, Any]:
    try:
        answer = json.loads(text or b"{}")
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if status != 200:
        raise ApiError(status, str(answer.get("errorCode", "")), f"{what} answered {status}: {answer.get('errorMessage', '')}")
    return answer
