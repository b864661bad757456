"""Both engines side by side. Without the native kernel there is nothing to compare, and the suite says so."""

from types import ModuleType

import pytest
from hypothesis import HealthCheck, settings

from tailrace.batch import reference
from tests.conftest import native_kernel

settings.register_profile("parity", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
settings.load_profile("parity")


@pytest.fixture(scope="session")
def kernel() -> ModuleType:
    return native_kernel()


@pytest.fixture(scope="session")
def engines(kernel: ModuleType) -> tuple[ModuleType, ModuleType]:
    return kernel, reference
