"""What each operation asks for: no route is without it, and the reference page says so."""

import pytest

from tailrace.server.api.actions import Asking, askings, operations
from tailrace.server.api.page import page
from tailrace.server.auth.roles import is_reading
from tests.integration.server.served import OPEN
from tests.source_tree import ROOT


def test_the_reference_page_is_not_stale() -> None:
    assert (ROOT / "docs/reference/actions.md").read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_operation_asks_for_an_action() -> None:
    silent = [name for name, actions in operations().items() if not actions and tuple(name.split(" ")) not in OPEN]
    assert silent == []


def test_what_changes_something_asks_for_an_action_that_says_so() -> None:
    """So that it is in the audit log."""
    unrecorded = [
        name for name, actions in operations().items() if not name.startswith("GET ") and actions and all(map(is_reading, actions))
    ]
    assert unrecorded == []


@pytest.mark.parametrize(
    ("asking", "who"),
    [
        (Asking("log:GetLogStore", "", in_project=True), "reader"),
        (Asking("log:UpdateLogStore", "", in_project=True), "operator"),
        (Asking("log:DeleteProject", "", in_project=True), "admin"),
        (Asking("log:CreateProject", "", in_project=True), "admin in `*`"),
        (Asking("tailrace:GetStatus", "", in_project=False), "reader in `*`"),
        (Asking("tailrace:CreateOwnKey", "", in_project=False), "everybody, with what is theirs"),
        (Asking("tailrace:Login", "", in_project=False), "whoever knows the password"),
    ],
)
def test_the_page_says_who_may(asking: Asking, who: str) -> None:
    assert asking.who == who
    assert asking.who in {one.who for one in askings()}
