"""A PostgreSQL of its own for the tests, as Debian installs it (`make setup-peers`): on a socket and a free port of loopback."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECS = 60


class Postgresql:
    """It refuses to run as root, then it runs as its own user."""

    def __init__(self) -> None:
        self._programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        self._directory = Path(tempfile.mkdtemp(prefix="tailrace-postgresql-"))
        self._become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self._become:
            shutil.chown(self._directory, "postgres", "postgres")
        words = ["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        made = [*self._become, self._programs / "initdb", "-D", self._data, *words]
        subprocess.run(made, check=True, capture_output=True, cwd="/")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def start(self) -> None:
        words = [self._programs / "postgres", "-D", self._data, "-p", str(self.port), "-k", self._directory, "-h", "127.0.0.1", "-F"]
        with (self._directory.with_suffix(".log")).open("ab") as log:
            self._process = subprocess.Popen([*self._become, *words], stdout=log, stderr=log, cwd="/")
        self._wait(self._process)

    def stop(self) -> None:
        """At once: connections are cut (`pg_ctl stop -m fast`)."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._directory)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_SECS
        asked = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(asked, check=False).returncode != 0:
            assert process.poll() is None, "PostgreSQL ended"
            assert time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.1)


@contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    postgresql = Postgresql()
    try:
        postgresql.start()
        yield postgresql
    finally:
        postgresql.remove()
