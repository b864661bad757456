"""uvicorn's HTTP/1.1 protocol with bounds on what comes before a body, the SLS form for what is no HTTP, and short answers in one piece."""

import json
import ssl
from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tailrace.server.api.answer import new_request_id
from tailrace.server.api.joined_writes import JoinedWrites

# Request line and headers together; the longest that SDKs send are queries of some KiB.
MAX_HEAD_BYTES = 131_072
HEAD_TIMEOUT_SECS = 60.0
PEER_CERTIFICATE = "peer_certificate"
"""In a request's state: the client certificate that the TLS handshake has verified, as DER; None without one."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head that is too long gets 400, one that is too slow is cut off."""

    _in_head = True
    _head_bytes = 0
    _head_timer: TimerHandle | None = None
    _peer_certificate: bytes | None = None

    def connection_made(self, transport: Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  (as upstream has it)
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self._answers = JoinedWrites(transport, self.loop)
        self._peer_certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECS, self._cut_off)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope.setdefault("state", {})[PEER_CERTIFICATE] = self._peer_certificate
        self._in_head = True
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_SECS, self._cut_off)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._stop_timer()
        super().on_headers_complete()
        if self.cycle is not None:  # pyright: ignore[reportUnnecessaryComparison]  (an upgrade makes none)
            self.cycle.transport = self._answers  # pyright: ignore[reportAttributeAccessIssue]  (it writes, closes, and asks whether it is closing)

    def on_response_complete(self) -> None:
        self._answers.flush()
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        was_in_head = self._in_head
        super().data_received(data)
        # A block in which a body ends and the next head begins is not counted: it is no longer than one read.
        if was_in_head and self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.send_400_response(f"the headers are longer than {MAX_HEAD_BYTES} bytes")

    def send_400_response(self, msg: str) -> None:
        body = json.dumps({"errorCode": "ParameterInvalid", "errorMessage": msg}).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n"
            f"x-log-requestid: {new_request_id()}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _cut_off(self) -> None:
        self._head_timer = None
        if self._in_head and not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
