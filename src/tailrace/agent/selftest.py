"""Whether this release works on this machine at all: a worker of its own collects a few lines from a file into a file, in a home that is
thrown away.

An upgrade asks this of a new version before it becomes the current one. No server takes part: one that is away says nothing about a
release.
"""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from tailrace.agent.worker import Worker
from tailrace.errors import StateError
from tailrace.pipeline.loading import load_text

OUT: Final = "home/out/lines"
LINES: Final = [b"%d self-test" % number for number in range(1000)]


def self_test() -> None:
    """StateError, saying what, when lines do not come out as they went in; whatever the worker raises itself."""
    with tempfile.TemporaryDirectory(prefix="tailrace-self-test-") as name:
        directory = Path(name)
        (directory / "in.log").write_bytes(b"\n".join(LINES) + b"\n")
        pipeline = load_text(json.dumps(_pipeline(directory)), "self-test")
        code = Worker(directory / "home", [pipeline], finite=True).run()
        came = sorted(int(json.loads(line)["number"]) for line in (directory / OUT).read_text().splitlines())
    if code or came != list(range(len(LINES))):
        raise StateError(f"the self-test failed: {len(came)} of {len(LINES)} lines came out", hint="keep the present version")


def _pipeline(directory: Path) -> dict[str, Any]:
    return {
        "inputs": [{"Type": "input_file", "FilePaths": [f"{directory}/in.log"], "TailingAllMatchedFiles": True}],
        "processors": [
            {"Type": "processor_parse_regex_native", "SourceKey": "content", "Regex": r"(\d+) (\S+)", "Keys": ["number", "word"]},
        ],
        "flushers": [{"Type": "flusher_file", "FilePath": f"{directory}/{OUT}"}],
    }
