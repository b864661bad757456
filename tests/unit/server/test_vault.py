"""Secrets are readable with the master key and for their own key id only."""

from pathlib import Path

import pytest

from tailrace.errors import DamagedError, StateError
from tailrace.server.auth import vault as vault_module
from tailrace.server.auth.keys import new_agent_key
from tailrace.server.auth.vault import open_vault


def test_a_secret_survives_a_restart(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path / "master.key", create=True).encrypt("id-1", "secret")
    assert b"secret" not in sealed
    assert open_vault(tmp_path / "master.key", create=False).decrypt("id-1", sealed) == "secret"


def test_a_secret_cannot_be_moved_to_another_key(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "master.key", create=True)
    with pytest.raises(DamagedError, match="id-2"):
        vault.decrypt("id-2", vault.encrypt("id-1", "secret"))


def test_another_master_key_reads_nothing(tmp_path: Path) -> None:
    sealed = open_vault(tmp_path / "one.key", create=True).encrypt("id-1", "secret")
    with pytest.raises(DamagedError):
        open_vault(tmp_path / "other.key", create=True).decrypt("id-1", sealed)


def test_the_master_key_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret" / "master.key"
    open_vault(path, create=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o640)
    with pytest.raises(StateError, match="can be read by others") as caught:
        open_vault(path, create=False)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_lost_master_key_is_not_replaced_silently(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="is missing"):
        open_vault(tmp_path / "master.key", create=False)
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("text", ["", "zz", "00" * 31, "00" * 33])
def test_what_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.touch(mode=0o600)
    path.write_text(text)
    with pytest.raises(DamagedError, match="does not hold a master key"):
        open_vault(path, create=False)


def test_decrypted_secrets_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_module, "CACHED_SECRETS", 3)
    vault = open_vault(tmp_path / "master.key", create=True)
    sealed = {f"id-{number}": vault.encrypt(f"id-{number}", f"secret-{number}") for number in range(5)}
    assert [vault.decrypt(key_id, secret) for key_id, secret in sealed.items()] == [f"secret-{number}" for number in range(5)]
    assert len(vault._cache) == 3


def test_an_agent_key_is_bound_to_its_agent(tmp_path: Path) -> None:
    vault = open_vault(tmp_path / "master.key", create=True)
    key, secret = new_agent_key(vault, "host-1", "web", ["access"], expires=100)
    assert (key.kind, key.agent, key.project, key.logstores) == ("agent", "host-1", "web", ("access",))
    assert vault.decrypt(key.id, key.secret) == secret
    assert len(secret) == 40
