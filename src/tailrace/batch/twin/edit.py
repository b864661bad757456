"""Shaping rows: filter, mask, rename, drop, add, set."""

import re
from collections.abc import Callable, Iterable, Sequence, Set
from functools import cache, partial
from itertools import repeat

from tailrace.batch.twin.pattern import Pattern
from tailrace.batch.twin.table import Keys, Move, Table, Values, move_of

TEMPLATE = re.compile(rb"\\([1-9\\])")


def matching(table: Table, conditions: Sequence[tuple[bytes, Pattern]], combine: Callable[[Iterable[bool]], bool]) -> list[bool]:
    """Per row whether all, or any, of the conditions hold: the field is there and its whole value matches."""
    columns = [matches(table.column(key), pattern) for key, pattern in conditions]
    return [combine(row) for row in zip(*columns, strict=True)] if columns else [combine(())] * len(table)


def matches(column: list[bytes | None], pattern: Pattern, *, anywhere: bool = False) -> list[bool]:
    """Per row whether the value is there and matches in full, or anywhere in it."""
    match = pattern.compiled.search if anywhere else pattern.compiled.fullmatch
    return [value is not None and match(value) is not None for value in column]


def utf8_rows(table: Table) -> list[bool]:
    """Per row whether all its keys and values are UTF-8."""
    names = {keys: all(map(_is_utf8, keys)) for keys in set(table.keys)}
    return [names[keys] and all(map(_is_utf8, values)) for keys, values in zip(table.keys, table.values, strict=True)]


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def mask(table: Table, source: bytes, pattern: Pattern, replacement: bytes, *, all_matches: bool) -> None:
    """`re` has no limits that a value could hit: no row fails."""
    pieces = _pieces(replacement, pattern.groups)
    added: list[Values] = [()] * len(table)
    moves: list[Move | None] = [None] * len(table)
    move_for = cache(partial(_overwrite, key=source))
    for row, value in enumerate(table.column(source)):
        masked = None if value is None else _masked(value, pattern.compiled, pieces, all_matches=all_matches)
        if masked is not None:
            added[row], moves[row] = (masked,), move_for(table.keys[row])
    if any(moves):
        table.move(moves, added)


def _pieces(replacement: bytes, groups: int) -> list[bytes | int]:
    """The replacement as literals and numbers of groups."""
    pieces: list[bytes | int] = []
    for index, piece in enumerate(TEMPLATE.split(replacement)):
        if index % 2 == 0 or piece == b"\\":
            pieces.append(piece)
        else:
            pieces.append(int(piece))
    largest = max((piece for piece in pieces if isinstance(piece, int)), default=0)
    if largest > groups:
        raise ValueError(f"the replacement refers to group {largest}, but the pattern has {groups} groups")
    return pieces


def _masked(value: bytes, pattern: re.Pattern[bytes], pieces: list[bytes | int], *, all_matches: bool) -> bytes | None:
    """None when there is nothing to replace. Empty matches are passed over, and the search goes on one byte further."""
    made: list[bytes] = []
    copied = at = 0
    while at <= len(value) and (match := pattern.search(value, at)):
        begin, end = match.span()
        if begin == end:
            at = end + 1
            continue
        made.append(value[copied:begin])
        made += [piece if isinstance(piece, bytes) else match[piece] or b"" for piece in pieces]
        copied = at = end
        if not all_matches:
            break
    return b"".join([*made, value[copied:]]) if made else None


def rename(table: Table, old: bytes, new: bytes) -> int:
    if old == new:
        return 0
    move_for = cache(partial(_renaming, old=old, new=new))
    moves = list(map(move_for, table.keys))
    changed = len(moves) - moves.count(None)
    if changed:
        table.move(moves, list(repeat((), len(table))))
    return changed


def _renaming(keys: Keys, old: bytes, new: bytes) -> Move | None:
    if old not in keys:
        return None
    return move_of([(new if key == old else key, index) for index, key in enumerate(keys) if key != new])


def drop(table: Table, names: Sequence[bytes]) -> None:
    move_for = cache(partial(_dropping, gone=set(names)))
    table.move(list(map(move_for, table.keys)), list(repeat((), len(table))))


def _dropping(keys: Keys, gone: Set[bytes]) -> Move | None:
    if gone.isdisjoint(keys):
        return None
    return move_of([(key, index) for index, key in enumerate(keys) if key not in gone])


def drop_first(table: Table, name: bytes, rows: Sequence[bool]) -> None:
    """Of the rows that `rows` names the first field called `name` goes."""
    move_for = cache(partial(_dropping_first, name=name))
    moves = [move_for(keys) if wanted else None for keys, wanted in zip(table.keys, rows, strict=True)]
    table.move(moves, list(repeat((), len(table))))


def _dropping_first(keys: Keys, name: bytes) -> Move:
    return move_of([(key, index) for index, key in enumerate(keys) if index != keys.index(name)])


def add(table: Table, key: bytes, value: bytes, *, overwrite: bool) -> None:
    move_for = cache(partial(_overwrite, key=key))
    moves = [move_for(keys) if overwrite or key not in keys else None for keys in table.keys]
    table.move(moves, list(repeat((value,), len(table))))


def set_column(table: Table, key: bytes, values: Sequence[bytes | None]) -> None:
    overwrite, remove = cache(partial(_overwrite, key=key)), cache(partial(_dropping, gone=frozenset((key,))))
    moves: list[Move | None] = []
    for keys, old, new in zip(table.keys, table.column(key), values, strict=True):
        moves.append(None if old == new else remove(keys) if new is None else overwrite(keys))
    table.move(moves, [() if value is None else (value,) for value in values])


def _overwrite(keys: Keys, key: bytes) -> Move:
    """The first field called `key` takes the new value; a row without it gets it at its end."""
    new = len(keys)
    fields = [(name, index) for index, name in enumerate(keys)]
    if key in keys:
        fields[keys.index(key)] = (key, new)
    else:
        fields.append((key, new))
    return move_of(fields)
