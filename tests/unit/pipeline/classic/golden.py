"""Classic configs with the events that the manual promises for a sample log: files in `golden/`, written by hand.

A file holds blocks, each with a title, a config, a sample and its events:

    === title of the case
    {"logType": …}                    inputDetail without logPath and filePattern, JSON
    --- log
    the lines of the file, as they stand there; \\xHH, \\t, \\0 and \\\\ as in Python
    --- events
    {"field": "value", …}             one JSON object per event; `__time__` in seconds, where the config sets it
    --- dropped 2                     optional: how many events were dropped because they could not be parsed
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "golden"
PATH = "/var/log/app/web.log"


@dataclass
class Golden:
    title: str
    detail: dict[str, Any]
    log: bytes
    events: list[dict[str, str]]
    dropped: int = 0

    def config(self) -> dict[str, Any]:
        detail = {"logPath": "/var/log/app", "filePattern": "*.log", **self.detail}
        return {
            "configName": "golden",
            "inputType": "file",
            "inputDetail": detail,
            "outputType": "LogService",
            "outputDetail": {"projectName": "p-golden", "logstoreName": "l", "endpoint": "http://127.0.0.1:9480"},
        }


def cases() -> Iterator[Golden]:
    for file in sorted(DIRECTORY.glob("*.txt")):
        for block in re.split(r"^=== ", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            yield _case(file.stem, block)


def _case(mode: str, block: str) -> Golden:
    head, log, rest = re.split(r"^--- (?:log|events)\n", block, flags=re.MULTILINE)
    title, _, detail = head.partition("\n")
    events, _, dropped = rest.partition("--- dropped ")
    data = re.sub(rb"\\(x[0-9a-fA-F]{2}|t|0|\\)", _unescape, log.encode())
    return Golden(
        f"{mode}: {title}", json.loads(detail), data, [json.loads(line) for line in events.splitlines() if line], int(dropped or 0)
    )


def _unescape(match: "re.Match[bytes]") -> bytes:
    word = match[1].decode()
    return {"t": b"\t", "0": b"\0", "\\": b"\\"}.get(word) or bytes([int(word[1:], 16)])
