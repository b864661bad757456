"""The dialect of user patterns (docs/reference/patterns.md): text to tree. What is outside it is refused with its place and a reason."""

import re
from dataclasses import dataclass

from tailrace.batch.twin import byteset
from tailrace.batch.twin.byteset import ByteSet
from tailrace.batch.twin.errors import PatternError
from tailrace.batch.twin.tree import (
    Atomic,
    Back,
    Edge,
    Either,
    End,
    Group,
    Look,
    Node,
    Repeat,
    Set,
    Start,
    concat,
    fixed_width,
    steps,
)

MAX_GROUPS = 200
MAX_NESTING = 100
MAX_REPEAT = 1000
MAX_STEPS = 100_000

CONTROL = {"n": 0x0A, "r": 0x0D, "t": 0x09, "f": 0x0C, "v": 0x0B, "a": 0x07}
LEADING_FLAGS = re.compile(r"\(\?([a-z]+)\)")
FLAG_LETTERS = re.compile(r"[a-z]*(?:-[a-z]*)?")
COUNTED = re.compile(r"\{([0-9]*)(?:(,)([0-9]*))?\}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HEX = re.compile(r"[0-9A-Fa-f]{2}")
DIGITS = re.compile(r"[0-9]{1,3}")
POSIX_NAME = re.compile(r"\[:([a-z^]*):\]")
LOOKS = {"=": (False, False), "!": (False, True), "<=": (True, False), "<!": (True, True)}


@dataclass(frozen=True, slots=True)
class Parsed:
    root: Node
    names: list[str | None]
    """One per capture group."""


def parse(pattern: str, *, dotall: bool) -> Parsed:
    """Raises PatternError; UnicodeEncodeError for a pattern with lone surrogates."""
    pattern.encode()
    parser = _Parser(pattern, dotall=dotall)
    parser.leading_flags()
    root = parser.alternatives()
    if parser.at < len(pattern):
        raise parser.error(parser.at, "unbalanced `)`")
    if steps(root) > MAX_STEPS:
        raise parser.error(0, f"the pattern is too large: its counted repetitions multiply out to more than {MAX_STEPS} steps")
    return Parsed(root, parser.names)


class _Parser:
    def __init__(self, text: str, *, dotall: bool) -> None:
        self.text = text
        self.at = 0
        self.fold = False
        self.dotall = dotall
        self.names: list[str | None] = []
        self.open: set[int] = set()
        self.depth = 0
        self.behind = 0

    def error(self, at: int, reason: str) -> PatternError:
        return PatternError(len(self.text[:at].encode()), reason)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def eat(self, text: str) -> bool:
        found = self.text.startswith(text, self.at)
        if found:
            self.at += len(text)
        return found

    def eat_match(self, form: re.Pattern[str]) -> re.Match[str] | None:
        match = form.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    # --- flags ------------------------------------------------------------------------------------------------------------------

    def leading_flags(self) -> None:
        if match := self.eat_match(LEADING_FLAGS):
            for letter in match[1]:
                self.set_flag(letter, on=True, at=match.start(1))

    def set_flag(self, letter: str, *, on: bool, at: int) -> None:
        if letter == "i":
            self.fold = on
        elif letter == "s":
            self.dotall = on
        else:
            raise self.error(at, f"the flag `{letter}` is not supported, only `i` and `s` are")

    # --- sequences and quantifiers ----------------------------------------------------------------------------------------------

    def alternatives(self) -> Node:
        branches = [self.sequence()]
        while self.eat("|"):
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else Either(tuple(branches))

    def sequence(self) -> Node:
        nodes: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            begin = self.at
            nodes.append(self.repeated(self.atom(), begin))
        return concat(nodes)

    def repeated(self, atom: Node, begin: int) -> Node:
        bounds = self.bounds()
        if bounds is None:
            return atom
        if isinstance(atom, Start | End | Edge | Look):
            raise self.error(begin, "an assertion cannot be repeated")
        how = "lazy" if self.eat("?") else "possessive" if self.eat("+") else "greedy"
        at = self.at
        if self.bounds() is not None:
            raise self.error(at, "a quantifier follows another quantifier")
        return Repeat(atom, *bounds, how)

    def bounds(self) -> tuple[int, int | None] | None:
        """A quantifier, if one stands here."""
        found = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self.peek())
        if found:
            self.at += 1
            return found
        return self.counted() if self.peek() == "{" else None

    def counted(self) -> tuple[int, int | None] | None:
        match = COUNTED.match(self.text, self.at)
        if match is None or not (match[1] or match[3]):
            return None
        least = int(match[1] or 0)
        most = least if not match[2] else int(match[3]) if match[3] else None
        if max(least, most or 0) > MAX_REPEAT:
            raise self.error(self.at, f"a repetition of more than {MAX_REPEAT} times")
        if most is not None and most < least:
            raise self.error(self.at, "the bounds of a repetition are the wrong way round")
        self.at = match.end()
        return least, most

    # --- atoms ------------------------------------------------------------------------------------------------------------------

    def atom(self) -> Node:
        begin = self.at
        first = self.peek()
        if first in "*+?" or (first == "{" and self.counted() is not None):
            raise self.error(begin, "a quantifier with nothing before it to repeat")
        self.at += 1
        match first:
            case "(":
                return self.nested(begin)
            case "[":
                return Set(self.bracket(begin))
            case "\\":
                return self.escape(begin)
            case ".":
                return Set(byteset.ALL if self.dotall else byteset.complement(1 << 0x0A))
            case "^" | "$":
                return Start() if first == "^" else End()
            case _:
                return concat([self.byte(byte) for byte in first.encode()])

    def byte(self, byte: int) -> Node:
        members = 1 << byte
        return Set(byteset.folded(members) if self.fold else members)

    def escape(self, begin: int) -> Node:
        letter = self.peek()
        if letter in byteset.PERL:
            self.at += 1
            return Set(byteset.PERL[letter])
        if letter and letter in "123456789":
            return self.numbered_back(begin)
        assertion = {"b": Edge(negated=False), "B": Edge(negated=True), "A": Start(), "z": End(), "Z": End()}.get(letter)
        if assertion:
            self.at += 1
            return assertion
        return self.byte(self.escaped_byte(begin))

    def escaped_byte(self, begin: int) -> int:
        """What follows a backslash, when it stands for one byte."""
        letter = self.peek()
        self.at += 1
        if not letter:
            raise self.error(begin, "a backslash at the end")
        if letter in CONTROL:
            return CONTROL[letter]
        if letter == "x":
            digits = self.eat_match(HEX)
            if digits is None:
                raise self.error(begin, "`\\x` needs two hexadecimal digits")
            return int(digits[0], 16)
        if letter.isascii() and not letter.isalnum():
            return ord(letter)
        raise self.error(begin, f"the escape `\\{letter}` is outside the dialect")

    def numbered_back(self, begin: int) -> Node:
        digits = self.eat_match(DIGITS)
        if digits is None or len(digits[0]) > 2:
            raise self.error(begin, "a back-reference goes up to `\\99`; write a byte as `\\xHH`")
        return self.back(begin, int(digits[0]))

    def back(self, begin: int, group: int) -> Node:
        if group > len(self.names) or group in self.open:
            raise self.error(begin, f"a back-reference to group {group}, which is not closed before it")
        if self.behind:
            raise self.error(begin, "a look-behind needs one fixed width")
        return Back(group, self.fold)

    # --- brackets ---------------------------------------------------------------------------------------------------------------

    def bracket(self, begin: int) -> ByteSet:
        negated = self.eat("^")
        members = byteset.NONE
        first = True
        while first or not self.eat("]"):
            first = False
            members |= self.member_or_range(begin)
        if self.fold:
            members = byteset.folded(members)
        return byteset.complement(members) if negated else members

    def member_or_range(self, begin: int) -> ByteSet:
        at = self.at
        low = self.member(begin)
        is_range = self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("", "]")
        if not is_range:
            return low if isinstance(low, _Class) else 1 << low
        if isinstance(low, _Class):
            raise self.error(at, "a class cannot begin a range")
        self.at += 1
        high = self.member(begin)
        if isinstance(high, _Class):
            raise self.error(at, "a class cannot end a range")
        if high < low:
            raise self.error(at, "the ends of a range are the wrong way round")
        return byteset.span(low, high)

    def member(self, begin: int) -> "int | _Class":
        """One member of a bracket: a byte, which may begin a range, or a whole class."""
        if match := self.eat_match(POSIX_NAME):
            name = match[1].lstrip("^")
            if name not in byteset.POSIX:
                raise self.error(match.start(), f"the class name `{match[1]}` is not known")
            found = byteset.POSIX[name]
            return _Class(byteset.complement(found) if match[1].startswith("^") else found)
        at = self.at
        first = self.peek()
        self.at += 1
        if not first:
            raise self.error(begin, "a `[` is not closed")
        if first == "\\":
            if self.peek() in byteset.PERL:
                self.at += 1
                return _Class(byteset.PERL[self.text[self.at - 1]])
            return self.escaped_byte(at)
        if not first.isascii():
            raise self.error(at, f"`{first}` is more than one byte and cannot stand in a byte class; use `(?:{first}|…)`")
        return ord(first)

    # --- groups -----------------------------------------------------------------------------------------------------------------

    def nested(self, begin: int) -> Node:
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise self.error(begin, f"groups are nested deeper than {MAX_NESTING}")
        fold, dotall = self.fold, self.dotall
        node = self.group(begin)
        self.fold, self.dotall = fold, dotall
        self.depth -= 1
        return node

    def group(self, begin: int) -> Node:
        if not self.eat("?"):
            return self.capture(begin, None)
        for mark, (behind, negated) in LOOKS.items():
            if self.eat(mark):
                return self.look(begin, behind=behind, negated=negated)
        if self.eat(":"):
            return self.closed(begin)
        if self.eat(">"):
            return Atomic(self.closed(begin))
        return self.named(begin) or self.scoped_flags(begin)

    def named(self, begin: int) -> Node | None:
        if self.eat("P="):
            name = self.name(begin, ")")
            if name not in self.names:
                raise self.error(begin, f"a back-reference to the unknown group `{name}`")
            return self.back(begin, self.names.index(name) + 1)
        if self.eat("P<") or self.eat("<"):
            name = self.name(begin, ">")
            if name in self.names:
                raise self.error(begin, f"the group name `{name}` is used twice")
            return self.capture(begin, name)
        return None

    def scoped_flags(self, begin: int) -> Node:
        """`(?i-s:…)`, after its question mark."""
        match = self.eat_match(FLAG_LETTERS)
        letters = match[0] if match else ""
        for index, letter in enumerate(letters):
            if letter != "-":
                self.set_flag(letter, on="-" not in letters[:index], at=self.at - len(letters) + index + 1)
        closing = self.peek()
        self.at += 1
        if letters in ("", "-") or closing not in (":", ")"):
            raise self.error(begin, "a group form outside the dialect")
        if closing == ")":
            raise self.error(begin, "flags for the whole pattern stand at its very start")
        return self.closed(begin)

    def capture(self, begin: int, name: str | None) -> Node:
        if len(self.names) == MAX_GROUPS:
            raise self.error(begin, f"more than {MAX_GROUPS} capture groups")
        self.names.append(name)
        index = len(self.names)
        self.open.add(index)
        body = self.closed(begin)
        self.open.discard(index)
        return Group(index, body)

    def look(self, begin: int, *, behind: bool, negated: bool) -> Node:
        self.behind += behind
        body = self.closed(begin)
        self.behind -= behind
        if behind and fixed_width(body) is None:
            raise self.error(begin, "a look-behind needs one fixed width")
        return Look(behind, negated, body)

    def closed(self, begin: int) -> Node:
        body = self.alternatives()
        if not self.eat(")"):
            raise self.error(begin, "a group is not closed")
        return body

    def name(self, begin: int, close: str) -> str:
        match = self.eat_match(NAME)
        if match is None or not self.eat(close):
            raise self.error(begin, "a group name consists of ASCII letters, digits and `_`, and begins with no digit")
        return match[0]


class _Class(int):
    """A byte set that stands for itself in a bracket."""
