"""The agent's local control: a socket in `HOME/run` that only its owner can open, for `tailrace agent status`, `import` and the like.

One question per connection, as one line of JSON, `{"ask": NAME, …}`; the answer is lines of JSON, closed by `{"done": true}` or by
`{"error": …, "hint": …}`. Nothing here reaches the network, and nothing here can make the agent read what its policy forbids.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from tailrace import telemetry
from tailrace.agent.platform.descriptors import name_of
from tailrace.errors import StateError, TailraceError, UnreachableError, UsageError

NAME: Final = "agent.sock"
MAX_QUESTION_BYTES: Final = 65_536
MAX_CONNECTIONS: Final = 8
PATIENCE_SECS: Final = 10.0
MAX_PATH: Final = 100
"""The system allows 107 bytes for a socket's path; longer ones go through the directory's handle."""

Answer = Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]
"""Runs on a thread. TailraceError becomes an error of the answer."""


@asynccontextmanager
async def serving(directory: Path, answers: Mapping[str, Answer]) -> AsyncGenerator[None]:
    """Within it questions are answered on `directory/agent.sock`. Where no socket can be made, the agent works without one and says so."""
    slots = asyncio.Semaphore(MAX_CONNECTIONS)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with slots:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                async with asyncio.timeout(PATIENCE_SECS):
                    question = await reader.readuntil()
                for line in await asyncio.to_thread(_answer, question, answers):
                    writer.write(line)
                async with asyncio.timeout(PATIENCE_SECS):
                    await writer.drain()
        writer.close()

    try:
        listening = _listen(directory)
    except OSError as error:
        reason = error.strerror or str(error)
        telemetry.logger("agent.local").warning("no local socket; `tailrace agent status` shows the last state", reason=reason)
        yield
        return
    server = await asyncio.start_unix_server(connected, sock=listening, limit=MAX_QUESTION_BYTES)
    try:
        yield
    finally:
        server.close()
        (directory / NAME).unlink(missing_ok=True)


def ask(directory: Path, question: Mapping[str, Any], *, timeout: float = PATIENCE_SECS) -> list[dict[str, Any]]:
    """The answer of the agent that runs on this home. UnreachableError when there is none; its own errors as UsageError or StateError, and
    StateError when it does not answer in time (seconds): then there is one."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _reachable(directory) as path:
            connection.settimeout(timeout)
            connection.connect(path)
            connection.sendall(json.dumps(question).encode() + b"\n")
            with connection.makefile("rb") as file:
                lines = [json.loads(line) for line in file]
    except TimeoutError as error:
        raise StateError(
            f"the agent in `{directory}` has not answered for {timeout:.0f} s",
            hint="it is busy, or stopped in the middle; ask again in a while",
        ) from error
    except (OSError, ValueError) as error:
        raise UnreachableError(f"no agent answers in `{directory}`: {error}", hint="start it, or name its home with `--home`") from error
    last = lines.pop() if lines else {}
    if "error" in last:
        kind = UsageError if last.get("kind") == "usage" else StateError
        raise kind(str(last["error"]), hint=str(last.get("hint", "")))
    if not last.get("done"):
        raise UnreachableError(f"the agent in `{directory}` ended while it answered", hint="ask again")
    return lines


def _answer(question: bytes, answers: Mapping[str, Answer]) -> Iterator[bytes]:
    """Everything is made before the first line is sent: what fails, fails as a whole."""
    lines: list[Mapping[str, Any]] = []
    try:
        asked = json.loads(question)
        name = str(asked.get("ask")) if isinstance(asked, dict) else ""
        if name not in answers:
            raise UsageError(f"this agent does not know the question `{name}`", hint="use the `tailrace` of the same release")
        lines += answers[name](asked)
        lines.append({"done": True})
    except (ValueError, TypeError, OverflowError):
        lines = [{"error": "the question cannot be understood", "kind": "usage"}]
    except TailraceError as error:
        lines = [{"error": error.message, "hint": error.hint, "kind": "usage" if isinstance(error, UsageError) else "state"}]
    return (json.dumps(line).encode() + b"\n" for line in lines)


def _listen(directory: Path) -> socket.socket:
    """Who sees it by its name can connect already."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = directory / f"{NAME}.new"
    for left in (fresh, directory / NAME):
        left.unlink(missing_ok=True)  # this process has the home's lock: whose it was is gone
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _reachable(directory) as path:
            os.fchmod(listening.fileno(), 0o600)  # before it has a name
            listening.bind(f"{path}.new")
        fresh.chmod(0o600)
        listening.listen()
        fresh.replace(directory / NAME)
    except OSError:
        listening.close()
        raise
    return listening


@contextmanager
def _reachable(directory: Path) -> Generator[str]:
    """The socket's path, in a form short enough for the system."""
    path = str(directory / NAME)
    if len(os.fsencode(path)) <= MAX_PATH:
        yield path
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"{name_of(handle)}/{NAME}"
    finally:
        os.close(handle)
