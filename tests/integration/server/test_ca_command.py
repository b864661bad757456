"""`tailrace ca`, and commands over TLS: the server's home, a file, or nothing says which authority is the right one."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import RunningServer, running_server


def tailrace(server: RunningServer, *words: str, endpoint: str, home: Path) -> subprocess.CompletedProcess[str]:
    key = {"TAILRACE_KEY_ID": server.key_id, "TAILRACE_KEY_SECRET": server.key_secret}
    command = [sys.executable, "-m", "tailrace.cli.main", *words, "--home", str(home), "--endpoint", endpoint]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **key})


def test_commands_know_the_server_by_its_roots_before_and_after_a_rotation(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "server.yaml").write_text(json.dumps({"ca_overlap_secs": 2, "certificate_secs": 6}))
    with running_server(home) as server:
        secure, elsewhere = f"https://127.0.0.1:{server.tls_port}", tmp_path / "elsewhere"
        shown = tailrace(server, "ca", "show", "--pem", endpoint=secure, home=home)
        assert (shown.returncode, shown.stdout) == (0, (home / "ca.pem").read_text()), shown.stderr
        unknown = tailrace(server, "ca", "show", endpoint=secure, home=elsewhere)
        assert unknown.returncode == 3
        assert "is of an authority that is not known here" in unknown.stderr
        assert "`--ca FILE`" in unknown.stderr
        rotated = tailrace(server, "ca", "rotate", "--output", "json", endpoint=secure, home=home)
        assert [json.loads(line)["state"] for line in rotated.stdout.splitlines()] == ["signs", "next"]
        before = tmp_path / "before.pem"
        before.write_text(shown.stdout)
        both = (home / "ca.pem").read_text()
        assert both.startswith(shown.stdout)
        assert both.count("BEGIN CERTIFICATE") == 2
        named = tailrace(server, "agent", "token", "list", "--ca", str(before), endpoint=secure, home=elsewhere)
        assert named.returncode == 0, named.stderr
