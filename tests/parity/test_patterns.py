"""Patterns: both engines accept and refuse the same, for the same reason at the same place, and match the same."""

from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailrace.batch.reference import Pattern, PatternError
from tests.parity.side_by_side import examples, groups_are_defined

Engines = tuple[ModuleType, ModuleType]

REAL = [
    r'([^ ]*) ([^ ]*) ([^ ]*) \[([^\]]*)\] "(\S+) ([^"]*) (\S+)" (\d+) (\d+) "([^"]*)" "([^"]*)".*',
    r"(\d+-\d+-\d+ \d+:\d+:\d+,\d+) \[(\w+)\] \[([^\]]+)\] (\S+) - (.*)",
    r"(?P<month>\w{3})\s+(?P<day>\d{1,2}) (?<time>[\d:]+) (\S+) ([^:\[]+)(?:\[(\d+)\])?: (.*)",
    r"^(?!.*(DEBUG|TRACE)).*",
    r"^(?!.*health).*$",
    r"(?!\s).+",
    r"^(?:(?!secret).)*$",
    r"(?i)error|warn(?:ing)?",
    r"(\w+)=\1",
    r"(?<=id=)\d+(?!\d)",
    r"(?>a+)b|a*+c",
    r"[[:alpha:]_][[:alnum:]_]*|[^[:space:]]+",
    r"\x00\xff[\x80-\xbf]*é+",
    r"(a|ab)(c|bcd)(d*)",
    r"\bword\b|\Bx\B",
    r"{not a count}|a{2}|b{1,}|c{,3}|d{1,2}?",
]
REFUSED = [
    r"(",
    r")",
    r"(?",
    r"(?:",
    r"a**",
    r"a{2}{3}",
    r"*a",
    r"a|*",
    r"(+)",
    r"{2}",
    r"^*",
    r"(?=a)*",
    r"\b+",
    r"[a",
    r"[",
    r"[]",
    r"[^]",
    r"[z-a]",
    r"[\d-x]",
    r"[a-\d]",
    r"[[:nope:]]",
    r"[é]",
    r"[\b]",
    r"\p{L}",
    r"\h",
    r"\Qa\E",
    r"\K",
    r"\R",
    r"\X",
    r"\u0041",
    r"\x4",
    r"\x{41}",
    r"\0",
    r"\e",
    r"\é",
    "\\",
    r"\1",
    r"(\1)",
    r"(a)\2",
    r"(a)\123",
    r"(?P=n)",
    r"(?P<n>a)(?P<n>b)",
    r"(?P<1>a)",
    r"(?<n",
    r"(?'n'a)",
    r"(?P>n)",
    r"(?R)",
    r"(?#c)",
    r"(?|a)",
    r"(?(1)a)",
    r"(?m)a",
    r"(?x)a",
    r"a(?i)b",
    r"(?-s)a",
    r"(?i-)a",
    r"(?:a)(?",
    r"(?<=a*)b",
    r"(?<=a|bc)d",
    r"(?<!(a)\1)b",
    r"a{1001}",
    r"a{2,1}",
    r"(?:(?:a{1000}){1000})",
    r"(*ACCEPT)",
    "(" * 101 + ")" * 101,
    "()" * 201,
    r"\k<n>",
    r"é(",
]


def made(engine: ModuleType, text: str, dotall: bool) -> tuple[str, Any]:
    """The pattern, or its refusal as (position, message)."""
    try:
        return "accepted", engine.Pattern(text, dotall=dotall)
    except engine.PatternError as error:
        return "refused", (error.position, str(error))


def compared(engines: Engines, text: str, values: list[bytes], dotall: bool = True) -> str:
    """Asserts that both engines treat a pattern alike; says how."""
    (verdict, native), (twins, twin) = (made(engine, text, dotall) for engine in engines)
    assert verdict == twins, (text, native, twin)
    if verdict == "refused":
        assert native[0] == twin[0], (text, native, twin)
        return verdict
    assert (native.groups, native.group_names, native.pattern) == (twin.groups, twin.group_names, twin.pattern)
    assert (native.engine == "negation") == (twin.engine == "negation"), text
    for value in values:
        full, twins_full = native.full_match(value), twin.full_match(value)
        assert (full is None) == (twins_full is None), (text, value)
        if groups_are_defined(text):
            assert full == twins_full, (text, value)
        assert native.prefix_match(value) == twin.prefix_match(value), (text, value)
        assert native.search(value) == twin.search(value), (text, value)
    return verdict


