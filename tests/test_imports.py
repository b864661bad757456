"""Who may import whom: the base knows nobody above it, agent and server do not know each other, the OS stands behind one port."""

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.source_tree import PACKAGE, dotted, imports, modules, parsed

BASE = ("errors", "batch", "pipeline", "wire", "telemetry", "journal")
PLUGINS = ("inputs", "processors", "aggregators", "flushers")

# part → parts of ours that it may import, lazily or not
ALLOWED: dict[str, tuple[str, ...]] = {
    "errors": (),
    "telemetry": ("errors",),
    "journal": ("errors", "telemetry"),
    "batch": ("errors",),
    "wire": ("errors", "batch", "telemetry"),
    "pipeline": ("errors", "batch", "wire", "telemetry"),
    **dict.fromkeys(PLUGINS, BASE),
    "agent": (*BASE, *PLUGINS),
    "server": (*BASE, *PLUGINS),
    "console": ("errors", "telemetry"),
    "testing": (*BASE, *PLUGINS, "server"),
    "cli": (*BASE, *PLUGINS, "agent", "server", "console", "testing"),
}

OS_ONLY = {"fcntl", "pwd", "grp", "resource", "inotify_simple", "termios"}
OS_CALLS = {"fork", "forkpty", "setuid", "setgid", "posix_fadvise"}
SERVER_LIBRARIES = {"fastapi", "starlette", "uvicorn", "sqlalchemy", "alembic", "chdb", "nicegui", "sqlglot", "pyarrow"}


def part_of(name: str) -> str:
    return name.split(".")[1] if name.count(".") else ""


def own_imports():
    for path in modules():
        for line, name, at_load in imports(path):
            if name.startswith("tailrace.") and part_of(name) != "__version__":
                yield path, line, name, at_load


def test_each_part_imports_only_what_stands_below_it():
    wrong = []
    for path, line, name, _ in own_imports():
        part, other = part_of(dotted(path)), part_of(name)
        if part and other != part and other not in ALLOWED[part]:
            wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert wrong == []


def test_the_cli_imports_parts_only_inside_a_command():
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {name} at load"
        for path, line, name, at_load in own_imports()
        if part_of(dotted(path)) == "cli" and at_load and part_of(name) in (*PLUGINS, "agent", "server", "console", "testing")
    ]
    assert wrong == []


def test_modules_do_not_import_each_other_in_circles():
    known = {dotted(path) for path in modules()}
    graph: dict[str, set[str]] = {name: set() for name in known}
    for path, _, name, at_load in own_imports():
        target = name if name in known else name.rpartition(".")[0]
        if at_load and target in known and target != dotted(path):
            graph[dotted(path)].add(target)
    assert circle(graph) == []


def circle(graph: dict[str, set[str]]) -> list[str]:
    """One circle as a path, or nothing. A package whose `__init__` offers names of its modules is no circle: they do not need it back."""
    done: set[str] = set()

    def walk(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph[name]):
            if found := walk(target, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_what_differs_by_operating_system_stands_behind_the_platform_port():
    wrong = []
    for path in modules():
        if path.is_relative_to(PACKAGE / "agent" / "platform"):
            continue
        wrong += [
            f"{path.relative_to(PACKAGE)}:{line} imports {name}"
            for line, name, _ in imports(path)
            if name.split(".")[0] in OS_ONLY or name in {f"os.{call}" for call in OS_CALLS}
        ]
        wrong += [
            f"{path.relative_to(PACKAGE)}:{node.lineno} uses os.{node.attr}"
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Attribute) and node.attr in OS_CALLS and isinstance(node.value, ast.Name) and node.value.id == "os"
        ]
    assert wrong == []


def test_the_agent_reads_no_process_directory_outside_the_platform_port():
    """The server has its own ways on Linux (store/block_file.py), and never runs elsewhere without them."""
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno} names {node.value}"
        for path in modules()
        if part_of(dotted(path)) in ("agent", "cli", *PLUGINS) and not path.is_relative_to(PACKAGE / "agent" / "platform")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("/proc/")
    ]
    assert wrong == []


def modules_after(statement: str, *, whole_names: bool = False) -> set[str]:
    """The modules that a fresh interpreter holds after `statement`; only their first names, or whole ones."""
    name = "name" if whole_names else "name.split('.')[0]"
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted({{{name} for name in sys.modules}})))"
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def agent_modules() -> str:
    names = [dotted(path) for path in modules() if part_of(dotted(path)) in ("agent", *PLUGINS)]
    return f"import {', '.join(names)}"


def test_an_agent_loads_nothing_of_the_server():
    loaded = modules_after(agent_modules())
    assert "tailrace" in loaded
    assert loaded & SERVER_LIBRARIES == set()


def test_a_worker_loads_a_part_when_a_pipeline_needs_it():
    parts = (
        "tailrace.processors",
        "tailrace.flushers.",
        "tailrace.inputs.static_file",
        "tailrace.pipeline.classic.",
        "tailrace.agent.jobs.importing",
    )
    loaded = modules_after("import tailrace.agent.worker, tailrace.pipeline.loading", whole_names=True)
    assert "tailrace.agent.session" in loaded
    assert [name for name in sorted(loaded) if name.startswith(parts)] == []


def test_the_supervisor_is_small():
    heavy = {"pydantic", "structlog", "prometheus_client", "cyclopts", "asyncio", "psutil", "yaml", "ctypes", "tailrace_kernel"}
    assert modules_after("import tailrace.agent.supervisor.__main__, tailrace.agent.platform.linux_process") & heavy == set()


@pytest.mark.parametrize("statement", ["import tailrace.cli.main", "import tailrace.telemetry"])
def test_the_front_door_is_light(statement: str):
    assert modules_after(statement) & (SERVER_LIBRARIES | {"aiohttp", "tailrace_kernel"}) == set()
