"""A release that does not work is left for the last one that did, and nothing is lost."""

import sys
from pathlib import Path

import pytest

from tests.faults.supervised import SupervisedAgent

pytestmark = pytest.mark.timeout(180)

GOOD = f'exec "{sys.executable}" -m tailrace.cli.agent.worker "$@"'
BROKEN = {
    "ends at once": "exit 7",
    "dies": "kill -SEGV $$",
    "is nothing that runs": "\x7fELF",
    "speaks another form": f"""exec "{sys.executable}" -c '
import socket, sys
channel = socket.socket(fileno=int(sys.argv[2]))
channel.send(b"{{\\"kind\\": \\"hello\\", \\"form\\": 0}}")
channel.recv(65536)' "$@\"""",
    "talks nonsense": f"""exec "{sys.executable}" -c '
import json, socket, sys
channel = socket.socket(fileno=int(sys.argv[2]))
channel.send(json.dumps(dict(kind="hello", form=1)).encode())
channel.recv(65536)
for beat in (dict(parts=[7]), dict(cpu_limit="much"), dict(hang_secs=[])):
    channel.send(json.dumps(dict(kind="beat", **beat)).encode())
for kind in ("keep", "let_go", "refused", "what"):
    channel.send(json.dumps(dict(kind=kind, exit="soon")).encode())
channel.send(b"[" * 60000)
raise SystemExit(9)' "$@\"""",
}


def install(home: Path, version: str, script: str) -> None:
    worker = home / "versions" / version / "bin" / "tailrace-worker"
    worker.parent.mkdir(parents=True)
    worker.write_text(script if script.startswith("\x7f") else f"#!/bin/sh\n{script}\n")
    worker.chmod(0o755)


@pytest.mark.parametrize("how", [pytest.param("dies"), *(pytest.param(how, marks=pytest.mark.long) for how in BROKEN if how != "dies")])
def test_a_broken_version_is_left_for_the_last_good_one(tmp_path: Path, how: str):
    with SupervisedAgent(tmp_path) as agent:
        install(agent.home, "1.0", GOOD)
        install(agent.home, "2.0", BROKEN[how])
        (agent.home / "last-good").write_text("1.0\n")
        (agent.home / "current").symlink_to("versions/2.0")
        agent.write(0, 100)
        agent.start()
        agent.wait_for_lines(100)
        assert sorted(agent.found()) == list(range(100))
        assert (agent.home / "current").readlink() == Path("versions/1.0")
        log = (agent.home / "logs" / "agent.log").read_text()
        assert '"kind": "BINARY_UPDATE_ALARM"' in log
        assert '"left": "2.0", "version": "1.0"' in log
