"""The addresses of host names, asked for on threads of their own.

The event loop's own threads write the spool: a name service that is silent for half a minute must not hold these, nor the end of the agent.
"""

import asyncio
import socket
import threading
from concurrent.futures import Future
from typing import TypeAlias, cast

from tailrace.wire.proxy import as_address

Address: TypeAlias = tuple[int, str, int]
"""(family, IP address, port)."""

_asked: dict[tuple[str, int], "Future[list[Address]]"] = {}
"""What is under way: who asks for the same waits for the same answer, so that there is one thread for a name at the most."""
_lock = threading.Lock()


async def look_up(host: str, port: int) -> list[Address]:
    """In the order in which the system wants them tried. OSError."""
    known = as_address(host)
    if known is not None:
        return [(socket.AF_INET if known.version == 4 else socket.AF_INET6, host, port)]
    with _lock:
        answer = _asked.get((host, port)) or _begin(host, port)
    return await asyncio.wrap_future(answer)


def _begin(host: str, port: int) -> "Future[list[Address]]":
    answer: Future[list[Address]] = Future()
    answer.set_running_or_notify_cancel()  # who gives up waiting takes it from nobody else
    try:
        threading.Thread(target=_ask, args=(host, port, answer), name="names", daemon=True).start()
    except RuntimeError as error:
        raise OSError(f"cannot look up `{host}`: {error}") from error
    _asked[host, port] = answer
    return answer


def _ask(host: str, port: int, answer: "Future[list[Address]]") -> None:
    found: list[Address] | OSError
    try:
        told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = [(int(family), *_place(address)) for family, _, _, _, address in told]
    except OSError as error:
        found = error
    except UnicodeError as error:
        found = OSError(f"`{host}` is no host name: {error}")
    with _lock:  # whoever has begun holds it until this is in there
        del _asked[host, port]
    if isinstance(found, OSError):
        answer.set_exception(found)
    else:
        answer.set_result(found)


def _place(address: tuple[object, ...]) -> tuple[str, int]:
    """With the interface that a link-local address of IPv6 holds on."""
    host, port, *more = cast("tuple[str, int, int, int]", address)
    return f"{host}%{more[1]}" if more and more[1] else host, port
