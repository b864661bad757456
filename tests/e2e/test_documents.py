"""What the documents tell a reader to do, done: their Python programs, their queries, their nginx pipeline."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.first_run import TAILRACE, Up
from tests.source_tree import ROOT

HOWTO = ROOT / "docs" / "howto"
NGINX_LINES = (
    '10.0.0.1 - - [22/Nov/2026:10:00:00 +0000] "GET /index.html HTTP/1.1" 200 512 "-" "curl/8.5"\n'
    '10.0.0.2 - alice [22/Nov/2026:10:00:01 +0000] "POST /login HTTP/1.1" 502 0 "https://example.org/" "Mozilla/5.0 (X11)"\n'
    "not an access log line\n"
)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def reader(running: Up, tmp_path: Path) -> dict[str, str]:
    """The environment of someone whose `~/.tailrace` is the running home."""
    (tmp_path / ".tailrace").symlink_to(running.home)
    return {**os.environ, "HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("page", sorted(page.name for page in HOWTO.glob("*.md") if "```python" in page.read_text()))
def test_programs_run(page: str, reader: dict[str, str]):
    for program in blocks(HOWTO / page, "python"):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=reader, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


def test_the_sdk_program_finds_what_it_wrote(reader: dict[str, str]):
    (program,) = blocks(HOWTO / "python-sdk.md", "python")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=reader, timeout=60, check=False)
    assert "hello from the SDK" in done.stdout


def test_the_nginx_pipeline_names_the_fields(tmp_path: Path):
    config = blocks(HOWTO / "collect-nginx.md", "yaml")[-1]
    (tmp_path / "nginx.yaml").write_text(config)
    command = [*TAILRACE, "parse", "--config", str(tmp_path / "nginx.yaml"), "--output", "json"]
    done = subprocess.run(command, input=NGINX_LINES, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in (0, 4), done.stderr
    for value in ('"status": "502"', '"url": "/login"', '"agent": "Mozilla/5.0 (X11)"', "not an access log line"):
        assert value in done.stdout


def queries() -> list[str]:
    pages = [ROOT / "docs" / "tutorial" / "first-logs.md", ROOT / "README.md"]
    lines = [line for page in pages for block in blocks(page, "sh") for line in block.splitlines()]
    return [line.removeprefix(".venv/bin/") for line in lines if line.startswith(".venv/bin/tailrace query")]


@pytest.mark.parametrize("line", queries())
def test_queries_are_answered(line: str, reader: dict[str, str]):
    done = subprocess.run(shlex.split(line), capture_output=True, text=True, env=reader, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
