"""What a session is made of at present: its lanes, in groups that share streams, and its targets."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tailrace.agent.bystander import foreign
from tailrace.agent.delivery.target import Target
from tailrace.agent.lanes.lane import Lane, Surroundings
from tailrace.pipeline.contract import Claiming, Flusher
from tailrace.pipeline.model import ConfiguredPlugin, PipelineConfig

QUEUE_BYTES = 32 * 1_048_576
"""For all targets together; each has an equal share of it."""
TARGET_BYTES = 8 * 1_048_576
LEAST_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Built:
    """The lanes of one pipeline, and those of their targets that were not at work then, by what names them."""

    lanes: list[Lane]
    targets: dict[str, Target]
    made: Sequence[Target] = ()
    """Those of the targets that were made for it."""


@dataclass(slots=True)
class Group:
    """The lanes that share streams: same target, same input key."""

    lanes: list[Lane] = field(default_factory=list[Lane])

    @property
    def target(self) -> Target:
        return self.lanes[0].target


class Assembly:
    """Belongs to the event loop; any thread may read."""

    def __init__(self, around: Surroundings, make_target: Callable[[Flusher], Target], drop_target: Callable[[Target], None]) -> None:
        """`drop_target` is given what was made and never set to work."""
        self._around = around
        self._make_target = make_target
        self._drop_target = drop_target
        self.targets: dict[str, Target] = {}
        """By the flusher's whole document: pipelines with the same one share the target."""
        self.groups: dict[tuple[str, str], Group] = {}
        self.replaying: dict[tuple[str, str], Lane] = {}
        """By (target, input key): lanes of former pipelines (`lanes.orphans`). They are none of `lanes`."""

    @property
    def lanes(self) -> list[Lane]:
        return [lane for group in self.groups.values() for lane in group.lanes]

    @property
    def versions(self) -> dict[str, str]:
        """Pipeline → version, of those that have not failed."""
        return {lane.pipeline: lane.version for lane in self.lanes if not lane.failure}

    def build(self, pipeline: PipelineConfig, beside: Sequence[Built] = ()) -> Built:
        """All that a resolved pipeline needs to run, and nothing that shows outside; `beside` was built to run with it. ConfigError."""
        known = {**self.targets, **{name: target for one in beside for name, target in one.targets.items()}}
        lanes: list[Lane] = []
        targets: dict[str, Target] = {}
        made: list[Target] = []
        with foreign(pipeline=pipeline.name), ExitStack() as undo:
            undo.callback(lambda: self.discard(Built(lanes, {}, made)))
            for plugin in pipeline.flushers:
                flusher: Flusher = plugin.build()
                name = name_of(plugin)
                if flusher.limits.max_bytes_per_sec:
                    name += pipeline.name  # it has the rate for itself
                target = known.get(name) or targets.get(name)
                if target is None:
                    made.append(target := self._make_target(flusher))
                targets[name] = target
                for input_ in pipeline.inputs:
                    processors = [processor.build() for processor in pipeline.processors]
                    lanes.append(Lane(pipeline, input_.build(), processors, target, self._around))
            undo.pop_all()
        return Built(lanes, {name: target for name, target in targets.items() if name not in self.targets}, made)

    def discard(self, built: Built) -> None:
        """It is not to run after all."""
        for lane in built.lanes:
            lane.stop(0.0)
        for target in built.made:
            self._drop_target(target)

    def put(self, built: Built) -> None:
        self.targets |= built.targets
        self.share()
        for pipeline in {lane.pipeline for lane in built.lanes if not isinstance(lane.input, Claiming)}:
            self._around.claims.withdraw(pipeline)  # of its version before, which may have claimed
        for lane in built.lanes:
            if isinstance(lane.input, Claiming):
                lane.input.stake(lane.pipeline, self._around.claims)
            self.groups.setdefault((lane.target.flusher.destination, lane.input.key), Group()).lanes.append(lane)

    def take_out(self, lanes: Sequence[Lane], *, come_back: bool = False) -> None:
        """Their targets stay; so do their claims when they `come_back` in another version, lest others take their files meanwhile."""
        for group in self.groups.values():
            group.lanes = [lane for lane in group.lanes if lane not in lanes]
        self.groups = {key: group for key, group in self.groups.items() if group.lanes}
        for pipeline in set() if come_back else {lane.pipeline for lane in lanes}:
            self._around.claims.withdraw(pipeline)

    def take_idle_targets(self) -> list[Target]:
        """Those that no pipeline has any more, and that have delivered all that they had: they are taken out."""
        used = {lane.target for lane in (*self.lanes, *self.replaying.values())}
        gone = {name: target for name, target in self.targets.items() if target not in used and target.idle}
        self.targets = {name: target for name, target in self.targets.items() if name not in gone}
        self.share()
        return list(gone.values())

    def share(self) -> None:
        """What may wait, among the targets."""
        bound = min(TARGET_BYTES, max(QUEUE_BYTES // max(1, len(self.targets)), LEAST_BYTES))
        for target in self.targets.values():
            target.share.bound(bound)


def name_of(plugin: ConfiguredPlugin) -> str:
    """Of the target that a flusher's config makes."""
    return json.dumps(plugin.document(), sort_keys=True)
