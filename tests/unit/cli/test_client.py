"""The commands' HTTP client: what it makes of answers."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator

import pytest

from tailrace.cli import client
from tailrace.cli.client import Client
from tailrace.cli.connection import Connection
from tailrace.errors import ConfigError, TailraceError


class Endless(http.server.BaseHTTPRequestHandler):
    """An answer that never ends."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b" " * 65_536)
        except OSError:
            self.close_connection = True

    def log_message(self, *words):
        pass


@pytest.fixture
def endless() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endless) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


@pytest.mark.parametrize("endpoint", ["ftp://a", "http://", "http://a..b:9480", f"http://{'a' * 64}.example.org"])
def test_what_can_be_no_server_is_named(endpoint: str):
    with pytest.raises(ConfigError, match="is not an endpoint"):
        Client(Connection(endpoint, "id", "secret", "p", "l"))


def test_an_answer_without_end_is_not_kept(endless: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 1_000_000)
    with Client(Connection(endless, "id", "secret", "demo", "app")) as asking, pytest.raises(TailraceError) as raised:
        asking.get_logs("*", 0, 1)
    assert raised.value.message == "the answer is longer than 1000000 bytes"


class Telling(http.server.BaseHTTPRequestHandler):
    """Answers with the `Host` that it was asked for."""

    def do_GET(self):
        text = json.dumps({"host": self.headers["host"]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words):
        pass


class OverSix(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


def test_a_project_of_a_server_with_an_address_of_ipv6_is_named_as_http_wants_it():
    with OverSix(("::1", 0), Telling) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        with Client(Connection(f"http://[::1]:{serving.server_port}", "id", "secret", "demo", "app")) as asking:
            assert asking._request("GET", "/logstores") == {"host": "demo.[::1]"}
        serving.shutdown()
