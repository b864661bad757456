"""The search language: what each form means, and where a mistake is pointed out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.errors import ApiError
from tailrace.server.query.search.ast import And, Everything, Exists, Node, Not, Or, Pattern, Phrase, Range, Term, Wild
from tailrace.server.query.search.lexer import split_statement
from tailrace.server.query.search.parser import MAX_CONDITIONS, MAX_NESTING, parse_search


def without_positions(node: Node) -> Node:
    match node:
        case And(items):
            return And(tuple(map(without_positions, items)))
        case Or(items):
            return Or(tuple(map(without_positions, items)))
        case Not(item):
            return Not(without_positions(item))
        case Everything():
            return node
        case _:
            return type(node)(*(0 if name == "position" else getattr(node, name) for name in node.__dataclass_fields__))


def term(text: str, field: str | None = None) -> Term:
    return Term(field, text)


A, B, C = term("a"), term("b"), term("c")

MEANINGS = {
    "": Everything(),
    "  *  ": Everything(),
    "a": A,
    "a b": And((A, B)),
    "a and b": And((A, B)),
    "a AND b": And((A, B)),
    "a or b": Or((A, B)),
    "a or b and c": Or((A, And((B, C)))),
    "a or b c": Or((A, And((B, C)))),
    "(a or b) c": And((Or((A, B)), C)),
    "not a": Not(A),
    "a not b": And((A, Not(B))),
    "not a or b": Or((Not(A), B)),
    "not not a": A,
    "not (a b)": Not(And((A, B))),
    '"a b"': term("a b"),
    '#"a b"': Phrase(None, "a b"),
    '"and"': term("and"),
    r'"say \"hi\" \\ \n"': term('say "hi" \\ \\n'),
    r"a\:b\*": term("a:b*"),
    "key:a": term("a", "key"),
    "key : a": term("a", "key"),
    'key:"a b"': term("a b", "key"),
    'key:#"a b"': Phrase("key", "a b"),
    'key:""': term("", "key"),
    '"k 1":a': term("a", "k 1"),
    "field.a.b:c": term("c", "field.a.b"),
    "source:10.0.0.1": term("10.0.0.1", "__source__"),
    "__source__:x": term("x", "__source__"),
    "topic:x": term("x", "__topic__"),
    "__tag__:host:x": term("x", "__tag__:host"),
    '__tag__:"a b":x': term("x", "__tag__:a b"),
    "__tag__:host:*": Exists("__tag__:host"),
    "key:*": Exists("key"),
    "not key:*": Not(Exists("key")),
    "ab*": Pattern(None, ("ab", Wild.ANY)),
    "a?c*": Pattern(None, ("a", Wild.ONE, "c", Wild.ANY)),
    "a**b": Pattern(None, ("a", Wild.ANY, "b")),
    "key:a*": Pattern("key", ("a", Wild.ANY)),
    '"a*"': term("a*"),
    "n = 5": Range("n", 5, 5),
    "n=-1.5": Range("n", -1.5, -1.5),
    "n > 5": Range("n", 5, None, low_inclusive=False),
    "n>=5": Range("n", 5, None),
    "n < 5": Range("n", None, 5, high_inclusive=False),
    "n<=5": Range("n", None, 5),
    "n in [1 5]": Range("n", 1, 5),
    "n in (1 5)": Range("n", 1, 5, False, False),
    "n in [1 5)": Range("n", 1, 5, True, False),
    "n in (-inf 5]": Range("n", None, 5, False, True),
    "n in [5 inf)": Range("n", 5, None, True, False),
    "__tag__:n > 3": Range("__tag__:n", 3, None, low_inclusive=False),
    "a in b": And((A, term("in"), B)),
    "中文 and 日志": And((term("中文"), term("日志"))),
}

MISTAKES = {
    "a and": (6, "a search term"),
    "or a": (1, "a search term"),
    "not": (4, "a search term"),
    "(a": (3, "`)` for the `(` at character 1"),
    "a ) b": (3, "`and`, `or` or the end"),
    '"abc': (1, "a closing"),
    "key:": (5, "a value after `key:`"),
    "key: and": (6, "a value after `key:`"),
    "a:b:c": (4, 'with `"` around it'),
    "*a": (1, "does not begin with a wildcard"),
    "k*:a": (1, "a field name without wildcards"),
    "n > x": (5, "a number after `>`"),
    "n > nan": (5, "a number after `>`"),
    "n = 1_000": (5, "a number after `=`"),
    "n in [1 2": (10, "`]` or `)`"),
    "n in [5 1]": (6, "bounds in rising order"),
    "n in [x 1]": (7, "the lower bound"),
    "n in [inf 1]": (7, "the lower bound"),
    "__tag__:": (9, "a tag name"),
    "__tag__:a": (10, "`:` after the tag name"),
    "a [b": (3, "a search term"),
    "(" * (MAX_NESTING + 1) + "a": (MAX_NESTING + 1, "nested parentheses"),
    "a " * (MAX_CONDITIONS + 1): (2 * MAX_CONDITIONS + 1, "conditions"),
}


@pytest.mark.parametrize("search", MEANINGS)
def test_meaning(search: str):
    assert without_positions(parse_search(search)) == MEANINGS[search]


@pytest.mark.parametrize("search", MISTAKES, ids=lambda text: text[:20])
def test_mistake_is_shown_at_its_character(search: str):
    place, expected = MISTAKES[search]
    with pytest.raises(ApiError) as raised:
        parse_search(search)
    assert (raised.value.status, raised.value.error_code) == (400, "ParameterInvalid")
    assert f"at character {place}:" in raised.value.message
    assert expected in raised.value.message


def test_every_condition_keeps_its_place():
    node = parse_search('ab key:x #"p q"')
    assert isinstance(node, And)
    assert [item.position for item in node.items if isinstance(item, Term | Phrase)] == [1, 4, 10]


@given(st.text(alphabet='ab *?:"#\\()[]=<>|-1.andortin', max_size=40))
def test_whatever_is_typed_is_read_or_refused(search: str):
    try:
        outcome = repr(parse_search(search))
    except ApiError as error:
        outcome = error.message
    assert "position=" in outcome or "Everything" in outcome or "at character" in outcome


@pytest.mark.parametrize(
    ("statement", "halves"),
    [
        ("a", ("a", None)),
        ("a | select 1", ("a ", " select 1")),
        ('"a|b" | select 1', ('"a|b" ', " select 1")),
        (r"a\|b | select 1", (r"a\|b ", " select 1")),
        ("* | select '|'", ("* ", " select '|'")),
        ("|", ("", "")),
    ],
)
def test_a_statement_is_split_at_the_first_bar_outside_quotes(statement: str, halves: tuple[str, str | None]):
    assert split_statement(statement) == halves
