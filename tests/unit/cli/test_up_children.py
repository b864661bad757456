"""Children of `tailrace up` run, stop when asked, come back when they fall, and end when their parent does."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tailrace.cli.up import children
from tailrace.cli.up.children import Child, of_tailrace


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_child_that_fails_at_once_gives_its_own_error_and_hint():
    child = Child("server", of_tailrace(["nonsense"]), report=lambda _: None)
    child.start()
    assert until(lambda: child.exit_code is not None)
    error = child.fail()
    assert error.message == "unknown command `nonsense`"
    assert error.hint.startswith("the commands are `")


def test_a_child_that_ended_is_reported_and_starts_again_after_a_pause(monkeypatch):
    monkeypatch.setattr(children, "FIRST_PAUSE_SECS", 0.05)
    reports: list[str] = []
    child = Child("agent", of_tailrace(["nonsense"]), report=reports.append)
    child.start()
    first = child.pid

    def watched() -> bool:
        child.watch()
        return child.pid != first

    assert until(watched)
    assert "the agent ended (exit code 2); it starts again in" in reports[0]
    assert "unknown command" in reports[0]
    child.ask_to_stop()
    child.wait()


def test_pauses_grow(monkeypatch):
    monkeypatch.setattr(children, "FIRST_PAUSE_SECS", 0.05)
    reports: list[str] = []
    child = Child("agent", of_tailrace(["nonsense"]), report=reports.append)
    child.start()

    def watched() -> bool:
        child.watch()
        return len(reports) == 3

    assert until(watched)
    assert child._pause == 0.05 * 8
    child.ask_to_stop()
    child.wait()


PARENT = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdin=subprocess.PIPE, start_new_session=True)
    print(child.pid, flush=True)
    time.sleep(60)
"""
CHILD = """
    import time
    from tailrace.cli.up.child import stop_with_parent
    stop_with_parent(open(0, "rb", buffering=0, closefd=False))
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path):
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PARENT), textwrap.dedent(CHILD)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "ready\n"
    child = psutil.Process(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
