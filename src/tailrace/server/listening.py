"""A server's place: the port that it listens on and the file that says so. Light to load, so that a start that cannot be fails at once."""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tailrace.errors import StateError
from tailrace.server.auth.private import write_secret
from tailrace.server.settings import Settings

RUN_FILE = "server.json"
BACKLOG = 2048


@contextmanager
def listening(settings: Settings) -> Generator[socket.socket]:
    """The socket of a server that may start on its home. Raises StateError when another one runs there or the port is in use."""
    refuse_second_server(settings.run_directory / RUN_FILE)
    with listening_socket(settings.host, settings.port) as listener:
        yield listener


@contextmanager
def listening_socket(host: str, port: int) -> Generator[socket.socket]:
    """Bound at once, so that a port in use is known before anything is opened. Raises StateError that names the holder."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise StateError(
                    f"cannot listen on `{host}:{port}`: the port is in use by {port_holder(port)}",
                    hint="stop that process, or choose another port with `--port`",
                ) from None
            raise StateError(
                f"cannot listen on `{host}:{port}`: {error.strerror}", hint="choose an address of this machine with `--host`"
            ) from None
        yield listener


def port_holder(port: int) -> str:
    """Who listens there, as far as this user may see it."""
    with contextlib.suppress(psutil.AccessDenied, psutil.NoSuchProcess):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} (`{psutil.Process(connection.pid).name()}`)"
    return "a process of another user"


def refuse_second_server(path: Path) -> None:
    """Two servers on one home would spoil each other's store. Raises StateError when the one that wrote `path` still runs."""
    try:
        other = json.loads(path.read_text("utf-8"))
        process = psutil.Process(int(other["pid"]))
        alive = abs(process.create_time() - float(other["created"])) < 1.0 and process.pid != os.getpid()
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return
    if alive:
        raise StateError(
            f"a server runs on this home already: process {process.pid}, port {other.get('port')}",
            hint="stop it first, or choose another home with `--home`",
        )


@contextmanager
def run_file(settings: Settings, listener: socket.socket) -> Generator[int]:
    """`run/server.json` says where the server is, as long as it serves; yields the port."""
    path = settings.run_directory / RUN_FILE
    port = int(listener.getsockname()[1])
    process = psutil.Process()
    write_secret(path, json.dumps({"pid": process.pid, "port": port, "host": settings.host, "created": process.create_time()}) + "\n")
    try:
        yield port
    finally:
        path.unlink(missing_ok=True)
