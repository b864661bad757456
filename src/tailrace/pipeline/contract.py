"""What a plugin is: the four kinds, their contexts, and what passes between them.

A pipeline at work is a set of *lanes*, one per flusher: input → processors (→ aggregator) → flusher. Each lane has its own streams and
cursors, so that one slow target never moves or holds another's position (DESIGN §4.3).

Guarantees the agent gives to plugins
- `start` is called once, on a thread of the agent; peer libraries are loaded there and not at import.
- An input's `submit` calls for one stream come from one thread, in stream order; they block while the lane is over its budget.
- `process` is called for one batch at a time per lane, in stream order.
- `send` is called on the agent's one event loop and must not block it.
"""

import enum
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from tailrace.batch import EventBatch
from tailrace.pipeline.config import PluginConfig
from tailrace.pipeline.platform import Platform
from tailrace.pipeline.sharing import Claims, FileBounds
from tailrace.wire.identity import Identity, StoredEnd

Position: TypeAlias = dict[str, Any]
"""Where an input stands in one stream. Opaque to all but the input that owns it, kept as JSON; its key `v` is the version of its layout."""


@dataclass(frozen=True, slots=True)
class Range:
    """The part `[start, end)` of a stream that one batch covers. Bytes for files; any rising count for other inputs."""

    stream: str
    """Persistent id of the stream: 16 upper-case hex digits, the pack id's first half."""
    sequence: int
    start: int
    end: int
    position: Position
    """The stream's position when this range is done."""
    fingerprint: bytes
    """`tailrace.batch.fingerprint` of the raw bytes `[start, end)`."""
    config_version: str
    """The pipeline config that made it; a replay uses the same."""
    readable_at: int = 0
    """When its bytes could first be read (`InputContext.submit`): a replay discards by age exactly what the first pass did."""
    decisions: tuple[bytes, ...] = ()
    """What its processors decided about it (`Deciding`), in their order; a replay repeats that."""


@dataclass(slots=True)
class StreamState:
    """What the checkpoint knows of one stream of a lane when the input starts."""

    id: str
    key: str
    """The input's own name for this stream's generation (for a file: device, inode, birth time)."""
    committed: Position
    """Position at the end of the acknowledged prefix."""
    next: Position
    """Position after the last prepared range: where reading goes on once the prepared ranges have been replayed."""
    next_sequence: int
    prepared: list[Range] = field(default_factory=list)
    """Ranges that were prepared and not acknowledged, in sequence order; the agent replays them before `start`."""


