"""Path patterns."""

import pytest

from tailrace.inputs.file.patterns import path_pattern, whole_path_pattern


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/a/*.log", "/a/x.log", True),
        ("/a/*.log", "/a/b/x.log", False),
        ("/a/**/x.log", "/a/x.log", True),
        ("/a/**/x.log", "/a/b/c/x.log", True),
        ("/a/**/x.log", "/ab/x.log", False),
        ("/a/?", "/a/b", True),
        ("/a/?", "/a//", False),
        ("/a/[bc]x", "/a/cx", True),
        ("/a/[!bc]x", "/a/cx", False),
        ("/a/[!bc]x", "/a/dx", True),
        ("/a/[[]x[&&b]", "/a/[x&", True),
        ("/a.b", "/aXb", False),
        ("/a+(b)", "/a+(b)", True),
        ("/a/b/", "/a/b", True),
        ("/var/log/app*", "/var/log/app1", True),
    ],
)
def test_whole_paths(pattern, path, matches):
    assert bool(whole_path_pattern(pattern).fullmatch(path)) is matches


@pytest.mark.parametrize(
    ("text", "base", "steps", "depth"),
    [
        ("/var/log/x.log", "/var/log", 0, 0),
        ("/var/log/**/*.log", "/var/log", 0, 7),
        ("/x.log", "/", 0, 0),
        ("/**/x.log", "/", 0, 7),
        ("/srv/*/logs/*.log", "/srv", 2, 0),
        ("/srv/*/**/*.log", "/srv", 1, 7),
    ],
)
def test_what_is_fixed_and_what_is_searched(text, base, steps, depth):
    made = path_pattern(text, 7)
    assert (made.base, len(made.steps), made.depth) == (base, steps, depth)
