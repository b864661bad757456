"""Both engines side by side. Without the native kernel there is nothing to compare, and the suite says so."""

from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from tailrace.batch import reference

settings.register_profile("parity", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
settings.load_profile("parity")


@pytest.fixture(scope="session")
def kernel() -> ModuleType:
    return pytest.importorskip("tailrace_kernel", reason="the native kernel is not installed: `make kernel` builds it")


@pytest.fixture(scope="session")
def engines(kernel: ModuleType) -> tuple[ModuleType, ModuleType]:
    return kernel, reference
