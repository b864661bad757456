"""A small client of the server's HTTP API, for commands: signs (version 4), connects to the endpoint's address, reads answers."""

import json
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tailrace.cli.connection import Connection
from tailrace.errors import ApiError, ConfigError, TailraceError, UnreachableError
from tailrace.wire.endpoints import is_name
from tailrace.wire.proxy import bracketed
from tailrace.wire.signature import SignedRequest, sign_v4
from tailrace.wire.tls import UNKNOWN_ISSUER, client_context, explain

TIMEOUT_SECS = 180.0  # longer than the server lets a query run, and wait for its turn
CONNECT_SECS = 5.0
PAGE = 100
LIST_PAGE = 500
MAX_ANSWER_BYTES = 256 * 1_048_576


class Client:
    """One connection; a context manager."""

    def __init__(self, connection: Connection) -> None:
        import httpx2

        parts = urlsplit(connection.endpoint if "//" in connection.endpoint else f"http://{connection.endpoint}")
        if parts.scheme not in ("http", "https") or not parts.hostname or not is_name(parts.hostname):
            raise ConfigError(f"`{connection.endpoint}` is not an endpoint", hint="it looks like `http://127.0.0.1:9480`")
        self._connection = connection
        self._host = bracketed(parts.hostname)
        # No proxy from the environment: the server's address is known, and a proxy would see the signed requests.
        self._http = httpx2.Client(
            base_url=f"{parts.scheme}://{parts.netloc}",
            timeout=httpx2.Timeout(TIMEOUT_SECS, connect=CONNECT_SECS),
            trust_env=False,
            verify=client_context([connection.roots]) if connection.roots else True,
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get_logs(
        self, query: str, start: int, end: int, *, line: int = PAGE, offset: int = 0, reverse: bool = True, time_zone: str = ""
    ) -> dict[str, Any]:
        """`{"meta": …, "data": [row, …]}`; times in seconds, half open. `time_zone` of SQL, the project's when it is left out."""
        body = {"from": start, "to": end, "query": query, "line": line, "offset": offset, "reverse": reverse, "timeZone": time_zone}
        return self._request("POST", f"/logstores/{quote(self._connection.logstore)}/logs", body=body)

    def events(
        self, query: str, start: int, end: int, *, limit: int, reverse: bool = True, told: Callable[[dict[str, Any]], None] | None = None
    ) -> Iterator[dict[str, str]]:
        """Rows of a search, page by page; `told` hears the `meta` of each page."""
        offset = 0
        while offset < limit:
            line = min(PAGE, limit - offset)
            answer = self.get_logs(query, start, end, line=line, offset=offset, reverse=reverse)
            rows = answer["data"]
            if told is not None:
                told(answer["meta"])
            yield from rows
            offset += len(rows)
            if len(rows) < line:
                return

    def tail(self, query: str, after: str) -> tuple[list[dict[str, str]], str]:
        """Rows that arrived after the cursor, and the next cursor."""
        path = f"/api/v1/projects/{quote(self._connection.project)}/logstores/{quote(self._connection.logstore)}/tail"
        answer = self._request("GET", path, query={"after": after, "query": query})
        return answer["rows"], answer["cursor"]

    def create(self, path: str, document: Mapping[str, Any], *, exists: str) -> bool:
        """POST `document` in the connection's project; False when the answer is the error code `exists`."""
        try:
            self._request("POST", path, body=document)
        except ApiError as error:
            if error.error_code != exists:
                raise
            return False
        return True

    def sls(self, method: str, path: str, document: object = None, *, query: Mapping[str, str] | None = None) -> Any:
        """An operation of the SLS API in the connection's project; without one, of the server."""
        return self._request(method, path, query=query, body=document)

    def listed(self, path: str, key: str) -> list[Any]:
        """All entries of a list of the SLS API, page by page; `key` is where an answer has them."""
        entries: list[Any] = []
        while True:
            page = self.sls("GET", path, query={"offset": str(len(entries)), "size": str(LIST_PAGE)})
            entries += page[key]
            if not page[key] or len(entries) >= page["total"]:
                return entries

    def own(self, method: str, path: str, document: object = None, *, query: Mapping[str, str] | None = None) -> Any:
        """An operation of our own API, `path` below `/api/v1`."""
        return self._request(method, f"/api/v1{path}", query=query, body=document)

    def fetch(self, path: str) -> bytes:
        """What is no JSON of our own API, `path` below `/api/v1`, as it is."""
        with self._open("GET", f"/api/v1{path}") as response:
            content = _bounded(response.iter_bytes())
            if response.status_code != 200:
                _read(response.status_code, content)
            return content

    def export(self, query: str, start: int, end: int, *, kind: str, fields: str = "") -> Iterator[bytes]:
        """The parts of a file with everything that the query finds."""
        path = f"/api/v1/projects/{quote(self._connection.project)}/logstores/{quote(self._connection.logstore)}/export"
        wanted = {"query": query, "from": str(start), "to": str(end), "format": kind, "fields": fields}
        with self._open("GET", path, query=wanted) as response:
            if response.status_code != 200:
                _read(response.status_code, _bounded(response.iter_bytes()))
            yield from response.iter_bytes()

    def _request(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Any:
        with self._open(method, path, query=query, body=body) as response:
            return _read(response.status_code, _bounded(response.iter_bytes()))

    @contextmanager
    def _open(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object = None) -> Generator[Any]:
        import httpx2

        content = b"" if body is None else json.dumps(body).encode()
        pairs = list((query or {}).items())
        bare = path.startswith("/api/") or not self._connection.project
        host = self._host if bare else f"{self._connection.project}.{self._host}"
        headers = {"host": host, **({"content-type": "application/json"} if content else {})}
        signed = SignedRequest(method, path, pairs, headers, content)
        added = sign_v4(signed, self._connection.key_id, self._connection.key_secret, "local", datetime.fromtimestamp(time.time(), UTC))
        target = f"{path}?{urlencode(pairs, quote_via=quote)}" if pairs else path
        try:
            with self._http.stream(method, target, headers={**headers, **added}, content=content) as response:
                yield response
        except httpx2.TimeoutException as error:
            raise UnreachableError(
                f"`{self._connection.endpoint}` did not answer in time", hint="narrow the query, or look at the server's log"
            ) from error
        except httpx2.TransportError as error:
            if (refused := _tls_error(error)) is not None:
                raise _untrusted(refused, self._connection.endpoint) from error
            raise UnreachableError(
                f"cannot reach the server at `{self._connection.endpoint}`: {str(error).lower()}",
                hint="is it running? `tailrace up` starts it",
            ) from error


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """What TLS says, behind the library's own errors."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
        if isinstance(error, ssl.SSLError):
            return error
    return None


def _untrusted(error: ssl.SSLError, endpoint: str) -> UnreachableError:
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code in UNKNOWN_ISSUER:
        return UnreachableError(
            f"the certificate of `{endpoint}` is of an authority that is not known here",
            hint="check the address; `tailrace ca show --pem` on the server prints its root certificates, `--ca FILE` names them here",
        )
    message, hint = explain(error, endpoint)
    return UnreachableError(message, hint=hint)


def _bounded(parts: Iterator[bytes]) -> bytes:
    answer = bytearray()
    for part in parts:
        answer += part
        if len(answer) > MAX_ANSWER_BYTES:
            raise TailraceError(f"the answer is longer than {MAX_ANSWER_BYTES} bytes", hint="narrow the query, or ask for fewer rows")
    return bytes(answer)


def _read(status: int, content: bytes) -> Any:
    """The answer's JSON. Raises ApiError for what the server refuses, TailraceError for what is no answer of ours."""
    try:
        answer = json.loads(content or b"{}")
        if status == 200:
            return answer
        raise ApiError(status, str(answer["errorCode"]), str(answer["errorMessage"]))
    except (ValueError, KeyError, TypeError):
        raise TailraceError(f"the endpoint answered {status} with something that is not Tailrace", hint="check the endpoint") from None
