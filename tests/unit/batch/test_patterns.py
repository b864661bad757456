"""The dialect of patterns on the examples of its reference page; warnings about patterns that may run for very long."""

from types import ModuleType

import pytest

from tailrace.batch.patterns import pattern_warnings


@pytest.mark.parametrize(
    ("text", "value", "groups"),
    [
        (r"(\d+)-(\w+)", b"12-ab", [b"12", b"ab"]),
        (r"(.*)", b"a\nb", [b"a\nb"]),
        (r"(?-s:(.*))\n.*", b"a\nb", [b"a"]),
        (r"(?i)(get|post)", b"GeT", [b"GeT"]),
        (r"(é+)\xff", "éé".encode() + b"\xff", ["éé".encode()]),
        (r"([^]\d]+)]", b"ab]", [b"ab"]),
        (r"([[:upper:]][[:^digit:]]*)", b"Ab\xff", [b"Ab\xff"]),
        (r"(\w+) \1", b"a a", [b"a"]),
        (r"(?<word>a)|(b)", b"b", [None, b"b"]),
        (r"(a|ab)(c?)", b"ab", [b"ab", b""]),
        (r"{(\d{2,})}", b"{123}", [b"123"]),
        (r"\$\{\<(.)\>\}\_\ ", b"${<x>}_ ", [b"x"]),
        (r"(a{,2})a", b"aaa", [b"aa"]),
    ],
)
def test_full_match(engine: ModuleType, text: str, value: bytes, groups: list[bytes | None]) -> None:
    assert engine.Pattern(text).full_match(value) == groups


@pytest.mark.parametrize(("text", "value"), [("a$", b"a\n"), ("a", b"ab"), (r"\w", "é".encode()), (r"a\Z", b"a\n"), (r"\Bx", b"x")])
def test_no_full_match(engine: ModuleType, text: str, value: bytes) -> None:
    assert engine.Pattern(text).full_match(value) is None


def test_prefix_and_search(engine: ModuleType) -> None:
    pattern = engine.Pattern(r"\d+", dotall=False)
    assert (pattern.prefix_match(b"12x"), pattern.prefix_match(b"x12")) == (True, False)
    assert (pattern.search(b"x12y3"), pattern.search(b"x")) == ((1, 3), None)
    assert engine.Pattern(".", dotall=False).search(b"\n\n") is None


def test_names_and_count(engine: ModuleType) -> None:
    pattern = engine.Pattern(r"(?P<a>x)(y)(?<b>z)(?:w)")
    assert (pattern.groups, pattern.group_names, pattern.pattern) == (3, ["a", None, "b"], r"(?P<a>x)(y)(?<b>z)(?:w)")


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("é(", 2, "not closed"),
        ("ab**", 3, "follows another quantifier"),
        (r"a\pL", 1, r"`\\p` is outside the dialect"),
        ("a(?i)", 1, "at its very start"),
        ("[z-a]", 1, "wrong way round"),
        ("x{5,2}", 1, "wrong way round"),
        (r"(?<=a+)b", 0, "fixed width"),
        (r"(a\1)", 2, "not closed before"),
        ("(?m)a", 0, "flag `m`"),
    ],
)
def test_a_refusal_says_where_and_why(engine: ModuleType, text: str, position: int, message: str) -> None:
    with pytest.raises(engine.PatternError, match=message) as caught:
        engine.Pattern(text)
    assert isinstance(caught.value, ValueError)
    assert caught.value.position == position or "flag" in message


@pytest.mark.parametrize("text", [r"(a+)+", r"(a*b*)*", r"(?:(\w+)|x)*", r"(?:\s*\w*)+b", r"((a+){2})*"])
def test_nested_quantifiers_are_warned_of(text: str) -> None:
    [warning] = pattern_warnings(text)
    assert text in warning


@pytest.mark.parametrize("text", [r"(\s\w+)+", r"a+b+", r"(?:a++)+", r"(\d+,)*", r"(?>a+)*", r"(?:(?=a*)b)*", "a{3}"])
def test_others_are_not(text: str) -> None:
    assert pattern_warnings(text) == []
