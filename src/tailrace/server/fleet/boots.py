"""Which start of an agent holds its id (DESIGN §4.5): a copied home brings a second one that claims it, and one of the two has to go."""

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tailrace.server.db.records import Agent


@dataclass(frozen=True, slots=True)
class Boot:
    """One start of an agent: a random id, those of starts before it on the same home, and the machine it happened on. `knows_it_is_older`:
    it has noted durably what `Boots.is_older` says."""

    id: str
    before: frozenset[str]
    machine_id: str
    knows_it_is_older: bool = False


class Verdict(enum.Enum):
    HOLDS = "holds"
    TAKES = "takes"
    """It holds the id from now on, after a start that is over."""
    OUSTS = "ousts"
    """It holds the id from now on, in place of one that is alive: that one's keys must go."""
    CONFLICT = "conflict"
    NEW_CONFLICT = "new conflict"
    """The first time that this one is turned away: the keys that it may have copied must go."""


@dataclass(slots=True)
class _Known:
    machine_id: str
    seen_at: float
    ended: set[str] = field(default_factory=set[str])
    """Starts whose successor said so."""
    turned_away: set[str] = field(default_factory=set[str])
    is_older: bool = False
    """What its holder has to be told; kept until one of its starts has noted it."""


class Boots:
    """Remembers when each agent's holder was heard of last. `live_secs` of silence end a start."""

    def __init__(self, live_secs: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._live_secs = live_secs
        self._clock = clock
        self._began_at = clock()
        self._known: dict[str, _Known] = {}

    def judge(self, agent: Agent, boot: Boot) -> Verdict:
        """`agent.boot_id` is the holder so far; the caller makes `boot` the holder when the verdict says so."""
        now = self._clock()
        known = self._known.setdefault(agent.id, _Known(agent.machine_id, self._began_at))
        verdict = self._verdict(agent, boot, known, now)
        if verdict in (Verdict.HOLDS, Verdict.TAKES, Verdict.OUSTS):
            if verdict is Verdict.TAKES and agent.boot_id:
                known.ended.add(agent.boot_id)
            if verdict is Verdict.OUSTS:
                known.turned_away.add(agent.boot_id)
            if verdict is not Verdict.HOLDS:
                goes_on = verdict is Verdict.TAKES and agent.boot_id in boot.before
                known.is_older = known.is_older if goes_on else bool(agent.boot_id) and agent.boot_id not in boot.before
            known.is_older = known.is_older and not boot.knows_it_is_older
            known.machine_id, known.seen_at = boot.machine_id, now
            known.turned_away.discard(boot.id)
        else:
            known.turned_away.add(boot.id)
        return verdict

    def is_older(self, agent_id: str) -> bool:
        """Whether the start that holds the id knows nothing of the one before it: its home is an older copy of what that one had."""
        known = self._known.get(agent_id)
        return known is not None and known.is_older

    def _verdict(self, agent: Agent, boot: Boot, known: _Known, now: float) -> Verdict:
        silent = not agent.boot_id or now - known.seen_at > self._live_secs
        if boot.id in known.turned_away and not (silent and boot.machine_id == agent.machine_id):
            return Verdict.CONFLICT
        if boot.id == agent.boot_id:
            return Verdict.HOLDS
        if silent:
            return Verdict.TAKES
        here, there = boot.machine_id == agent.machine_id, known.machine_id == agent.machine_id
        if boot.id in known.ended:  # it is alive: who said that it had ended has copied its home
            return Verdict.OUSTS if here >= there else Verdict.NEW_CONFLICT
        if agent.boot_id in boot.before:
            return Verdict.TAKES
        return Verdict.OUSTS if here and not there else Verdict.NEW_CONFLICT
