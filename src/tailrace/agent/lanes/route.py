"""What makes payloads of a range: the processors and all that follows them, of one version of a config."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tailrace.agent.lanes.age import AgeRule
from tailrace.batch import EventBatch
from tailrace.pipeline.contract import Aggregator, Deciding, Flusher, Group, Identity, Input, Payload, Processor, ProcessorContext
from tailrace.pipeline.labels import Labels, Machine
from tailrace.pipeline.model import PipelineConfig


@dataclass(frozen=True, slots=True)
class Route:
    """How a range of one config becomes payloads: its version, its labels, the processors, the rule of age, the aggregator, the
    flusher's encoding."""

    version: str
    labels: Labels
    processors: Sequence[Processor]
    deciding: Sequence[Deciding | None]
    """Of each processor, whether it decides: asked once, for the question takes longer than many an answer."""
    age: AgeRule
    aggregator: Aggregator | None
    encode: Callable[[EventBatch, Identity, Sequence[Group]], list[Payload]]

    @classmethod
    def of(cls, config: PipelineConfig, input_: Input, processors: Sequence[Processor], flusher: Flusher, machine: Machine) -> "Route":
        options = config.global_options
        encode = partial(flusher.encode, nanoseconds=True) if options.enable_timestamp_nanosecond else flusher.encode
        aggregator = config.aggregators[0].build() if config.aggregators else None
        labels, age = Labels(options, input_.config, machine), AgeRule.of(options)
        deciding = [processor if isinstance(processor, Deciding) else None for processor in processors]
        return cls(config.version, labels, processors, deciding, age, aggregator, encode)

    def start(self, context: ProcessorContext) -> None:
        """Load what its plugins need. Raises ConfigError."""
        for processor in self.processors:
            processor.start(context)
        if self.aggregator is not None:
            self.aggregator.start(context)

    def process(self, batch: EventBatch, decided: Sequence[bytes]) -> tuple[bytes, ...]:
        """Run the processors; what they decided. `decided` is what they decided about the same range before."""
        decisions: list[bytes] = []
        for processor, deciding in zip(self.processors, self.deciding, strict=True):
            if deciding is None:
                processor.process(batch)
            elif len(decisions) < len(decided):
                decisions.append(decided[len(decisions)])
                deciding.repeat(batch, decisions[-1])
            else:
                decisions.append(deciding.decide(batch))
        return tuple(decisions)

    def payloads(self, batch: EventBatch, identity: Identity) -> list[Payload]:
        """What is left of a batch, as log groups."""
        if not len(batch):
            return []
        return self.encode(batch, identity, self.aggregator.group(batch) if self.aggregator else ())
