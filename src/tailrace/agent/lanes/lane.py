"""One lane: an input, its processors and one flusher's target. It is what its plugins see of the agent.

A batch runs through on the thread that read it: processors, encoding, and into the target's queue. The native calls in it release the
GIL, and slots that all lanes share keep about as many of them at work as there are cores.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from tailrace import telemetry
from tailrace.agent.bystander import foreign
from tailrace.agent.checkpoint import CheckpointWriter
from tailrace.agent.delivery.precedence import class_of
from tailrace.agent.delivery.target import Target
from tailrace.agent.guard import Guard
from tailrace.agent.lanes.route import Route
from tailrace.agent.lanes.slots import PATIENCE_SECS, SMALL_BYTES, Slots, Stopwatch
from tailrace.agent.lanes.streams import Entry, Stream, StreamTable, names_of
from tailrace.agent.status.tally import Tally
from tailrace.agent.supervision import Supervision
from tailrace.batch import EventBatch
from tailrace.errors import TailraceError
from tailrace.pipeline.contract import (
    Identity,
    Input,
    KeepsLosses,
    Outcome,
    Payload,
    Position,
    Processor,
    Range,
    ReportsChanges,
    ReportsSources,
    SourceStatus,
    StreamState,
    Turning,
)
from tailrace.pipeline.labels import Machine
from tailrace.pipeline.model import PipelineConfig
from tailrace.pipeline.platform import Platform
from tailrace.pipeline.policy import ConfigPolicy
from tailrace.pipeline.sharing import Claims, FileBounds
from tailrace.wire.identity import StoredEnd

STOP_SECS = 5.0
CONTENT, RAW_LOG = b"content", b"__raw_log__"
SLOW_SECS = 2.0
"""CPU of one range beyond which its pipeline's patterns are worth a look; a block of 512 KB takes some 20 ms."""
SAMPLE_SHOWN = 200
"""Bytes of a failed event that a log line shows."""


@dataclass(slots=True)
class Surroundings:
    """What all lanes of a worker share."""

    platform: Platform
    checkpoint: CheckpointWriter
    streams: StreamTable
    claims: Claims
    bounds: FileBounds
    policy: ConfigPolicy
    epoch: bytes
    machine: Machine
    finite: bool
    slots: Slots
    guard: Guard
    supervision: Supervision = field(default_factory=Supervision)


