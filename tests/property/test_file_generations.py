"""Whatever happens to a file, in whatever order: each line that could be read comes once, in order and whole."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.property.file_model import World, remove


class FileLife(RuleBasedStateMachine):
    pattern = "x.log"

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="generations"))
        self.world = World(self.directory, self.pattern)

    @rule(count=st.integers(1, 40), header=st.booleans(), partial=st.booleans())
    def write(self, count: int, header: bool, partial: bool) -> None:
        self.world.write(count, header=header, partial=partial)

    @rule(create=st.booleans())
    def rename(self, create: bool) -> None:
        self.world.rename(create=create)

    @rule()
    def copytruncate(self) -> None:
        self.world.copytruncate()

    @rule()
    def truncate(self) -> None:
        self.world.truncate()

    @rule(index=st.integers(0, 3))
    def compress(self, index: int) -> None:
        self.world.compress(index)

    @rule()
    def delete_live(self) -> None:
        self.world.delete_live()

    @rule()
    def delete_oldest(self) -> None:
        self.world.delete_oldest()

    @rule()
    def look(self) -> None:
        self.world.look()

    @rule()
    def scan(self) -> None:
        self.world.scan()

    @rule(turns=st.integers(1, 5))
    def read(self, turns: int) -> None:
        self.world.read(turns)

    @rule()
    def sweep(self) -> None:
        self.world.sweep()

    @rule()
    def restart(self) -> None:
        self.world.stop()
        self.world.start()

    @rule()
    def stop(self) -> None:
        self.world.stop()

    @rule()
    def start(self) -> None:
        self.world.start()

    @invariant()
    def nothing_twice(self) -> None:
        contents = [line for line in self.world.contents if not line.startswith(b"#")]
        assert len(contents) == len(set(contents))

    def teardown(self) -> None:
        try:
            self.world.settle()
            self.world.verify()
        finally:
            self.world.stop()
            remove(self.directory)


class FileLifeOfAllNames(FileLife):
    pattern = "x.log*"


@pytest.mark.parametrize("machine", [FileLife, FileLifeOfAllNames])
def test_every_line_once_whatever_happens_short_form(machine: type[FileLife]) -> None:
    verify_lives(machine, examples=40, steps=40, seed=True)


@pytest.mark.long
@pytest.mark.parametrize("machine", [FileLife, FileLifeOfAllNames])
def test_every_line_once_in_a_hundred_thousand_steps(machine: type[FileLife]) -> None:
    verify_lives(machine, examples=1200, steps=50)


def verify_lives(machine: type[FileLife], *, examples: int, steps: int, seed: bool = False) -> None:
    """`seed`: the same examples each time. A failing one is not made smaller then: that takes minutes."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    phases = [Phase.generate] if seed else list(Phase)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks, derandomize=seed, phases=phases
        ),
    )
