"""What `config check` says of a pattern beyond accepting it: where it may run for a very long time without the native kernel."""

from tailrace.batch.twin.syntax import parse
from tailrace.batch.twin.tree import Atomic, Concat, Either, Group, Look, Node, Repeat, nullable, parts, walk

WARNING = (
    "the pattern `{}` repeats what is repeated inside, as in `(a+)+`: without the native kernel one value may take it very long; "
    "give the inner part a fixed beginning or end"
)


def pattern_warnings(pattern: str, *, dotall: bool = True) -> list[str]:
    """Sentences about `pattern`, empty for most. Raises PatternError when it is outside the dialect."""
    root = parse(pattern, dotall=dotall).root
    if any(_is_ambiguous(node) for node in walk(root)):
        return [WARNING.format(pattern)]
    return []


def _is_ambiguous(node: Node) -> bool:
    """An unbounded repetition of something that is itself nothing but an unbounded repetition: one text, very many ways to cut it."""
    return isinstance(node, Repeat) and node.most is None and node.how != "possessive" and _is_endless(node.body)


def _is_endless(node: Node) -> bool:
    match node:
        case Repeat(most=None, how=how):
            return how != "possessive"
        case Repeat(body=body) | Group(body=body):
            return _is_endless(body)
        case Either(branches):
            return any(map(_is_endless, branches))
        case Concat(nodes):
            return any(_is_endless(part) and all(nullable(other) for other in nodes if other is not part) for part in nodes)
        case Look() | Atomic():
            return False
        case _:
            return any(map(_is_endless, parts(node)))
