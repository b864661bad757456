"""Files in `users`: taken up once, tried again as long as that may help."""

from pathlib import Path

import pytest

from tailrace.agent.identity.invitations import Invitations
from tailrace.errors import ApiError, StateError, TailraceError, UnreachableError


class Joining:
    """Takes tokens, or fails as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.taken: list[str] = []
        self.error: TailraceError | None = None

    def __call__(self, address: str, token: str, *, invitation: str) -> None:
        self.asked.append((address, token))
        if self.error:
            raise self.error
        self.taken.append(invitation)


def rounds(joining: Joining, directory: Path, count: int) -> list[int]:
    invitations = Invitations(directory)
    return [invitations.take(joining, lambda: joining.taken) for _ in range(count)]


def test_a_file_is_taken_up_once_even_by_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("https://h:9481 token-1\n")
    (tmp_path / "web").write_text("token-2\n")
    (tmp_path / ".hidden").write_text("token-3\n")
    joining = Joining()
    assert [*rounds(joining, tmp_path, 2), *rounds(joining, tmp_path, 1)] == [2, 0, 0]
    assert joining.asked == [("https://h:9481", "token-1"), ("", "token-2")]


@pytest.mark.parametrize(
    ("error", "asked"),
    [(UnreachableError("away"), 3), (ApiError(503, "ServerBusy", ""), 3), (StateError("used up"), 1), (ApiError(400, "X", ""), 1)],
)
def test_what_may_pass_is_tried_again(tmp_path: Path, error: TailraceError, asked: int) -> None:
    (tmp_path / "shop").write_text("token")
    joining = Joining()
    joining.error = error
    assert rounds(joining, tmp_path, 3) == [0, 0, 0]
    assert len(joining.asked) == asked


def test_without_the_directory_nothing_happens(tmp_path: Path) -> None:
    assert rounds(Joining(), tmp_path / "users", 1) == [0]