class InputContext(Protocol):
    """What an input may ask of its lane."""

    pipeline: str
    platform: Platform
    claims: Claims
    bounds: FileBounds
    finite: bool
    """The agent ends when everything is read: what stands there is complete, unfinished records too (`--exit-when-drained`)."""

    @property
    def streams(self) -> Sequence[StreamState]:
        """All known streams of this input and target, also those that another lane may have taken."""
        ...

    def open_stream(self, key: str, position: Position, *, unmoved: bool = False) -> str | None:
        """Take the stream of this key, or make it, for this lane; its id. It becomes durable with its first prepared range or with
        `remember`. None when another lane of the same input and target reads it: one reader per stream. `unmoved`: also when another one
        has read it on and left it since it was looked up, so that it does not stand at `position` any more."""
        ...

    def remember(self, stream: str, position: Position) -> None:
        """Make a position durable that no range led to: a file that stood there already, a mark, what was seen beyond the last range.
        While ranges of the stream are under way that are not prepared yet, it becomes durable with them: the stream must go on with them
        until then."""
        ...

    def stored_end(self, key: str) -> StoredEnd | None:
        """Up to where the server has this stream, when it had to be asked because our own state was lost, rolled back or forked.
        Where it answers, and the source is the one that it has that of (`StoredEnd.is_in`), it goes before `StreamState.next`."""
        ...

    def submit(
        self, batch: EventBatch, *, stream: str, start: int, end: int, position: Position, fingerprint: bytes, readable_at: int
    ) -> bool:
        """Hand over one range. Blocks while the lane is over its budget; False means the lane is stopping and the range was not taken.

        `readable_at`: wall clock in ns, the moment from which on these bytes could have been read; an event is discarded for its age
        when its own time lies too long before it (DESIGN §4.4). 0 is history on purpose: nothing of it is too old.
        """
        ...

    def has_room(self, again: Callable[[], None]) -> bool:
        """Whether the next `submit` will take a range without waiting. If not, `again` is called once, from any thread, when it is worth
        asking again: so an input can go on looking around while its target is full."""
        ...

    @property
    def lacks_cpu(self) -> bool:
        """Whether it is only CPU that the next `submit` has to wait for: what looking around takes of it is not there for reading."""
        ...

    def source_goes(self, stream: str, *, more_comes: bool = False) -> None:
        """The bytes of this stream cannot be read again, or soon not any more (truncated, its last link gone): what was submitted and is
        not acknowledged goes into the spool at once; with `more_comes` also what is submitted from now on."""
        ...

    def end_stream(self, stream: str) -> None:
        """Nothing more will ever come from this stream; its rows are forgotten when all its ranges are acknowledged."""
        ...

    def leave_stream(self, stream: str, position: Position) -> None:
        """Stop reading a stream that goes on: another lane may take it, at this position. Its state is kept."""
        ...

    def keep(self, stream: str, descriptor: int) -> None:
        """The file behind an open handle lost its name while it is being read: a duplicate of the handle outlives this worker, until all of
        the stream is acknowledged. Again is fine."""
        ...

    def kept(self, stream: str) -> int | None:
        """A handle, which is the caller's, of what a former worker let be kept for the stream with this id."""
        ...

    def alarm(self, kind: str, message: str, **values: object) -> None:
        """`kind` is one of the manual's alarm names (logtail-facts §7). Emits the log line, the metric and the alarm."""
        ...

    def resolved(self, kind: str, **about: object) -> None:
        """Alarms of this kind about this (`path=…`) are over, if the pipeline has any. Cheap when there are none."""
        ...

    def count(self, name: str, amount: int = 1) -> None:
        """Add to one of the pipeline's counters."""
        ...


class Input(Protocol):
    """Reads from somewhere and submits ranges."""

    config: PluginConfig
    key: str
    """Names the source without the pipeline's name (`input_file`, `input_x:host:port`): a renamed pipeline takes over its streams."""

    def start(self, context: InputContext) -> None: ...
    def stop(self, deadline: float) -> None:
        """Stop reading; returns when no further `submit` will come, or at `deadline` (seconds, monotonic)."""
        ...

    def update(self, config: PluginConfig) -> bool:
        """Take over a changed config in place; False asks for a restart of the lane."""
        ...

    def replay(self, context: InputContext, stream: StreamState, done: Range) -> EventBatch | None:
        """Read exactly `done` again and split it as before; None when its bytes are gone or are no longer the same. Called on an
        instance with the config of that time, which is not started."""
        ...

    def on_durable(self, done: Range) -> None:
        """The range is acknowledged and the checkpoint says so."""
        ...

    @property
    def drained(self) -> bool:
        """Whether everything that is there has been read and submitted (`agent run --exit-when-drained`)."""
        ...


SourceState: TypeAlias = Literal["up to date", "behind", "rotated", "closed"]


class SourceStatus(NamedTuple):
    """One stream as its input sees it, for status pages. Sizes and offsets are bytes."""

    stream: str
    path: str
    device: int
    inode: int
    size: int
    """At the last look."""
    read: int
    """Offset behind what has been handed over."""
    state: SourceState


@runtime_checkable
class ReportsSources(Protocol):
    """An input that can say how far it is with each of its streams."""

    def sources(self) -> Sequence[SourceStatus]:
        """May be called from any thread while the input works; what it says is a moment old."""
        ...


@runtime_checkable
class ReportsChanges(Protocol):
    """An input with so many streams that whoever looks every few seconds should not look at all of them."""

    def lately(self) -> Sequence[SourceStatus]:
        """Of the streams that were read since the last call, or grew, or are behind. From any thread, but always the same one."""
        ...


