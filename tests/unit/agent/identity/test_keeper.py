"""What follows when an agent has joined something: the greatest of all that has changed, once."""

from pathlib import Path

import pytest

from tailrace.agent.identity import keeper as keepers
from tailrace.agent.identity.boot import Boot
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.agent.identity.keeper import KeyKeeper

ADDRESS = "https://logs.example.org:9481"


def joining(identity: AgentIdentity, secret: Path, address: str, token: str, *, invitation: str = "") -> Enrolment:
    """As a server would have it whose tokens are `project:its id`."""
    project, server = token.split(":")
    enrolment = Enrolment(address, project, [], "", "", server=server)
    identity.add(enrolment)
    identity.taken = [*identity.taken, invitation]
    return enrolment


@pytest.fixture
def followed() -> list[str]:
    """What the keeper has called."""
    return []


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, followed: list[str]) -> KeyKeeper:
    """Of an agent that writes to `shop`."""
    for name in ("join", "join_anew"):
        monkeypatch.setattr(keepers, name, joining)
    (tmp_path / "users").mkdir()
    identity = AgentIdentity("a" * 32, [Enrolment(ADDRESS, "shop", [], "", "", server="one")])
    told = {name: lambda name=name: followed.append(name) for name in ("renamed", "widened", "moved")}
    return KeyKeeper(identity, tmp_path, Boot("b" * 32, (), "m", "h"), **told)


def test_a_project_that_is_reached_in_another_way_is_not_forgotten_for_one_that_came_before(
    tmp_path: Path, keeper: KeyKeeper, followed: list[str]
) -> None:
    keeper.enrol(ADDRESS, "another:one")
    (tmp_path / "users" / "shop").write_text(f"{ADDRESS} shop:two")
    keeper.round()
    keeper.round()
    assert followed == ["moved"]


def test_another_id_is_not_forgotten_for_what_follows_it(keeper: KeyKeeper, followed: list[str]) -> None:
    keeper.enrol(ADDRESS, "shop:one", new_id=True)
    keeper.enrol(ADDRESS, "shop:two")
    keeper.enrol(ADDRESS, "another:two")
    keeper.round()
    keeper.round()
    assert followed == ["renamed"]


def test_one_more_project_is_taken_on_beside_the_others(keeper: KeyKeeper, followed: list[str]) -> None:
    keeper.enrol(ADDRESS, "another:one")
    keeper.round()
    assert followed == ["widened"]
