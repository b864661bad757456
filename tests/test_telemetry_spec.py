"""docs/specs/telemetry.md lists every metric, and every metric keeps to the form of a name."""

import ast
import re
from pathlib import Path

from tests.source_tree import PACKAGE, ROOT, modules, parsed

SPEC = ROOT / "docs" / "specs" / "telemetry.md"
FORM = re.compile(r"tailrace_[a-z]+(_[a-z0-9]+)+")
UNITS = ("_total", "_bytes", "_seconds", "_rows", "_events", "_streams", "_state")
NOT_METRICS = {"tailrace_kernel"}


def metrics() -> dict[str, Path]:
    """Every text in the product that has the form of a metric's name → its file."""
    return {
        node.value: path
        for path in modules()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and FORM.fullmatch(node.value) and node.value not in NOT_METRICS
    }


def specified() -> set[str]:
    return set(re.findall(r"^\| `(tailrace_\w+)`", SPEC.read_text(), re.MULTILINE))


def test_every_metric_is_specified():
    assert {name: str(path.relative_to(PACKAGE)) for name, path in metrics().items() if name not in specified()} == {}


def test_the_spec_names_no_metric_that_is_gone():
    assert specified() - set(metrics()) == set()


def test_names_end_in_a_unit():
    assert [name for name in metrics() if not name.endswith(UNITS)] == []
