"""Any bytes in, no crash; and both engines make the same of them, in every processor that there is."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace.batch import EventBatch
from tests.source_tree import ROOT
from tests.unit.processors.hostile_bytes import KEYS, SCRAPS, configured, outcome

VALUES = st.lists(st.sampled_from(SCRAPS) | st.binary(max_size=8), max_size=10).map(b"".join)
EVENTS = st.lists(st.tuples(st.integers(0, 2**63 - 1), st.lists(st.tuples(st.sampled_from(KEYS) | VALUES, VALUES), max_size=4)), max_size=4)
CONFIGURED = list(configured())
# What depends on the wall clock or on chance is no matter of the engine.
ITS_OWN = {"processor_rate_limit", "processor_encrypt"}


@pytest.mark.parametrize(("entry", "config"), CONFIGURED, ids=[f"{entry.type}-{index}" for index, (entry, _) in enumerate(CONFIGURED)])
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=EVENTS, block=VALUES)
def test_no_processor_fails_on_any_bytes_or_loses_an_event(entry, config, events, block):
    for batch in (EventBatch.from_events(events), EventBatch.split_lines(block)):
        before = len(batch)
        made, counter = outcome(entry, config, batch)
        assert made.encode().events == len(made)
        assert len(made) + counter.counted() >= before, "an event that is not there was counted"


def told_by(engine: str) -> list[str]:
    command = [sys.executable, "-m", "tests.unit.processors.hostile_bytes", "7", "15"]
    environment = {**os.environ, "TAILRACE_PURE": engine, "PYTHONHASHSEED": "0", "TZ": "UTC"}
    return json.loads(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True).stdout)


def test_both_engines_make_the_same_of_any_bytes():
    native, twin = told_by("0"), told_by("1")
    differing = [(ours, theirs) for ours, theirs in zip(native, twin, strict=True) if ours != theirs]
    assert [pair for pair in differing if not any(name in pair[0] for name in ITS_OWN)] == []