@runtime_checkable
class KeepsLosses(Protocol):
    """An input that keeps a durable count of the bytes that went away before they were delivered."""

    def lost(self, key: str, done: Range, reason: str) -> None:
        """A prepared range of the stream with this key can neither be read again nor has it arrived. From any thread, after `start`."""
        ...


@runtime_checkable
class Turning(Protocol):
    """An input with a thread that never stands still for long, except while it waits in `submit`."""

    @property
    def turned_at(self) -> float:
        """When the thread began its present turn (monotonic seconds); 0 while it is not at work."""
        ...

    def runs_on(self, thread: threading.Thread) -> bool:
        """Whether a thread is its own: when that fails, the input is to blame."""
        ...


@runtime_checkable
class Claiming(Protocol):
    """An input that names files. All of them stake their claims before the first one starts."""

    def stake(self, pipeline: str, claims: Claims) -> None: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an input that ends is. `bytes` are those on the disk."""

    files: int
    files_done: int
    bytes: int
    bytes_done: int
    missed: int
    """Files that could not be read to their end."""
    last_error: str


@runtime_checkable
class OneTime(Protocol):
    """An input that ends by itself: a run of it is over when it is drained and everything is acknowledged."""

    def progress(self) -> Progress:
        """From any thread."""
        ...


class ProcessorContext(Protocol):
    pipeline: str

    def failed(self, plugin: str, count: int, reason: str, sample: bytes = b"", *, alarm: str = "PARSE_LOG_FAIL_ALARM") -> None:
        """Count events that a processor could not handle, with one sample of them. Nothing vanishes uncounted. `alarm` is one of the
        manual's names (logtail-facts §7)."""
        ...

    def discarded(self, plugin: str, count: int, reason: str) -> None:
        """Count events that were dropped on purpose (filters)."""
        ...


class Processor(Protocol):
    """Rewrites a batch in place."""

    config: PluginConfig

    def start(self, context: ProcessorContext) -> None: ...
    def process(self, batch: EventBatch) -> None: ...


