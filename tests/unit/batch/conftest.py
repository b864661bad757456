"""What the contract says holds for either engine; without the native kernel its half is skipped."""

import importlib
from types import ModuleType

import pytest


@pytest.fixture(params=["tailrace.batch.reference", "tailrace_kernel"])
def engine(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "tailrace_kernel":
        pytest.importorskip("tailrace_kernel", reason="the native kernel is not installed: `make kernel` builds it")
    return importlib.import_module(request.param)
