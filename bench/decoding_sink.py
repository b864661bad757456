"""An SLS-shaped sink that decodes what it gets and keeps a multiset hash of the events: what came out of an agent.

    python bench/decoding_sink.py PORT

`GET /stats` answers {"events": N, "hash": "…"}. The hash does not depend on the order of events, and counts repeats.
"""

import hashlib
import json
import sys
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tailrace.batch import EventBatch

MODULUS = 1 << 128


def multiset_hash(events: Iterable[list[tuple[bytes, bytes]]]) -> tuple[int, int]:
    """(number of events, sum of their hashes modulo 2^128)."""
    count, total = 0, 0
    for fields in events:
        digest = hashlib.blake2b(digest_size=16)
        for key, value in fields:
            digest.update(len(key).to_bytes(4, "big") + key + len(value).to_bytes(4, "big") + value)
        total = (total + int.from_bytes(digest.digest(), "big")) % MODULUS
        count += 1
    return count, total


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    events = 0
    total = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        compression = self.headers.get("x-log-compresstype", "none")
        batch = EventBatch.decode(body, compression=compression, raw_size=int(self.headers["x-log-bodyrawsize"]))
        count, total = multiset_hash(fields for _, fields in batch.rows())
        Sink.events += count
        Sink.total = (Sink.total + total) % MODULUS
        self.answer(b"")

    def do_GET(self) -> None:
        self.answer(json.dumps({"events": Sink.events, "hash": f"{Sink.total:032x}"}).encode())

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Sink).serve_forever()
