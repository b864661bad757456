"""In which order what stood at one path is read: what is `after` a generation waits until that one has been read to its end."""

import itertools
from collections.abc import Sequence

from tailrace.inputs.file.generation import Generation


def read_after(first: Generation, second: Generation) -> None:
    """What is over is waited for no longer, and nothing waits for what waits for it: neither would ever be read."""
    if not (first.ended or first.comes_after(second)):
        second.after = first
        first.followers.append(second)


def line_up(generation: Generation, chain: Sequence[Generation], last: Sequence[Generation]) -> None:
    """The chain takes the place that `generation` had; `last` is read after the whole of it."""
    if generation.after is not None and generation not in chain[:1]:
        first, generation.after = generation.after, None
        first.followers.remove(generation)
        chain = [first, *chain]
    if not chain:
        for follower in last:
            follower.after = None
    for first, second in itertools.pairwise(chain):
        read_after(first, second)
    for follower in last if chain else ():
        read_after(chain[-1], follower)


def put_between(known: Sequence[Generation], at: int) -> None:
    """Read the one at this place of `known` after the one before it, and before the next one, unless that has been begun."""
    one = known[at]
    first = known[at - 1] if at else None
    second = known[at + 1] if at + 1 < len(known) else None
    begun = second is not None and (second.offset or second.after not in (None, first))
    if second is not None and not begun and not (first is not None and first.comes_after(second)):
        if second.after is not None:
            second.after.followers.remove(second)
        read_after(one, second)
    if first is not None:
        read_after(first, one)