class Lane:
    """Implements `InputContext`, `ProcessorContext` and `Sender`."""

    def __init__(
        self, config: PipelineConfig, input_: Input, processors: Sequence[Processor], target: Target, around: Surroundings
    ) -> None:
        self.config = config
        self.pipeline = config.name
        self.failure = ""
        """Why it is over while others go on, or nothing."""
        self.cannot_start = "USER_CONFIG_ALARM"
        """The alarm that says why `start` failed."""
        self.started = self._loaded = False
        self.start_over = threading.Event()
        """Nobody is about to start it any more, whether it was started or not."""
        self.waits_for = ""
        """What keeps it from being started for now, or nothing."""
        self.platform = around.platform
        self.claims = around.claims
        self.bounds = around.bounds
        self.policy = around.policy
        self.finite = around.finite
        self.input = input_
        self.target = target
        self._around = around
        self.machine = around.machine
        self._route = Route.of(config, input_, processors, target.flusher, around.machine)
        self.tally = Tally()
        self._at_work = threading.local()
        self._stopwatch = Stopwatch()
        self._is_slow = False
        """Its last batch took longer than others wait for a slot."""
        self._may_submit = False
        """Its input has been told that there is room: the next range does not wait."""
        self._slot = around.supervision.slot()
        self._waits = False
        """For its target, or for its allowance: it stands still for a reason."""
        self._outstanding = 0
        self._counting = threading.Lock()
        """Held to put something in, and to leave: what comes after its successor has begun is not put in."""
        self._taken: dict[str, Stream] = {}
        self._left = False
        """Its streams are others': an input that has not stopped in time changes nothing of them."""
        self._stopping = threading.Event()
        self._lifecycle = threading.Lock()
        read, events = "tailrace_agent_read_bytes_total", "tailrace_agent_read_events_total"
        self._read_bytes = telemetry.counter(read, "Bytes of ranges that inputs handed over.", "pipeline").labels(config.name)
        self._read_events = telemetry.counter(events, "Events that inputs handed over.", "pipeline").labels(config.name)
        self._lost = telemetry.counter("tailrace_agent_events_total", "Events counted by what became of them.", "pipeline", "what")
        self._log = telemetry.logger("agent.lane")
        around.checkpoint.keep_config(config.version, config.canonical())

    # --- for the agent ----------------------------------------------------------------------------------------------------------
    def load(self, *, lets: type[Exception] | tuple[()] = ()) -> None:
        """Load what its processors need, once. Raises ConfigError, and what is in `lets` as it is."""
        if not self._loaded:
            with foreign(pipeline=self.pipeline, lets=lets):
                self._route.start(self)
            self._loaded = True

    def start(self) -> None:
        """On a thread of its own: replay must be over before."""
        with self._lifecycle:
            if self._stopping.is_set():
                return
            self.cannot_start = "PROCESSOR_INIT_ALARM"
            self.load(lets=OSError)  # the system may be short of something: that passes
            self.cannot_start = "USER_CONFIG_ALARM"
            with foreign(pipeline=self.pipeline, lets=OSError):
                self.input.start(self)
            self.started = True

    def halt(self) -> None:
        """Nothing more is begun; `stop` is to follow."""
        self._stopping.set()
        self.target.share.wake()

    def stop(self, deadline: float) -> None:
        """No `submit` comes through after it returns; another lane may go on with its streams where it stood."""
        self.halt()
        with self._lifecycle:
            took_up = self.is_at_work
            self._stop_input(deadline)
            if self._slot is not None:
                slot, self._slot = self._slot, None
                slot.release()
            with self._counting:
                taken, self._taken = self._taken, {}
                self._left = True
        for stream in taken.values():
            if took_up:
                self._around.streams.take_up(stream, names_of(self.target.flusher))
            self._around.streams.release(stream, self)

    def _stop_input(self, deadline: float) -> None:
        try:
            with foreign(pipeline=self.pipeline):
                self.input.stop(deadline)
        except TailraceError as error:  # whatever it still reads is not put in
            telemetry.alarm("PLUGIN_ALARM", "the input failed while it was stopped", pipeline=self.pipeline, reason=error.message)

    def make_way(self, deadline: float) -> None:
        """As `stop`; when it returns, another lane may take its place."""
        self.stop(deadline)
        self.start_over.wait(max(0.0, deadline - time.monotonic()))

    def fail(self, kind: str, message: str, reason: str) -> None:
        """Stop it, alone. What it did not put in stays as it is, also what it had prepared: it is read again at the next start."""
        self.failure = f"{message}: {reason}"
        self._stopping.set()
        telemetry.alarm(kind, message, pipeline=self.pipeline, reason=reason)
        stop = threading.Thread(target=self.stop, args=(time.monotonic() + STOP_SECS,), name=f"stop {self.pipeline}", daemon=True)
        stop.start()  # the input may be waiting for this very thread

    @property
    def version(self) -> str:
        """Of its config."""
        return self._route.version

    @property
    def idle(self) -> bool:
        """Whether everything that it put in is acknowledged."""
        return not self._outstanding

    @property
    def is_at_work(self) -> bool:
        """Whether its input has begun to read: what stood there when it began is taken up then."""
        return self.started and (not isinstance(self.input, Turning) or bool(self.input.turned_at))

    def runs_on(self, thread: threading.Thread) -> bool:
        """Whether a thread is its input's."""
        return isinstance(self.input, Turning) and self.input.runs_on(thread)

    def stands_still_for(self, now: float) -> float:
        """Seconds that its reader has been in one turn; 0 while it waits for its target, or is not at work."""
        input_ = self.input
        if self._waits or self._stopping.is_set() or not isinstance(input_, Turning) or not input_.turned_at:
            return 0.0
        return now - input_.turned_at

    @property
    def degraded(self) -> str:
        """Why it is not well, or nothing."""
        return self.failure or self.waits_for or self._route.age.degraded

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    @property
    def address(self) -> tuple[str, str]:
        """(project, logstore) that it sends to; of a target that is no logstore: (kind of the target, its address)."""
        config = self.target.flusher.config
        kind, _, address = self.target.flusher.target.partition(":")
        return str(getattr(config, "project", kind)), str(getattr(config, "logstore", address or kind))

    def sources(self) -> list[tuple[SourceStatus, Stream | None]]:
        """What its input says of its streams, each with what we know of it."""
        if not isinstance(self.input, ReportsSources):
            return []
        streams = self._around.streams.find(self.target.flusher.destination, self.input.key)
        return [(source, streams.get(source.stream)) for source in self.input.sources()]

    @property
    def open_streams(self) -> int:
        """How many its input reads."""
        return len(self._taken)

    def lately(self) -> list[tuple[SourceStatus, Stream]]:
        """Of the streams that were read since the last call, or are behind, the same. One caller."""
        found = self.input.lately() if isinstance(self.input, ReportsChanges) else [source for source, _ in self.sources()]
        return [(source, stream) for source in found if (stream := self._taken.get(source.stream)) is not None]

    # --- InputContext -----------------------------------------------------------------------------------------------------------
    @property
    def streams(self) -> Sequence[StreamState]:
        return self._around.streams.states(self.target.flusher.destination, self.input.key)

    def open_stream(self, key: str, position: Position, *, unmoved: bool = False) -> str | None:
        with self._counting:
            if self._left:
                return None
            stream = self._around.streams.open(self, self.target.flusher.destination, self.input.key, key, position, unmoved=unmoved)
            if stream is None:
                return None
            stream.precedence = class_of(self.config.global_options.priority)
            self._taken[stream.id] = stream
            return stream.id

    def remember(self, stream: str, position: Position) -> None:
        with self._counting:
            if not self.failure and (taken := self._taken.get(stream)) is not None:
                taken.left_at = position
                self._around.checkpoint.remember(taken.row, position, taken.next_sequence)

    def stored_end(self, key: str) -> StoredEnd | None:
        table = self._around.streams
        return table.ends_at(table.stream_id(name, self.input.key, key) for name in names_of(self.target.flusher))

    def source_goes(self, stream: str, *, more_comes: bool = False) -> None:
        if taken := self._taken.get(stream):
            self.target.secure(taken, more_comes=more_comes)

    def keep(self, stream: str, descriptor: int) -> None:
        self._around.supervision.keep(stream, descriptor)

    def kept(self, stream: str) -> int | None:
        return self._around.supervision.kept(stream)

    def submit(
        self, batch: EventBatch, *, stream: str, start: int, end: int, position: Position, fingerprint: bytes, readable_at: int
    ) -> bool:
        taken = self._taken.get(stream)
        may_submit, self._may_submit = self._may_submit, False
        if taken is None or self._stopping.is_set() or not (may_submit or self.wait_for_room()):
            return False
        done = Range(stream, taken.take_sequences(1), start, end, position, fingerprint, self._route.version, readable_at)
        return self.send(taken, done, batch, self._route, is_new=True)

    def pause(self, seconds: float) -> bool:
        """Wait; whether the lane is stopping."""
        return self._stopping.wait(seconds)

    def lost(self, stream: Stream, done: Range) -> None:
        """Count a prepared range as lost: neither its source nor the target has its bytes."""
        reason = "they were gone or had changed when they were to be sent again"
        if self.started and isinstance(self.input, KeepsLosses):
            self.input.lost(stream.row.key, done, reason)
            return
        self.count("unread_bytes_deleted", done.end - done.start)
        message = "bytes went away before they were delivered"
        self.alarm("DROP_LOG_ALARM", message, stream=stream.id, start=done.start, end=done.end, reason=reason)

    def wait_for_room(self) -> bool:
        """Until the target's share has room and there is CPU left; False when the lane is stopping."""
        self._waits = True
        try:
            return self._around.guard.wait(self._stopping) and self.target.share.wait(self._stopping)
        finally:
            self._waits = False

    def has_room(self, again: Callable[[], None]) -> bool:
        self._may_submit = self._around.guard.may_read(again) and self.target.share.has_room(again)
        return self._may_submit

    @property
    def lacks_cpu(self) -> bool:
        return self._around.guard.cpu.due_in() > 0 and self.target.share.used < self.target.share.limit

    def send(self, stream: Stream, done: Range, batch: EventBatch, route: Route, *, is_new: bool = False) -> bool:
        """Process, encode and queue one range, new or replayed. False when a plugin failed on it, or another lane has taken this one's
        place meanwhile: then nothing was queued, and the lane is over."""
        route.labels.put(batch)
        self._at_work.failed, self._at_work.tally = 0, stream.tally
        self._read_bytes.inc(done.end - done.start)
        self._read_events.inc(events := len(batch))
        identity = Identity(
            self._around.epoch,
            stream.id,
            done.sequence,
            done.start,
            done.end,
            done.fingerprint,
            acknowledged_below=stream.acknowledged_below,
        )
        try:
            if self._is_slow or done.end - done.start < SMALL_BYTES:
                payloads, decisions = self._process(stream, done, batch, route, identity)
            else:
                with self._around.slots.one():
                    payloads, decisions = self._process(stream, done, batch, route, identity)
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises ends this lane and no other one
            self._log.error("a plugin failed", pipeline=self.pipeline, exc_info=error)
            reason = f"{type(error).__name__}: {error}"
            self.fail("PLUGIN_ALARM", "a plugin failed; the pipeline is stopped, its data is kept", reason)
            return False
        finally:
            self._at_work.tally = None
        done = replace(done, decisions=decisions) if decisions else done
        if not self._put(stream, done, payloads, is_new=is_new):
            return False
        stream.tally.add(done.end - done.start, events, self._at_work.failed)
        self.tally.add_all(in_events=events, in_bytes=done.end - done.start)
        return True

    def _process(
        self, stream: Stream, done: Range, batch: EventBatch, route: Route, identity: Identity
    ) -> tuple[Sequence[Payload], Sequence[bytes]]:
        """Payloads of a range, and what its processors decided. Meanwhile the black box names the range: whoever dies of it is known."""
        slot, began = self._slot, self._stopwatch.begin()
        if slot is not None:
            slot.begin(self.pipeline, self.version, stream.id, done.start, done.end)
        try:
            decisions = done.decisions if self._set_aside(stream, done, batch) else route.process(batch, done.decisions)
            route.age.apply(batch, done, self)
            payloads = route.payloads(batch, identity)
        finally:
            if slot is not None:
                slot.done()
        took = self._stopwatch.took(began)
        self._is_slow = took > PATIENCE_SECS
        if took > SLOW_SECS:
            message = "a range of a stream kept a core busy for long"
            telemetry.alarm("PROCESS_TOO_SLOW_ALARM", message, pipeline=self.pipeline, seconds=round(took, 1), stream=stream.id)
        return payloads, decisions

    def _put(self, stream: Stream, done: Range, payloads: Sequence[Payload], *, is_new: bool) -> bool:
        """Queue a range, unless its stream is another's by now: that one has read the same bytes, or will."""
        entry = Entry(stream, done, len(payloads), len(payloads), sum(payload.events for payload in payloads), self)
        with self._counting:
            if self._left:
                return False
            stream.committed_end = done.start if stream.committed_end is None else stream.committed_end
            self._outstanding += 1
            self.target.submit(entry, payloads, self.input.on_durable)
            if is_new:
                stream.left_at = done.position
        return True

    def _set_aside(self, stream: Stream, done: Range, batch: EventBatch) -> bool:
        """Whether workers died of a range: its lines are delivered as they are then."""
        if not self._around.supervision.quarantine.covers(self.pipeline, self.version, stream.id, done.start, done.end):
            return False
        sample = (batch.column(CONTENT) or [b""])[0] or b""
        batch.rename(CONTENT, RAW_LOG)
        self.failed("the pipeline", len(batch), "the worker died of these lines; they are kept raw", sample)
        return True

    # --- Sender -----------------------------------------------------------------------------------------------------------------
    def acknowledged(self, ranges: int, events: int) -> None:
        with self._counting:
            self._outstanding -= ranges
        self.tally.add_all(out_events=events, acknowledged_ranges=ranges)

    def handed_over(self) -> None:
        with self._counting:
            self._outstanding -= 1

    def retried(self, events: int, outcome: Outcome) -> None:
        self.tally.add("retried", events)
        self.tally.add(f"requests_{outcome.value}")

    def end_stream(self, stream: str) -> None:
        if self.failure:  # its input may be past what was not put in
            return
        self._route.age.forget(stream)
        with self._counting:
            if (taken := self._taken.pop(stream, None)) is not None:
                self.target.end(taken)

    def leave_stream(self, stream: str, position: Position) -> None:
        with self._counting:
            if not self.failure and (taken := self._taken.pop(stream, None)) is not None:
                self._around.streams.take_up(taken, names_of(self.target.flusher))  # before another one opens it
                self._around.streams.leave(taken, position)

    def alarm(self, kind: str, message: str, **values: object) -> None:
        telemetry.alarm(kind, message, pipeline=self.pipeline, **values)
        if isinstance(path := values.get("path"), str):
            self.tally.went_wrong(path, kind, f"{message}: {values['reason']}" if "reason" in values else message)

    def resolved(self, kind: str, **about: object) -> None:
        telemetry.resolved(kind, pipeline=self.pipeline, **about)

    def count(self, name: str, amount: int = 1) -> None:
        self._lost.labels(self.pipeline, name).inc(amount)
        self.tally.add(name, amount)
        if (tally := getattr(self._at_work, "tally", None)) is not None:
            tally.because(name, amount)

    # --- ProcessorContext -------------------------------------------------------------------------------------------------------
    def failed(self, plugin: str, count: int, reason: str, sample: bytes = b"", *, alarm: str = "PARSE_LOG_FAIL_ALARM") -> None:
        self.count("failed", count)
        self.tally.because(plugin, reason, count)
        self._at_work.failed = getattr(self._at_work, "failed", 0) + count
        shown = sample[:SAMPLE_SHOWN].decode("utf-8", "replace")
        if (tally := getattr(self._at_work, "tally", None)) is not None:
            tally.because(alarm, count, shown)
        telemetry.alarm(alarm, reason, pipeline=self.pipeline, plugin=plugin, events=count, sample=shown)

    def discarded(self, plugin: str, count: int, reason: str) -> None:
        self.count("discarded", count)
        self.tally.because(plugin, reason, count)
        self._log.debug("events discarded on purpose", pipeline=self.pipeline, plugin=plugin, events=count, reason=reason)
