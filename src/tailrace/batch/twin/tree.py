"""A pattern as a tree, after the dialect's syntax is gone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tailrace.batch.twin.byteset import ByteSet


@dataclass(frozen=True, slots=True)
class Empty:
    """Matches nothing, everywhere."""


@dataclass(frozen=True, slots=True)
class Set:
    """One byte out of a set; a literal byte is a set of one."""

    members: ByteSet


@dataclass(frozen=True, slots=True)
class Start:
    """`^`, `\\A`."""


@dataclass(frozen=True, slots=True)
class End:
    """`$`, `\\z`, `\\Z`."""


@dataclass(frozen=True, slots=True)
class Edge:
    """`\\b`, or `\\B` when negated."""

    negated: bool


@dataclass(frozen=True, slots=True)
class Concat:
    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Either:
    branches: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    body: "Node"
    least: int
    most: int | None
    how: Literal["greedy", "lazy", "possessive"]


@dataclass(frozen=True, slots=True)
class Group:
    """A capture group; the first is 1."""

    index: int
    body: "Node"


@dataclass(frozen=True, slots=True)
class Look:
    behind: bool
    negated: bool
    body: "Node"


@dataclass(frozen=True, slots=True)
class Back:
    group: int
    folded: bool


@dataclass(frozen=True, slots=True)
class Atomic:
    body: "Node"


Node: TypeAlias = Empty | Set | Start | End | Edge | Concat | Either | Repeat | Group | Look | Back | Atomic


def concat(nodes: list[Node]) -> Node:
    if len(nodes) == 1:
        return nodes[0]
    return Concat(tuple(nodes)) if nodes else Empty()


def parts(node: Node) -> tuple[Node, ...]:
    """The nodes right below."""
    match node:
        case Concat(nodes) | Either(nodes):
            return nodes
        case Repeat(body=body) | Group(body=body) | Look(body=body) | Atomic(body):
            return (body,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    yield node
    for part in parts(node):
        yield from walk(part)


def nullable(node: Node) -> bool:
    """Whether it can match without consuming a byte (assertions can)."""
    match node:
        case Set():
            return False
        case Either(branches):
            return any(map(nullable, branches))
        case Repeat(body=body, least=least):
            return least == 0 or nullable(body)
        case Concat() | Group() | Atomic():
            return all(map(nullable, parts(node)))
        case _:
            return True


def fixed_width(node: Node) -> int | None:
    """Bytes that every match has, when that is one number."""
    match node:
        case Set():
            return 1
        case Back():
            return None
        case Either(branches):
            widths = {fixed_width(branch) for branch in branches}
            return widths.pop() if len(widths) == 1 else None
        case Repeat(body=body, least=least, most=most):
            width = fixed_width(body)
            return width * least if width is not None and least == most else None
        case Concat() | Group() | Atomic():
            widths = [fixed_width(part) for part in parts(node)]
            return None if None in widths else sum(width or 0 for width in widths)
        case _:
            return 0


def steps(node: Node) -> int:
    """Single-byte steps when counted repetitions are multiplied out."""
    below = parts(node)
    if not below:
        return 1
    total = sum(map(steps, below))
    if isinstance(node, Repeat):
        return total * max(node.least if node.most is None else node.most, 1)
    return total


def is_regular(node: Node) -> bool:
    """Whether a linear-time engine can run it."""
    irregular = (Look, Back, Atomic)
    return not any(isinstance(part, irregular) or (isinstance(part, Repeat) and part.how == "possessive") for part in walk(node))


def is_negation(root: Node) -> bool:
    """Whether it is the idiom "does not contain" that the contract names: `^(?!X)…` before a regular rest, or `^(?:(?!X).)*$`."""
    nodes = list(root.nodes) if isinstance(root, Concat) else [root]
    if nodes and isinstance(nodes[0], Start):
        nodes = nodes[1:]
    rest = nodes
    while rest and (body := _denied(rest[0])) is not None and is_regular(body):
        rest = rest[1:]
    if len(rest) < len(nodes):
        return all(map(is_regular, rest))
    if nodes and isinstance(nodes[-1], End):
        nodes = nodes[:-1]
    return len(nodes) == 1 and _is_tempered(nodes[0])


def _denied(node: Node) -> Node | None:
    return node.body if isinstance(node, Look) and node.negated and not node.behind else None


def _is_tempered(node: Node) -> bool:
    match node:
        case Repeat(body=Concat((Look() as look, Set(members))), least=0, most=None, how="greedy"):
            body = _denied(look)
            is_dot = members.bit_count() >= 255
            return is_dot and body is not None and is_regular(body) and not nullable(body)
        case _:
            return False
