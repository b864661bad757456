"""processor_fields_with_condition."""

import pytest

from tailrace.pipeline import registry

TYPE = "processor_fields_with_condition"


def case(relation: str, fields: dict[str, str], *actions: dict[str, object], logical: str = "and") -> dict[str, object]:
    condition = {"LogicalOperator": logical, "RelationOperator": relation, "FieldConditions": fields}
    return {"Case": condition, "Actions": list(actions)}


def add(ignore: bool = False, **fields: str) -> dict[str, object]:
    return {"type": "processor_add_fields", "IgnoreIfExist": ignore, "Fields": fields}


def drop(*keys: str) -> dict[str, object]:
    return {"type": "processor_drop", "DropKeys": list(keys)}


@pytest.mark.parametrize(
    ("relation", "expression", "held"),
    [
        ("equals", "abc", [True, False, False]),
        ("contains", "b", [True, True, False]),
        ("startwith", "a", [True, False, False]),
        ("regexp", "c$", [True, False, False]),
        ("regexp", "b.?", [True, True, False]),
    ],
)
def test_how_a_field_is_compared(run, relation, expression, held):
    out = run(TYPE, {"Switch": [case(relation, {"f": expression}, add(hit="1"))]}, {"f": "abc"}, {"f": "bcd"}, {"g": "abc"})
    assert [("hit", "1") in event for event in out.events] == held
    assert out.discards == []


def test_equals_and_and_are_the_defaults(run):
    switch = [{"Case": {"FieldConditions": {"a": "1", "b": "2"}}, "Actions": [add(hit="1")]}]
    out = run(TYPE, {"Switch": switch}, {"a": "1", "b": "2"}, {"a": "1"}, {"a": "11", "b": "2"})
    assert [("hit", "1") in event for event in out.events] == [True, False, False]


def test_one_field_is_enough_for_or(run):
    out = run(TYPE, {"Switch": [case("equals", {"a": "1", "b": "2"}, add(hit="1"), logical="or")]}, {"a": "1"}, {"b": "2"}, {"c": "1"})
    assert [("hit", "1") in event for event in out.events] == [True, True, False]


def test_the_first_case_that_holds_is_the_only_one(run):
    switch = [
        case("contains", {"f": "a"}, add(f="changed", case="first"), drop("g")),
        case("contains", {"f": "changed"}, add(case="second")),
        case("contains", {"f": ""}, add(case="third")),
    ]
    out = run(TYPE, {"Switch": switch}, {"f": "a", "g": "x"}, {"f": "b", "g": "x"}, {"g": "x"})
    assert out.events == [
        [("f", "changed"), ("case", "first")],
        [("f", "b"), ("g", "x"), ("case", "third")],
        [("g", "x")],
    ]


def test_actions(run):
    out = run(
        TYPE,
        {"Switch": [case("equals", {"f": "1"}, add(ignore=True, a="new", b="new"), add(c="new"), drop("f", "z"))]},
        {"f": "1", "a": "old", "c": "old"},
    )
    assert out.events == [[("a", "old"), ("c", "new"), ("b", "new")]]


@pytest.mark.parametrize(("dropped", "kept"), [(True, 1), (False, 2)])
def test_events_without_a_case_may_be_dropped(run, dropped, kept):
    options = {"Switch": [case("equals", {"f": "1"})], "DropIfNotMatchCondition": dropped}
    out = run(TYPE, options, {"f": "1"}, {"f": "2"})
    assert len(out.events) == kept
    assert out.discards == [(1, "fulfils no case")] * dropped


def test_its_other_name_and_spelling(run):
    config = {"Switch": [{"Case": {"FieldConditions": {"f": "1"}}, "Actions": [{"Type": "processor_drop", "DropKeys": ["g"]}]}]}
    assert registry.get("processor", "processor_fields_with_conditions").type == TYPE
    assert run(TYPE, config, {"f": "1", "g": "2"}).events == [[("f", "1")]]


def test_patterns_are_listed_with_their_place():
    config = registry.get("processor", TYPE).config_model.model_validate(
        {"Switch": [case("equals", {"a": "("}), case("regexp", {"b": "x+"})]}
    )
    assert list(config.patterns()) == [("Switch[1].Case.FieldConditions.b", "x+")]


@pytest.mark.parametrize(
    ("switch", "mistake"),
    [
        ([], "Switch: must not be empty (The cases.)"),
        ([case("equals", {})], "Switch.0.Case.FieldConditions: must not be empty (Field → what it is compared with.)"),
        (
            [case("like", {"a": "b"})],
            "Switch.0.Case.RelationOperator: expected one of `equals`, `regexp`, `contains`, `startwith`, got the string `like`",
        ),
        (
            [case("equals", {"a": "b"}, logical="xor")],
            "Switch.0.Case.LogicalOperator: expected one of `and`, `or`, got the string `xor`",
        ),
        (
            [case("equals", {"a": "b"}, {"type": "processor_drop"})],
            "Switch.0.Actions.0.DropKeys: is missing (`processor_drop` needs it)",
        ),
        (
            [case("equals", {"a": "b"}, {"type": "processor_add_fields"})],
            "Switch.0.Actions.0.Fields: is missing (`processor_add_fields` needs it)",
        ),
        (
            [case("equals", {"a": "b"}, {"type": "processor_drop", "DropKeys": ["a"], "Fields": {"c": "d"}})],
            "Switch.0.Actions.0.Fields: has no meaning for `processor_drop`",
        ),
    ],
)
def test_refusals(refusals, switch, mistake):
    assert refusals(TYPE, {"Switch": switch}) == [mistake]


def test_a_bad_pattern_names_its_place(refusals):
    assert refusals(TYPE, {"Switch": [case("regexp", {"a": "("})]})[0].startswith("Switch.0.Case.FieldConditions.a: ")
