"""A real server for the tests that need one: a process of its own on a free port, with a home that is thrown away."""

import importlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tailrace.testing.server import LocalServer, local_server

logging.raiseExceptions = False  # a summary may come when the stream of the test that it belongs to is closed

NO_KERNEL = "the native kernel is not installed: install Rust (https://rustup.rs), then run `make kernel`"


class RunningServer(LocalServer):
    """With what tests ask of it beyond plain requests."""

    def client(self, *, key: tuple[str, str] | None = None, sign_version: str = "4") -> Any:
        """The official SDK's client, talking through the server as its HTTP proxy (what `http_proxy` does), so that no name is resolved."""
        from aliyun.log import LogClient

        key_id, key_secret = key or (self.key_id, self.key_secret)
        client = LogClient(self.endpoint, key_id, key_secret, auth_version="v" + sign_version, region="local")
        client._session.trust_env = False
        client._session.proxies = {"http": self.endpoint}
        return client

    def enrol(self, agent: str, project: str, logstores: list[str]) -> tuple[str, str]:
        """Id and secret of a new agent key, which the agent gets with a join token."""
        from tests.integration.server.joiner import Joiner

        token = self.call("POST", "/tokens", {"project": project, "logstores": logstores}).json()["token"]
        with tempfile.TemporaryDirectory() as directory:
            joiner = Joiner(Path(directory), self.tls_port, agent_id=agent)
            joiner.pin(token)
            assert joiner.enrol(token).status == 200
            return joiner.key()


@contextmanager
def running_server(home: Path, *flags: str, port: int = 0) -> Iterator[RunningServer]:
    """`local_server` with the metadata in PostgreSQL, where the tests are run so."""
    from tests.databases import SERVER, address_of

    environment = {"TAILRACE_SERVER_DATABASE": address_of(home)} if SERVER else {}
    with local_server(home, *flags, port=port, environment=environment) as running:
        yield RunningServer(**vars(running))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all tests of a run: give projects names of your own."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


def native_kernel() -> ModuleType:
    """For tests of the native kernel. Where it has to be there, in CI (the environment names it), its absence is a failure."""
    try:
        return importlib.import_module("tailrace_kernel")
    except ImportError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{NO_KERNEL} ({error})")
        pytest.skip(NO_KERNEL)
