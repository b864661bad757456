"""Schemathesis (`make setup-peers`) asks every operation of the served OpenAPI whatever it thinks of: none of it is an error of ours."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.integration.server.people import log_in, make_user

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv" / "peers" / "schemathesis" / "bin" / "schemathesis"
LEFT_OUT = {
    ("POST", "/backup"): "it writes wherever it is told to",
    ("GET", "/projects/{project}/logstores/{logstore}/tail/stream"): "its answer does not end",
    ("DELETE", "/sessions/current"): "the rest would be asked by nobody",
}


def must_find_nothing(server: RunningServer, directory: Path, *, phases: str, examples: int, seconds: int, seed: int) -> None:
    """With the project and the logstore that there are, so that it gets past the first look at them."""
    project = server.fresh_name("fuzzed")
    server.make_logstore(project, "access", {"line": {"token": [" "]}, "keys": {"status": {"type": "long"}}})
    token = log_in(server, make_user(server, {"*": "admin"})).json()["token"]
    operations = "".join(f'[[operations]]\ninclude-name = "{method} {path}"\nenabled = false\n' for method, path in LEFT_OUT)
    (directory / "schemathesis.toml").write_text(f'{operations}\n[parameters]\nproject = "{project}"\nlogstore = "access"\n')
    words = [PROGRAM, "--config-file", directory / "schemathesis.toml", "run", f"{server.endpoint}/api/v1/openapi.json"]
    words += ["--url", f"{server.endpoint}/api/v1", "--checks", "not_a_server_error", "--phases", phases]
    words += ["--max-examples", str(examples), "--seed", str(seed), "--header", f"Authorization: Bearer {token}"]
    words += ["--request-timeout", "30", "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all", "--no-color"]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]


@pytest.mark.timeout(300)
def test_no_operation_fails_on_what_it_is_asked(server: RunningServer, tmp_path: Path) -> None:
    must_find_nothing(server, tmp_path, phases="fuzzing", examples=5, seconds=280, seed=1)
    assert server.request("GET", "/").status == 200


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(3))
def test_no_operation_fails_on_much_of_it(server: RunningServer, tmp_path: Path, seed: int) -> None:
    must_find_nothing(server, tmp_path, phases="examples,coverage,fuzzing", examples=200, seconds=3500, seed=seed)
    assert server.request("GET", "/").status == 200
