"""Which consumer of a group holds which shard.

A shard has one holder at a time. Who holds more than its share is told to let the rest go, and whoever waits for them gets them once the
holder's heartbeat no longer lists them, or has not come for as long as the group allows. What a consumer holds already it keeps before it
gets others.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Assignment:
    """Of one group. `clock` is in seconds; only differences count."""

    clock: Callable[[], float]
    holders: dict[int, str] = field(default_factory=dict)
    """Shard → consumer."""
    _beats: dict[str, float] = field(default_factory=dict)
    _told: dict[str, set[int]] = field(default_factory=dict)
    """What each consumer was told to hold by the last answer."""

    @classmethod
    def restored(cls, clock: Callable[[], float], holders: Mapping[int, str]) -> "Assignment":
        """Those who held shards before the server was started have as long as the group allows to come back to them."""
        now = clock()
        return cls(clock, dict(holders), dict.fromkeys(holders.values(), now))

    def beat(self, consumer: str, held: Collection[int], shards: Iterable[int], silence_secs: float) -> list[int]:
        """What the consumer should hold from now on, after it said what it holds. `shards` are those that are to be read."""
        now = self.clock()
        self._beats[consumer] = now
        self._expire(now - silence_secs)
        self._let_go(consumer, held)
        wanted = sorted(shards)
        for shard in held:
            self.holders.setdefault(shard, consumer)
        share = self._share(consumer, wanted)
        own = [shard for shard in wanted if self.holders.get(shard) == consumer][:share]
        free = [shard for shard in wanted if shard not in self.holders][: share - len(own)]
        self.holders.update(dict.fromkeys(free, consumer))
        self._told[consumer] = {*own, *free}
        return sorted(self._told[consumer])

    def _expire(self, before: float) -> None:
        for consumer in [name for name, at in self._beats.items() if at < before]:
            del self._beats[consumer]
            self._told.pop(consumer, None)
        self.holders = {shard: holder for shard, holder in self.holders.items() if holder in self._beats}

    def _let_go(self, consumer: str, held: Collection[int]) -> None:
        """What it was told to let go and lists no more; of an answer that it may not have got nothing is taken away."""
        kept = {*held, *self._told.get(consumer, self.holders)}
        self.holders = {shard: holder for shard, holder in self.holders.items() if holder != consumer or shard in kept}

    def _share(self, consumer: str, wanted: Sequence[int]) -> int:
        """As many as any other, or one more; those who hold most have the extra ones."""
        counts = Counter(self.holders.get(shard, "") for shard in wanted)
        ranked = sorted(self._beats, key=lambda name: (-counts[name], name))
        each, more = divmod(len(wanted), len(ranked))
        return each + (ranked.index(consumer) < more)
