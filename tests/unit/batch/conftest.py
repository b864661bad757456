"""What the contract says holds for either engine; without the native kernel its half is skipped."""

import importlib
from types import ModuleType

import pytest

from tests.conftest import native_kernel


@pytest.fixture(params=["tailrace.batch.reference", "tailrace_kernel"])
def engine(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "tailrace_kernel":
        return native_kernel()
    return importlib.import_module(request.param)
