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
        answer = _asked.get((host, port))
        if answer is None:
            answer = _asked[host, port] = Future()
            answer.set_running_or_notify_cancel()  # who gives up waiting takes it from nobody else
            threading.Thread(target=_ask, args=(host, port, answer), name="names", daemon=True).start()
    return await asyncio.wrap_future(answer)


def _ask(host: str, port: int, answer: "Future[list[Address]]") -> None:
    found: list[Address] | OSError
    try:
        told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = [(int(family), *cast("tuple[str, int]", address[:2])) for family, _, _, _, address in told]
    except OSError as error:
        found = error
    except UnicodeError as error:
        found = OSError(f"`{host}` is no host name: {error}")
    with _lock:
        del _asked[host, port]
    if isinstance(found, OSError):
        answer.set_exception(found)
    else:
        answer.set_result(found)
