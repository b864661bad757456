"""How the key space is cut: it is covered once whatever is split and merged."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace.errors import ApiError
from tailrace.server.db import sharding
from tailrace.server.db.records import Shard

FIRST, LAST = "0" * 32, "f" * 32


def shards(*changes: tuple[str, int]) -> list[Shard]:
    """One shard, after splits in the middle and merges."""
    made = [Shard(0, "readwrite", FIRST, LAST, 1)]
    for now, (action, number) in enumerate(changes, 2):
        try:
            closed, ranges = (
                sharding.split(made, number, sharding.even_keys(made, number, 2)) if action == "split" else sharding.merge(made, number)
            )
        except ApiError:
            continue
        made = [Shard(s.id, "readonly", s.begin, s.end, s.created, now) if s.id in closed else s for s in made]
        made += [Shard(len(made) + n, "readwrite", begin, end, now) for n, (begin, end) in enumerate(ranges)]
    return made


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["split", "merge"]), st.integers(0, 12)), max_size=20))
def test_shards_that_take_writes_cover_all_keys_once(changes: list[tuple[str, int]]) -> None:
    made = shards(*changes)
    open_ones = sorted((shard for shard in made if shard.status == "readwrite"), key=lambda shard: shard.begin)
    assert (open_ones[0].begin, open_ones[-1].end) == (FIRST, LAST)
    assert all(left.end == right.begin for left, right in pairwise(open_ones))
    assert [each.id for each in sharding.writable(made)] == [shard.id for shard in open_ones]


def test_a_shard_comes_after_all_that_had_its_keys() -> None:
    made = shards(("split", 0), ("split", 1), ("merge", 3))
    assert [(shard.id, shard.begin[:2], shard.end[:2]) for shard in made[-3:]] == [(3, "00", "40"), (4, "40", "80"), (5, "00", "80")]
    assert [each.id for each in sharding.ancestors(made, made[5])] == [0, 1, 3, 4]
    assert [each.id for each in sharding.ancestors(made, made[2])] == [0]


@pytest.mark.parametrize(
    ("work", "code", "words"),
    [
        (lambda s: sharding.split(s, 0, ["8" + "0" * 31]), "ParameterInvalid", "shard 0 is read-only"),
        (lambda s: sharding.split(s, 7, ["8" + "0" * 31]), "ShardNotExist", "no shard 7"),
        (lambda s: sharding.split(s, 1, [FIRST]), "ParameterInvalid", "is not between"),
        (lambda s: sharding.split(s, 1, [LAST]), "ParameterInvalid", "is not between"),
        (lambda s: sharding.split(s, 1, sharding.even_keys(s, 1, 300)), "ParameterInvalid", "256 shards"),
        (lambda s: sharding.merge(s, 2), "ParameterInvalid", "is the last one"),
        (lambda s: sharding.merge(s, 0), "ParameterInvalid", "shard 0 is read-only"),
    ],
)
def test_what_cannot_be_done_is_refused(work, code: str, words: str) -> None:
    with pytest.raises(ApiError, match=words) as raised:
        work(shards(("split", 0)))
    assert raised.value.error_code == code


def test_what_is_read_only_goes_with_its_data() -> None:
    made = [Shard(0, "readonly", FIRST, LAST, 1, 1000), Shard(1, "readwrite", FIRST, LAST, 1000)]
    day = 86_400
    assert [len(sharding.readable(made, 7, 1000 + age * day)) for age in (0, 7, 8)] == [2, 2, 1]
    assert len(sharding.readable(made, 3650, 1000 + 4000 * day)) == 2