@runtime_checkable
class Deciding(Protocol):
    """A processor whose outcome depends on more than the batch: on a clock, or on what came before.

    What it decided about a range becomes durable before the range is first sent, and a replay repeats it, because the same number must
    never stand for other events.
    """

    def decide(self, batch: EventBatch) -> bytes:
        """Do what `process` does; what was decided, for `repeat`."""
        ...

    def repeat(self, batch: EventBatch, decision: bytes) -> None:
        """Do to the same events what `decide` did."""
        ...


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring rows `[first, first + count)` of a batch: one log group (or several, where a target's bounds ask for it)."""

    first: int
    count: int
    topic: bytes | None = None
    """In place of the batch's own."""
    tags: tuple[tuple[bytes, bytes], ...] = ()
    """Beside the batch's own."""
    hash_key: str = ""
    """32 lower-case hex digits that choose the shard; empty leaves the choice to the target."""
    packed: bool = True
    """Whether it carries the tag `__pack_id__`, which context queries need."""


class Aggregator(Protocol):
    """Cuts batches into log groups."""

    config: PluginConfig

    def start(self, context: ProcessorContext) -> None: ...
    def group(self, batch: EventBatch) -> list[Group]:
        """Put the rows of each group side by side, in their order, and say where the groups lie: all rows, each once, front to back.

        It must depend on nothing but the batch: a range that is sent again after a crash has to give the same groups in the same order,
        because each is known by its number.
        """
        ...


@dataclass(frozen=True, slots=True)
class Payload:
    """One log group, encoded and compressed, not signed."""

    identity: Identity
    body: bytes
    raw_size: int
    compression: str
    events: int
    topic: bytes = b""
    digest: str = ""
    """SHA-256 of `body` in lower hex, where its flusher signs with it."""
    hash_key: str = ""
    """Chooses the shard (`Group.hash_key`); a request holds payloads of one key only."""


class Outcome(enum.Enum):
    ACKNOWLEDGED = "acknowledged"
    RETRY = "retry"  # network, 5xx, unknown 400: try again with back-off
    THROTTLED = "throttled"  # 429, quota
    UNAUTHORIZED = "unauthorized"  # 401/403: fetch a new key, try again
    MISSING = "missing"  # 404: the target does not exist (yet)
    DATA = "data"  # the data itself was refused
    FORK = "fork"  # the server has other content under this identity


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one `send`: all payloads or none."""

    outcome: Outcome
    code: str = ""
    message: str = ""
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """When a request is full: raw bytes, events, payloads; how long the first payload may wait for company, in seconds; how many raw bytes
    may be sent per second (0 is no limit); whether a request holds payloads of one topic only."""

    max_bytes: int = 1_048_576
    max_events: int = 4096
    max_payloads: int = 64
    linger: float = 0.2
    max_bytes_per_sec: int = 0
    one_topic: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key. `repr` never shows the secret."""

    key_id: str
    key_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ServerName:
    """A server by its own id, and the endpoints under which it is and was reached, the present one first.

    `addresses` are those under which it can be reached at present, where it has told them: the best one first.
    """

    id: str
    endpoints: Sequence[str]
    addresses: Sequence[str] = ()


class FlusherContext(Protocol):
    """What a flusher may ask of its agent."""

    agent_id: str

    def credentials(self, endpoint: str, project: str) -> Credentials | None:
        """The key that enrolment at this endpoint gave for a project; None where the agent is not enrolled, or has no valid key now."""
        ...

    def why_no_key(self, endpoint: str, project: str) -> str:
        """Why an enrolled agent has no key at present; empty where it has one, or is not enrolled."""
        ...

    def refused(self, endpoint: str, project: str) -> None:
        """Tell the agent that the server there does not take its key, so that it asks for another one."""
        ...

    def tls(self, endpoint: str, project: str) -> ssl.SSLContext | None:
        """How the server there is known; None: by the roots that the system trusts. Roots change: ask for each new connection."""
        ...

    def offers(self, endpoint: str, project: str, feature: str) -> bool:
        """Whether the server there has offered a feature (`batch_group`) at enrolment."""
        ...

    def server(self, endpoint: str, project: str) -> ServerName | None:
        """The server that has or had this endpoint; None where the agent is not enrolled or the server has no id."""
        ...


@runtime_checkable
class Divides(Protocol):
    """A flusher whose payloads can be halved, so that what a target refuses can be told from what it takes."""

    def divide(self, payload: Payload) -> Sequence[Payload]:
        """Two payloads with the events of one, in their order, and its identity. ValueError when the body is not what it was."""
        ...


class Flusher(Protocol):
    """Delivers log groups to one target. Lanes whose flushers have equal configs share one instance."""

    config: PluginConfig
    target: str
    """Names where it delivers (kind and address), for people; queues and back-off are per target."""
    destination: str
    """Names the same for the checkpoint, whatever its address: streams belong to it. Known after `start`."""
    formerly: Sequence[str]
    """Names that the destination may have in older checkpoints."""
    limits: BatchLimits
    recognises_repeats: bool
    """Whether its payloads carry their identity to a server that knows it again and can be asked for stored ends. Known after `start`."""

    def start(self, context: FlusherContext) -> None:
        """Before anything else; ConfigError when it can never work (no key)."""
        ...

    def encode(self, batch: EventBatch, identity: Identity, groups: Sequence[Group] = (), *, nanoseconds: bool = False) -> list[Payload]:
        """Log groups of one range; `identity.part` and `.parts` are filled in here. Runs on a pool thread. Empty for an empty batch, unless
        the identity says `ended` and the target recognises repeats: it is told so. `groups` is what an aggregator made of the batch;
        without it all rows are one. `nanoseconds`: the part of the time below a second is encoded, too."""
        ...

    async def open(self) -> None:
        """Make ready to send. One that fails is called again, until it succeeds or the flusher is closed."""
        ...

    async def send(self, payloads: Sequence[Payload]) -> Delivery: ...
    async def close(self) -> None: ...
