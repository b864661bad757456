"""A thread beside the work: whatever goes wrong in it ends only itself, for a while, and never what the agent collects.

Any other thread whose end is an error ends the session, because nothing may go on half alive. What collects nothing, may: it tells how
the agent is, or does what a server asks for.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from tailrace import telemetry
from tailrace.errors import ConfigError, TailraceError

PAUSE_SECS: Final = 10.0
"""Before it begins again: a mistake that comes at once each time costs next to nothing."""


@contextmanager
def bystander(name: str, work: Callable[[threading.Event], None], *, waits: bool = True) -> Generator[None]:
    """Within it `work` runs, which returns when its event is set. Unless `waits`, it may come to its end later, or never."""
    over = threading.Event()
    thread = threading.Thread(target=_again_and_again, args=(name, work, over), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        if waits:
            thread.join()


@contextmanager
def foreign(*, lets: type[Exception] | tuple[()] = (), **whose: str) -> Generator[None]:
    """Around code of plugins, which may be anybody's: what it fails by is a ConfigError, so that its pipeline is set aside and no other.
    Our own errors come through as they are, and so does what is in `lets`. `whose` (`pipeline=…`, `target=…`) is for the log."""
    try:
        yield
    except TailraceError:
        raise
    except lets:
        raise
    except Exception as error:
        telemetry.logger("agent").error("a plugin failed", **whose, exc_info=True)
        raise ConfigError(f"a plugin of the pipeline failed: {type(error).__name__}: {error}", hint="the agent's log says where") from error


def _again_and_again(name: str, work: Callable[[threading.Event], None], over: threading.Event) -> None:
    while not over.is_set():
        try:
            work(over)
        except Exception:  # noqa: BLE001 - whatever it is, it is not worth a line that is not collected
            telemetry.logger("agent").error(
                "a part that collects nothing failed, and begins again",
                part=name,
                exc_info=True,
            )
            over.wait(PAUSE_SECS)
