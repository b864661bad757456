"""A server's place: the ports that it listens on and the file that says so. Light to load, so that a start that cannot be fails at once."""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tailrace.errors import StateError
from tailrace.journal import write_private
from tailrace.server.settings import Settings

RUN_FILE = "server.json"
BACKLOG = 2048
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Listeners:
    """Both listen already."""

    plain: socket.socket
    tls: socket.socket

    @property
    def port(self) -> int:
        return int(self.plain.getsockname()[1])

    @property
    def tls_port(self) -> int:
        return int(self.tls.getsockname()[1])


@contextmanager
def listening(settings: Settings) -> Generator[Listeners]:
    """The sockets of a server that may start on its home. Raises StateError when another one runs there or a port is in use."""
    refuse_second_server(settings.run_directory / RUN_FILE)
    with listening_socket(settings.host, settings.port) as plain, _tls_socket(settings, int(plain.getsockname()[1])) as tls:
        yield Listeners(plain, tls)


@contextmanager
def listening_socket(host: str, port: int, *, option: str = "--port") -> Generator[socket.socket]:
    """Bound at once, so that a port in use is known before anything is opened. Raises StateError that names the holder."""
    try:
        listener = _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StateError(
                f"cannot listen on `{host}:{port}`: the port is in use by {port_holder(port)}",
                hint=f"stop that process, or choose another port with `{option}`",
            ) from None
        raise StateError(
            f"cannot listen on `{host}:{port}`: {error.strerror}",
            hint=f"choose an address of this machine with `{option.replace('port', 'host')}`",
        ) from None
    with listener:
        yield listener


@contextmanager
def _tls_socket(settings: Settings, port: int) -> Generator[socket.socket]:
    """A port that nobody chose gives way when it is in use: only this machine listens to it, and finds it in the run file."""
    host, wanted = settings.tls_host or settings.host, settings.tls_port
    if wanted is None:
        wanted = port + 1 if settings.port and port < MAX_PORT else 0
        if settings.tls_host is None:
            wanted = wanted if _is_free(host, wanted) else 0
    with listening_socket(host, wanted, option="tls_port") as listener:
        yield listener


def _is_free(host: str, port: int) -> bool:
    try:
        _bind(host, port).close()
    except OSError:
        return False
    return True


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


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


def tls_address(settings: Settings, port: int) -> str:
    """Where this machine itself reaches the TLS listener."""
    host = settings.tls_host or settings.host
    here = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"https://[{here}]:{port}" if ":" in here else f"https://{here}:{port}"


@contextmanager
def run_file(settings: Settings, listeners: Listeners, addresses: Sequence[str]) -> Generator[None]:
    """`run/server.json` says where the server is, as long as it serves; `addresses` are those that agents are told."""
    path = settings.run_directory / RUN_FILE
    process = psutil.Process()
    place = {"port": listeners.port, "host": settings.host, "tls_port": listeners.tls_port}
    place |= {"tls_address": tls_address(settings, listeners.tls_port), "addresses": list(addresses)}
    write_private(path, json.dumps({"pid": process.pid, **place, "created": process.create_time()}) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
