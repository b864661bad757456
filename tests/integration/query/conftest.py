from collections.abc import Iterator

import pytest

from tests.integration.query.logs import EngineThread


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineThread]:
    """One storage engine for all tests here; each makes tables of its own in it."""
    thread = EngineThread(tmp_path_factory.mktemp("engine"))
    yield thread
    thread.close()
