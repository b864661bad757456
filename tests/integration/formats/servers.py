"""Real nginx, Apache and rsyslog on loopback ports, with requests that real clients and attackers send."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tailrace.pipeline.formats.line import LineFormat
from tailrace.pipeline.loading import from_document
from tailrace.pipeline.preview import Preview, preview

WAIT_SECS = 20

END = b"Host: localhost\r\nConnection: close\r\n\r\n"
REQUESTS = [
    b"GET / HTTP/1.1\r\nUser-Agent: curl/8.5\r\n" + END,
    b'GET /a%20b?x=1&y=%22 HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (X11; "Linux" x86_64)\r\nReferer: http://example.org/?q=a b\r\n' + END,
    b"HEAD /none HTTP/1.0\r\n\r\n",
    b"POST /form HTTP/1.1\r\nContent-Length: 5\r\nX-Forwarded-For: 10.1.2.3, 10.4.5.6\r\nUser-Agent: back\\slash\ttab\r\n" + END + b"abcde",
    # basic auth: the user is `ann b [x]`, who fails
    b"GET /secret HTTP/1.1\r\nAuthorization: Basic YW5uIGIgW3hdOnB3\r\nUser-Agent: -\r\n" + END,
    "GET /grüße HTTP/1.1\r\nUser-Agent: Grüße\r\n".encode() + END,
    b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"\xff\r\n\r\n',
    b"GET /long" + b"x" * 3000 + b" HTTP/1.1\r\n" + END,
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, requests: Sequence[bytes] = REQUESTS) -> None:
    for request in requests:
        with socket.create_connection(("127.0.0.1", port), timeout=WAIT_SECS) as connection:
            connection.sendall(request)
            while connection.recv(65_536):
                pass


@contextmanager
def process(command: Sequence[str], *, port: int = 0, path: Path | None = None) -> Iterator[None]:
    """Run a server until its port or its socket is there; stop it in the end."""
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + WAIT_SECS
        while not (_listens(port) if port else path is not None and path.exists()):
            assert running.poll() is None, running.communicate()[0].decode()
            assert time.monotonic() < until, f"{command[0]} does not come up"
            time.sleep(0.02)
        yield
    finally:
        running.terminate()
        running.communicate(timeout=WAIT_SECS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def lines_of(path: Path, count: int) -> bytes:
    """The file, once it has that many lines."""
    until = time.monotonic() + WAIT_SECS
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < until, f"{path.name}: {path.read_bytes() if path.exists() else 'is not there'}"
        time.sleep(0.02)
    return path.read_bytes()


def parsed(found: LineFormat, log: bytes) -> Preview:
    """The log through the pipeline that the format makes; every line must fit."""
    document: dict[str, Any] = {
        "inputs": [{"Type": "input_file", "FilePaths": ["/var/log/x.log"]}],
        "processors": found.processors(),
        "flushers": [{"Type": "flusher_stdout"}],
    }
    result = preview(from_document(document, "generated.yaml"), log)
    assert result.failed == [], result.summary()
    assert [found.mismatch(line) for line in log.splitlines()] == [""] * len(log.splitlines())
    return result


def json_lines(log: bytes) -> list[dict[str, str]]:
    """Objects whose values may hold bytes that are not UTF-8; those are shown as `\\xNN`."""
    objects = [json.loads(line.decode("latin-1")) for line in log.splitlines()]
    return [{key: value.encode("latin-1").decode("utf-8", "backslashreplace") for key, value in one.items()} for one in objects]


def unescaped(value: str) -> str:
    """nginx's `\\xHH` undone; `-` stands for nothing."""
    text = re.sub(rb"\\x([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), value.encode()).decode("utf-8", "backslashreplace")
    return "" if text == "-" else text
