"""What follows when an agent has joined something: the greatest of all that has changed, once."""

import threading
from pathlib import Path

import pytest

from tailrace.agent.identity import keeper as keepers
from tailrace.agent.identity.boot import Boot
from tailrace.agent.identity.identity import AgentIdentity, Enrolment, JoinedServer
from tailrace.agent.identity.keeper import KeyKeeper

ADDRESS = "https://logs.example.org:9481"
DEADLINE_SECS = 20.0


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
    told = {name: lambda name=name: followed.append(name) for name in ("renamed", "widened", "moved", "rolled_back")}
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


@pytest.fixture
def restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgentIdentity:
    """Of an agent whose server says that its home is an older one."""
    identity = AgentIdentity("a" * 32, [Enrolment(ADDRESS, "shop", [], "", "", server="one")])
    identity.servers = {"one": JoinedServer("one", [ADDRESS], [], "certificate", [], 1.0)}
    key = {"project": "shop", "key_id": "k", "key_secret": "s", "lives_secs": 60}
    answer = {"server_id": "one", "addresses": [ADDRESS], "roots": [], "features": [], "poll_secs": 1.0, "certificate": ""}
    answer |= {"projects": [{"project": "shop", "logstores": ["*"]}], "keys": [key], "home_is_older": True}
    monkeypatch.setattr(keepers, "call", lambda *_, **__: answer)
    monkeypatch.setattr(keepers, "own_context", lambda *_: None)
    for name in ("secret", "agent", "users"):
        (tmp_path / name).mkdir()
    return identity


def test_an_older_home_is_rolled_back_once_and_before_it_gets_keys(tmp_path: Path, restored: AgentIdentity, followed: list[str]) -> None:
    def rolled_back() -> bool:
        followed.append(f"{restored.enrolments[0].key_id}{restored.states['one']}")
        return True

    restored.states = {"one": "revoked"}
    told = dict.fromkeys(("renamed", "widened", "moved"), list) | {"rolled_back": rolled_back}
    keeper = KeyKeeper(restored, tmp_path, Boot("b" * 32, (), "m", "h"), **told)
    keeper.round()
    keeper.round()
    assert (followed, restored.enrolments[0].key_id, restored.states) == (["revoked"], "k", {"one": ""})


def test_only_a_server_that_has_said_it_hears_that_it_is_known_and_only_once_that_outlives_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored: AgentIdentity
) -> None:
    earlier = "https://earlier.example.org:9481"
    restored.servers = {**restored.servers, "two": JoinedServer("two", [earlier], [], "certificate", [], 1.0)}
    heard: list[tuple[str, bool]] = []
    answering = keepers.call

    def call(address: str, method: str, path: str, beat: dict[str, object], **_: object) -> object:
        heard.append((address, "home_is_known_to_be_older" in beat))
        answer = answering(address, method, path, beat)
        return answer if address == ADDRESS else {**answer, "addresses": [earlier], "projects": [], "home_is_older": False}

    monkeypatch.setattr(keepers, "call", call)
    lasts = [False, True]
    told = dict.fromkeys(("renamed", "widened", "moved"), list) | {"rolled_back": lambda: lasts.pop(0)}
    keeper = KeyKeeper(restored, tmp_path, Boot("b" * 32, (), "m", "h"), **told)
    keeper.round()
    assert not any(is_told for _, is_told in heard), "the new epoch would be forgotten with this process"
    keeper.round()
    assert (heard[-2:], lasts) == ([(ADDRESS, True), (earlier, False)], [])


def test_a_server_can_be_joined_while_an_older_home_is_rolled_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restored: AgentIdentity
) -> None:
    """What is rolled back waits for the end of the session, and that for the thread which joins."""
    monkeypatch.setattr(keepers, "join", joining)
    joiner = threading.Thread(target=lambda: keeper.enrol(ADDRESS, "another:one"), daemon=True)
    joined: list[bool] = []

    def rolled_back() -> bool:
        joiner.start()
        joiner.join(DEADLINE_SECS)
        joined.append(not joiner.is_alive())
        return True

    told = dict.fromkeys(("renamed", "widened", "moved"), list) | {"rolled_back": rolled_back}
    keeper = KeyKeeper(restored, tmp_path, Boot("b" * 32, (), "m", "h"), **told)
    keeper.round()
    assert joined == [True]
