"""A rival: another program that does the same work beside ours, named by `--rival COMMAND`. One convention for all benches.

The command is split like a shell does; `{file}`, `{port}`, `{folder}` and `{format}` in it are replaced where a bench has them. Programs are
rarely made for that, so it is mostly a small script around one.

- A rival that is *run* (`agent.py`, `ingest.py`, `kernel.py`) does the work once per round and ends when it is all done, with exit code 0.
  The last word that it prints is the number of events that it handled; another number than the right one ends the bench.
- A rival that is *asked* (`query.py`, `latency.py`) is started once. It reads one JSON object per line and answers each with one JSON object
  on one line. It ends when its standard input does. Its answers are compared like our own.
"""

import json
import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Run:
    """What one run of a rival used: seconds, and bytes of memory at its peak."""

    cpu: float
    wall: float
    rss: int


def words(command: str, **places: object) -> list[str]:
    """The command's words, its places filled."""
    filled = shlex.split(command)
    for name, value in places.items():
        filled = [word.replace(f"{{{name}}}", str(value)) for word in filled]
    return filled


def run(command: str, events: int, **places: object) -> Run:
    """Run it once; SystemExit when it fails or did not handle `events` events."""
    began = time.monotonic()
    process = subprocess.Popen(words(command, **places), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    printed = process.stdout.read().split()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"the rival `{command}` ended with {process.returncode}")
    if printed[-1:] != [str(events)]:
        raise SystemExit(f"the rival says `{' '.join(printed[-1:])}`: {events} events are right")
    return Run(used.ru_utime + used.ru_stime, time.monotonic() - began, used.ru_maxrss * 1024)


class Asked:
    """A rival at work."""

    def __init__(self, command: str, **places: object) -> None:
        self._process = subprocess.Popen(words(command, **places), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the rival ended with {self._process.wait()} when it was asked {question}")
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
