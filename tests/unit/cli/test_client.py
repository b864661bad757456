"""The commands' HTTP client: what it makes of answers."""

import http.server
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
