"""A PostgreSQL of its own for the tests, as Debian installs it (`make setup-peers`): on a socket and a free port of loopback."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECS = 60


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Its address, `postgresql://postgres@127.0.0.1:PORT`. It refuses to run as root, then it runs as its own user."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    directory = Path(tempfile.mkdtemp(prefix="tailrace-postgresql-"))
    data = directory / "data"
    become = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    if become:
        shutil.chown(directory, "postgres", "postgres")
    made = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run([*become, *made], check=True, capture_output=True, cwd="/")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [programs / "postgres", "-D", data, "-p", str(port), "-k", directory, "-h", "127.0.0.1", "-F"]
    with (directory.with_suffix(".log")).open("wb") as log:
        process = subprocess.Popen([*become, *words], stdout=log, stderr=log, cwd="/")
    try:
        _wait(programs, port, process)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(directory)


def _wait(programs: Path, port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + START_SECS
    asked = [str(programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    while subprocess.run(asked, check=False).returncode != 0:
        assert process.poll() is None, "PostgreSQL ended"
        assert time.monotonic() < until, "PostgreSQL did not start"
        time.sleep(0.1)
