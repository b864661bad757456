"""A search's tree as a user would type it."""

from tailrace.server.query.search.ast import And, Everything, Exists, Node, Not, Or, Pattern, Phrase, Range, Term, Wild

RESERVED = set(':()[]=<>|"*?\\#')


def spelt(node: Node) -> str:
    match node:
        case Everything():
            return "*"
        case And(items):
            return " and ".join(f"({spelt(item)})" for item in items)
        case Or(items):
            return " OR ".join(f"({spelt(item)})" for item in items)
        case Not(item):
            return f"not ({spelt(item)})"
        case Exists(field):
            return f"{name(field)}:*"
        case Range():
            return comparison(node)
        case Term(field, text):
            return prefix(field) + (word(text) if is_word(text) else quoted(text))
        case Phrase(field, text):
            return prefix(field) + "#" + quoted(text)
        case Pattern(field, pieces):
            return prefix(field) + "".join(piece.value if isinstance(piece, Wild) else word(piece) for piece in pieces)


def comparison(node: Range) -> str:
    if node.low is not None and node.low == node.high and node.low_inclusive and node.high_inclusive:
        return f"{name(node.field)} = {node.low}"
    if node.high is None and node.low is not None:
        return f"{name(node.field)} {'>=' if node.low_inclusive else '>'} {node.low}"
    bounds = f"{'-inf' if node.low is None else node.low} {'inf' if node.high is None else node.high}"
    return f"{name(node.field)} in {'[' if node.low_inclusive else '('}{bounds}{']' if node.high_inclusive else ')'}"


def prefix(field: str | None) -> str:
    return "" if field is None else f"{name(field)}:"


def name(field: str) -> str:
    if field.startswith("__tag__:"):
        return "__tag__:" + name(field.removeprefix("__tag__:"))
    return word(field) if is_word(field) else quoted(field)


def is_word(text: str) -> bool:
    return bool(text) and not any(character.isspace() for character in text) and text.lower() not in ("and", "or", "not", "in")


def word(text: str) -> str:
    return "".join("\\" + character if character in RESERVED else character for character in text)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
