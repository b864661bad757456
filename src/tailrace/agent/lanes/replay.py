"""Reading prepared ranges again after a restart: the same bytes, the same numbers, the config of that time (DESIGN §4.3, Agent 1)."""

from dataclasses import dataclass, field, replace

from tailrace import telemetry
from tailrace.agent.bystander import foreign
from tailrace.agent.lanes.inquiry import Inquiry
from tailrace.agent.lanes.lane import Lane
from tailrace.agent.lanes.route import Route
from tailrace.agent.lanes.streams import Entry, Stream, StreamTable
from tailrace.agent.spool import Found
from tailrace.batch import EventBatch
from tailrace.errors import ConfigError
from tailrace.pipeline.contract import Flusher, FlusherContext, Input, Range, StreamState
from tailrace.pipeline.loading import from_canonical, resolve
from tailrace.pipeline.model import PipelineConfig


@dataclass(slots=True)
class Replay:
    """Replays for one lane. It builds the plugins of old configs once each, and never starts their inputs."""

    lane: Lane
    streams: StreamTable
    configs: dict[str, str]
    """Version → canonical text, from the checkpoint."""
    flusher_context: FlusherContext
    inquiry: Inquiry
    """Takes what cannot be read again."""
    kept: Found
    """What the spool has: it comes from there."""
    _built: dict[str, tuple[Input, Route]] = field(default_factory=dict[str, tuple[Input, Route]], init=False)
    _left: list[tuple[Stream, StreamState]] | None = field(default=None, init=False)

    def run(self) -> int:
        """Replay what this lane's streams have prepared; how many ranges. ConfigError: what is left of them stays prepared. OSError:
        another call goes on where this one stopped."""
        if self._left is None:
            self._left = self.streams.take_prepared(self.lane.target.flusher.destination, self.lane.input.key)
        count = 0
        for stream, state in self._left:
            while state.prepared:
                if (found := self.kept.pop((stream.id, state.prepared[0].sequence), None)) is not None:
                    self.lane.target.adopt(stream, found[1], found[0])
                elif not self.lane.wait_for_room() or not self._again(stream, state, state.prepared[0]):
                    return count
                del state.prepared[0]
                stream.to_replay -= 1
                count += 1
        return count

    def give_back(self) -> None:
        """What is left goes to the lane that takes this one's place."""
        for stream, state in self._left or ():
            if state.prepared:
                self.streams.give_back(stream, state.prepared)
        self._left = []

    def has_room(self, entry: Entry) -> bool:
        """Whether a range that is under way already may be put in once more: there is room, or what takes it may be waiting for this."""
        share = self.lane.target.share
        return entry.stream.waits_for(entry.range) or share.used < share.limit

    def holds(self, stream: Stream, done: Range) -> bool:
        """Whether the source has the bytes of a range. ConfigError when nothing can be built that reads it, or
        that fails; OSError."""
        input_, _ = self._built_for(done.config_version)
        return self._read(input_, replace(self.streams.state_of(stream), prepared=[]), done) is not None

    def once(self, stream: Stream, done: Range) -> bool:
        """Replay a range that was to come from the spool, and is not there any more. False when the lane is over: it was not put in.
        ConfigError: it stays prepared. OSError: it may be tried again."""
        return self._again(stream, self.streams.state_of(stream), done)

    def _again(self, stream: Stream, state: StreamState, done: Range) -> bool:
        """False when the lane is over: a plugin failed on it, or another lane has taken its place."""
        input_, route = self._built_for(done.config_version)
        batch = self._read(input_, state, done)
        if batch is None:
            self.inquiry.add(stream, done)
            return True
        if route.version != done.config_version:  # what other processors decided says nothing to these
            done = replace(done, decisions=())
        return self.lane.send(stream, done, batch, route)

    def _read(self, input_: Input, state: StreamState, done: Range) -> EventBatch | None:
        with foreign(pipeline=self.lane.pipeline, lets=OSError):
            return input_.replay(self.lane, state, done)

    def _built_for(self, version: str) -> tuple[Input, Route]:
        if version not in self._built:
            self._built[version] = self._as_then(version) or self._as_now()
        return self._built[version]

    def _as_then(self, version: str) -> tuple[Input, Route] | None:
        text, reason = self.configs.get(version), "it is not known, or led elsewhere"
        try:
            with foreign(pipeline=self.lane.pipeline, lets=OSError):
                built = self._build(resolve(from_canonical(text), self.lane.policy)) if text is not None else None
        except ConfigError as error:
            built, reason = None, error.message
        if built is None:
            message = "the config of prepared ranges cannot be built any more; they are sent by the present one"
            telemetry.alarm("USER_CONFIG_ALARM", message, pipeline=self.lane.pipeline, version=version, reason=reason)
        return built

    def _as_now(self) -> tuple[Input, Route]:
        """The bytes are there, so they are sent: shaped otherwise than before is better than not at all. ConfigError."""
        with foreign(pipeline=self.lane.pipeline, lets=OSError):
            built = self._build(self.lane.config)
        if built is None:
            raise ConfigError("neither the config of prepared ranges nor the present one can be built; the ranges are kept")
        return built

    def _build(self, config: PipelineConfig) -> tuple[Input, Route] | None:
        """Its input and route to this lane's target; None when it has none. ConfigError."""
        inputs: list[Input] = [plugin.build() for plugin in config.inputs]
        flushers = [plugin.build() for plugin in config.flushers]
        input_ = next((one for one in inputs if one.key == self.lane.input.key), None)
        flusher = next((one for one in flushers if self._delivers_there(one)), None)
        if input_ is None or flusher is None:
            return None
        processors = [plugin.build() for plugin in config.processors]
        route = Route.of(config, input_, processors, flusher, self.lane.machine)
        route.start(self.lane)
        return input_, route

    def _delivers_there(self, flusher: Flusher) -> bool:
        """Whether it is the one whose ranges are replayed. It is started then."""
        try:
            flusher.start(self.flusher_context)
        except ConfigError:
            return False
        return flusher.destination == self.lane.target.flusher.destination
