"""Which engine is chosen, and what is said of one that does not fit."""

import os
import subprocess
import sys


def imported(tmp_path, kernel, **environment):
    (tmp_path / "tailrace_kernel.py").write_text(kernel)
    command = [sys.executable, "-m", "tailrace.cli.main", "plugin", "list"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "TAILRACE_PURE": "", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)


def test_an_older_kernel_is_named_and_not_passed_over(tmp_path):
    for kernel in ("__version__ = '0.1.0'", "class RecordRule: __text_signature__ = '(start=None, more=None, end=None)'"):
        done = imported(tmp_path, kernel)
        assert done.returncode == 1
        assert done.stderr.startswith("error: the native kernel is older than this release\nhint: run `make kernel`"), done.stderr


def test_the_twin_is_there_on_demand_whatever_kernel_is_installed(tmp_path):
    assert imported(tmp_path, "", TAILRACE_PURE="1").returncode == 0