VALUES = st.lists(
    st.sampled_from([b"a", b"b", b"ab", b"c", b"1", b" ", b"\n", b"\r", b"_", b"A", b"\xff", b"\x00", "é".encode(), b"=", b"-"]), max_size=7
).map(b"".join)

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "A",
        "é",
        "1",
        r"\d",
        r"\w",
        r"\s",
        r"\S",
        r"\W",
        ".",
        "[ab]",
        "[^a]",
        "[a-c1]",
        r"\xff",
        r"\n",
        "^",
        "$",
        r"\b",
        r"\B",
        "",
        "-",
    ]
)
QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,2}?", "{2,}", "*+", "?+"])
GROUPINGS = st.sampled_from(["({})", "({})", "(?:{})", "(?:{})", "(?i:{})", "(?s:{})", "(?-s:{})", "(?={})", "(?!{})", "(?>{})", "(?<={})"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map("|".join),
        st.builds(lambda form, body, mark: form.format(body) + mark, GROUPINGS, inner, QUANTIFIERS),
        st.builds(lambda atom, mark: atom + mark, ATOMS, QUANTIFIERS),
        st.builds(lambda first, second: f"({first}){second}\\1", inner, inner),
    ),
    max_leaves=6,
)


@examples(800)
@given(text=PATTERNS, values=st.lists(VALUES, min_size=1, max_size=4), dotall=st.booleans())
def test_patterns_of_the_grammar(engines: Engines, text: str, values: list[bytes], dotall: bool) -> None:
    assert compared(engines, text, values, dotall) in ("accepted", "refused")


@examples(400)
@given(text=st.text(st.sampled_from("ab1()[]{}*+?|^$\\.-,:=!<>Pis#é\n&~"), max_size=12), values=st.lists(VALUES, max_size=2))
def test_any_text(engines: Engines, text: str, values: list[bytes]) -> None:
    assert compared(engines, text, values) in ("accepted", "refused")


@pytest.mark.parametrize("text", REAL)
def test_real_patterns(engines: Engines, text: str) -> None:
    values = [
        b"",
        b"a",
        b"abcd",
        b"id=5",
        b"x=x",
        b" x",
        b"aab",
        b"DEBUG x",
        b"warning",
        b"a secret",
        "\xff".encode("latin-1") + "éé".encode(),
    ]
    values.append(b'1.2.3.4 - - [01/Mar/2026:12:00:00 +0000] "GET /a?b HTTP/1.1" 200 5 "-" "curl/8"')
    values.append(b"2026-03-01 12:00:00,123 [INFO] [main] a.b.C - done\nmore")
    values.append(b"Mar  1 12:00:00 host sshd[12]: bye")
    assert compared(engines, text, values) == "accepted"


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_outside_the_dialect(engines: Engines, text: str) -> None:
    assert compared(engines, text, []) == "refused"


@pytest.mark.parametrize("text", REFUSED)
def test_the_twin_refuses_too_where_there_is_no_kernel(text: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern(text)
    assert 0 <= caught.value.position <= len(text.encode())


@pytest.mark.parametrize(
    ("text", "is_negation"),
    [
        (r"^(?!.*(A|B)).*", True),
        (r"(?!.*A).*$", True),
        (r"^(?!A)(?!B).+", True),
        (r"^(?:(?!A).)*$", True),
        (r"^((?!A).)*$", False),
        (r"^(?!.*(?=A)).*", False),
        (r"^(?!A).*(?!B)", False),
        (r"(?!A)a|b", False),
        (r"(?:(?!a*).)*", False),
        (r"(?=A).*", False),
    ],
)
def test_the_negation_idiom(engines: Engines, text: str, is_negation: bool) -> None:
    for engine in engines:
        assert (engine.Pattern(text).engine == "negation") == is_negation
