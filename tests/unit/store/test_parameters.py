"""Bound values in the engine's text form; what the engine makes of them is in the conformance suite."""

import pytest

from tailrace.errors import EngineError
from tailrace.server.store import parameters


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ("a\tb\\", "a\\x09b\\x5c"),
        ("中", "\\xe4\\xb8\\xad"),
        (b"\xff'", "\\xff'"),
        (5, "5"),
        (-1.5, "-1.5"),
        (True, "1"),
        (["it's", b"\x00"], "['it\\'s','\\x00']"),
        ([[1, 2], []], "[[1,2],[]]"),
    ],
)
def test_each_value_has_one_form(value: object, text: str) -> None:
    assert parameters.encode({"p": value}) == {"p": text}


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(EngineError, match="parameter `p` cannot be bound: values of type `NoneType` have no form"):
        parameters.encode({"p": None})
