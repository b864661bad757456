"""What the audit log shows of a change, however much was asked or answered."""

import json
from typing import Any

from tailrace.server.api.v1.commands import noted
from tailrace.server.db.changes import SHOWN_BYTES, Change
from tailrace.server.fleet.command import Command

AGENTS = [f"agent-{number:026d}" for number in range(10_000)]


def command(**detail: Any) -> Command:
    return Command("c1", "shop", detail, "me", 1000, 1060)


def test_what_was_asked_is_shown_where_the_answer_is_too_long_or_none() -> None:
    asked, long = {"kind": "restart"}, {"text": "x" * SHOWN_BYTES}
    for after, shows in ((None, True), (long, True), ({"id": 1}, False), ("too_long", False), ([1], False)):
        assert ("asked" in Change("me", asked=asked, after=after).document()) == shows, str(after)[:20]
    assert list(Change("me", asked=long, after=long).document()["after"]) == ["too_long"]


def test_a_command_to_a_whole_fleet_is_told_with_what_it_is() -> None:
    shown = Change("me", after=noted(command(kind="restart"), "web", AGENTS)).document()["after"]
    assert (shown["command"], shown["group"], shown["count"], shown["agents"]) == ({"kind": "restart"}, "web", 10_000, AGENTS[:100])


def test_one_that_says_very_much_is_told_by_its_kind() -> None:
    much = command(kind="import", config="one", paths=["/" + "é" * 4000] * 100)
    shown = Change("me", after=noted(much, "", AGENTS)).document()["after"]
    assert shown["command"] == {"kind": "import", "too_long": len(json.dumps(much.detail))}
