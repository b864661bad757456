"""Two targets on two ports that know what they have: one can be out, the other one takes the time of each line.

    python bench/outage_sink.py OUT_PORT STEADY_PORT FIELD

Both take the batch form. FIELD of the events to the first begins with their number, lines to the second begin with the time of their writing (seconds since 1970).
`GET /out`, `GET /back` and `GET /stats` on the second port steer and ask.
"""

import json
import socket
import struct
import sys
import threading
import time
from bisect import insort
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from tailrace.batch import EventBatch
from tailrace.wire import batch_form
from tailrace.wire.identity import Identity


class Stored:
    """What arrived at the target that can be out: per stream its sequences, each with the numbers of its first and last line."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.streams: dict[str, dict[tuple[int, int], tuple[int, int]]] = {}
        self.lines = self.repeats = self.torn = self.overtaken = 0
        self._highest: dict[str, int] = {}

    def add(self, identity: Identity, values: Sequence[bytes | None]) -> None:
        numbers = [int(value[:12]) for value in (values[0], values[-1]) if value is not None]
        with self.lock:
            known = self.streams.setdefault(identity.stream, {})
            key = identity.sequence, identity.part
            if key in known:
                self.repeats += 1
                return
            known[key] = numbers[0], numbers[-1]
            self.lines += len(values)
            self.torn += numbers[-1] - numbers[0] + 1 != len(values)
            self.overtaken += identity.sequence < self._highest.get(identity.stream, 0)
            self._highest[identity.stream] = max(identity.sequence, self._highest.get(identity.stream, 0))

    def gaps(self) -> int:
        """Places where a stream, in the order of its sequences, does not go on with the next number."""
        with self.lock:
            return sum(
                after[0] != before[1] + 1
                for ranges in self.streams.values()
                for (_, before), (_, after) in zip(sorted(ranges.items()), sorted(ranges.items())[1:], strict=False)
            )


class Target(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stored: ClassVar[Stored] = Stored()
    latencies: ClassVar[list[tuple[float, float]]] = []
    """(when it was written, how long it took) of each line to the steady target."""
    out: ClassVar[bool] = False
    steady_port: ClassVar[int] = 0
    field: ClassVar[bytes] = b"content"

    def do_POST(self) -> None:
        steady = self.server.server_port == Target.steady_port  # type: ignore[attr-defined]
        if Target.out and not steady:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(int(self.headers["Content-Length"]))
        now = time.time()
        for package in batch_form.decode(body):
            if package.identity.ended:
                continue
            batch = EventBatch.decode(package.data, compression=self.headers.get("x-log-compresstype", "none"), raw_size=package.raw_size)
            values = batch.column(b"content" if steady else Target.field)
            if steady:
                for value in values:
                    written = float((value or b"0").split()[0])
                    insort(Target.latencies, (written, now - written))
            else:
                Target.stored.add(package.identity, values)
        self.answer(b"")

    def do_GET(self) -> None:
        Target.out = {"/out": True, "/back": False}.get(self.path, Target.out)
        stored = Target.stored
        found: dict[str, Any] = {"lines": stored.lines, "repeats": stored.repeats, "torn": stored.torn, "overtaken": stored.overtaken}
        if self.path == "/stats":
            found |= {"gaps": stored.gaps(), "latencies": Target.latencies}
        self.answer(json.dumps(found).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


def main() -> None:
    out, Target.steady_port, Target.field = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
    threading.Thread(target=ThreadingHTTPServer(("127.0.0.1", out), Target).serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", Target.steady_port), Target).serve_forever()


if __name__ == "__main__":
    main()
