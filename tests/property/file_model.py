"""A directory as programs and logrotate change it, the real `input_file` over it, and the book that says what must have been read.

Nothing runs by itself: looks, scans and reads happen when they are asked for, so that every interleaving can be made.
"""

import contextlib
import gzip
import itertools
import os
import shutil
import tempfile
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from tailrace.inputs.file import FileConfig
from tailrace.inputs.file.discover import Discovery
from tailrace.inputs.file.files import Files
from tailrace.inputs.file.generation import SIGNATURE_SIZE, TICK_NS
from tailrace.inputs.file.reader import Reader
from tailrace.inputs.file.roots import Roots
from tailrace.inputs.file.walk import Look
from tests.property.file_clock import Clock, TimedPlatform
from tests.unit.inputs.file.following import RememberingLane

HEADER = b"".join(b"# the same header in every file, line %02d of some\n" % number for number in range(30))


@dataclass(eq=False)
class Incarnation:
    """What a program wrote into one file between its creation and its truncation or the end of the file."""

    number: int
    lines: list[bytes] = field(default_factory=list)
    partial: bytes = b""
    headed: bool = False
    looked_at: bool = False
    """The agent has looked while it stood at the live path."""
    seen: int = 0
    """Bytes at the agent's last look."""
    began_at: int = 0
    ended_at: int = 0
    """By the model's clock, in ns: the first and the last time that anything was written of it, to a copy too."""
    cut: bool = False
    """Its copy was made before its last lines were written."""
    excused: set[bytes] = field(default_factory=set)
    """Lines whose last copy went away before they were read."""

    @property
    def content(self) -> bytes:
        return b"".join(line + b"\n" for line in self.lines) + self.partial


class KilledError(Exception):
    """The agent is no more, in the midst of what it did."""


class MortalLane(RememberingLane):
    """`writes_left`: so many things can be made durable before the agent is killed; None: it is not."""

    writes_left: int | None = None

    def _write(self) -> None:
        if self.writes_left is not None:
            if not self.writes_left:
                raise KilledError
            self.writes_left -= 1

    def open_stream(self, key, position, *, unmoved=False):
        if key not in self.known:
            self._write()
        return super().open_stream(key, position, unmoved=unmoved)

    def remember(self, stream, position):
        self._write()
        super().remember(stream, position)

    def submit(self, batch, **range_):
        if self.writes_left == 0:
            raise KilledError
        return super().submit(batch, **range_)

    def end_stream(self, stream):
        self._write()
        super().end_stream(stream)


class Agent:
    """One life of an `input_file` without its thread."""

    def __init__(self, lane: RememberingLane, config: FileConfig) -> None:
        self.lane = lane
        self.ready: deque = deque()
        self.discovery = Discovery(config, lane, Roots(), watch=lambda directory: True, unwatch=lambda directory: None)
        self.files = Files(config, lane, Roots(), self.want)
        self.reader = Reader(config, lane, self.files.inspection)
        for _ in self.files.go_on(self.discovery.ours(), self.discovery.watch_early):
            pass
        self.scan(first=True)

    def want(self, generation) -> None:
        if not generation.queued and generation.after is None:
            generation.queued = True
            self.ready.append(generation)

    def scan(self, *, first: bool = False) -> None:
        walk = self.discovery.walk()
        while True:
            try:
                if (listed := next(walk)) is not None and first:
                    self.files.changed_in(listed)
            except StopIteration as done:
                scan = done.value
                break
        for path in scan.gone:
            self.files.vanished(path)
        for path in self.files.begin(scan) if scan.first else self.files.rescan(scan):
            self.discovery.forget(path)

    def look(self, path: Path) -> None:
        try:
            look = Look.of(path.stat())
        except FileNotFoundError:
            if self.discovery.gone(str(path.parent), path.name):
                self.files.vanished(str(path))
            return
        if self.discovery.saw(str(path.parent), path.name, look) and not self.files.look(str(path), look, changed=True):
            self.discovery.forget(str(path))

    def read(self, turns: int) -> None:
        for _ in range(turns):
            if not self.ready:
                return
            generation = self.ready.popleft()
            generation.queued = False
            if self.reader.read(generation):
                self.want(generation)

    def overdue(self) -> None:
        """Half lines are waited for no longer."""
        for generation in self.files.open_generations:
            if generation.unread:
                self.want(generation)

    def sweep(self) -> None:
        """What happens to deleted files that are read to their end, once they have been quiet for a while."""
        for generation in self.files.open_generations:
            if generation.is_open and not os.fstat(generation.descriptor).st_nlink and generation.drained and not generation.queued:
                self.files.inspection.end(generation)

    def holds(self, inode: int) -> bool:
        return any(os.fstat(one.descriptor).st_ino == inode for one in self.files.open_generations)

    def stop(self) -> None:
        self.files.close()
        self.discovery.close()


class World:
    """`pattern` is what the agent collects: the live name alone, or the rotated ones too."""

    def __init__(self, directory: Path, pattern: str, clock: Clock | None = None) -> None:
        self.directory = directory
        self.pattern = pattern
        self.live = directory / "x.log"
        self.lane = MortalLane()
        self.clock = clock
        self._grave = Path(tempfile.mkdtemp(prefix="free", dir=directory.parent))
        self._free: list[Path] = []
        """Deleted files that nobody holds, out of sight: a system gives their inodes to new files at once."""
        if clock is not None:
            clock.start()
            self.lane.platform = TimedPlatform(self.lane.platform, clock)
        self.config = FileConfig.model_validate({"FilePaths": [f"{directory}/{pattern}"]})
        self.places: dict[Path, Incarnation] = {}
        self.unlinked: dict[int, Incarnation] = {}
        """By inode: files without a name that the agent holds."""
        self.all: list[Incarnation] = []
        self.was_killed = False
        self.agent: Agent | None = Agent(self.lane, self.config)
        self.next_line = 0

    def remove(self) -> None:
        """All of it, when it is over."""
        self.stop()
        if self.clock is not None:
            self.clock.stop()
        for directory in (self._grave, self.directory):
            shutil.rmtree(directory, ignore_errors=True)

    # --- the program ----------------------------------------------------------------------------------------------------------
    def write(self, count: int, *, partial: bool = False, header: bool = False) -> None:
        incarnation = self.places.get(self.live)
        if incarnation is None:
            incarnation = self.places[self.live] = self._new()
        data = b""
        if header and not incarnation.content:
            data, incarnation.headed = HEADER, True
            incarnation.lines += HEADER.splitlines()
        for _ in range(count):
            line = b"line %06d of incarnation %d" % (self.next_line, incarnation.number)
            self.next_line += 1
            data += line + b"\n"
            incarnation.lines.append(incarnation.partial + line)
            incarnation.partial = b""
        if partial:
            half = b"half %06d " % self.next_line
            self.next_line += 1
            data += half
            incarnation.partial += half
        if not self.live.exists():
            self._make(self.live)
        with self.live.open("ab", buffering=0) as file:
            file.write(data)
        self._stamp(incarnation)

    def _make(self, path: Path) -> None:
        """An empty file; it gets the inode that became free last."""
        if self._free:
            os.truncate(self._free[-1], 0)
            self._free.pop().rename(path)
        else:
            path.touch()

    def _stamp(self, *written: Incarnation) -> None:
        if self.clock is not None:
            self.clock.stamp()
            for one in written:
                one.began_at, one.ended_at = one.began_at or self.clock.now, self.clock.now

    def pass_time(self, nanoseconds: int) -> None:
        if self.clock is not None:
            self.clock.pass_by(nanoseconds)

    def _new(self) -> Incarnation:
        self.all.append(Incarnation(len(self.all)))
        return self.all[-1]

    # --- rotation -------------------------------------------------------------------------------------------------------------
    def rotated(self) -> list[Path]:
        """The newest first."""
        found = [path for path in self.places if path != self.live]
        return sorted(found, key=lambda path: int(path.name.removesuffix(".gz").rpartition(".")[2]))

    def _shift(self) -> None:
        for path in reversed(self.rotated()):
            number = int(path.name.removesuffix(".gz").rpartition(".")[2])
            suffix = ".gz" if path.name.endswith(".gz") else ""
            target = self.directory / f"x.log.{number + 1}{suffix}"
            path.rename(target)
            self.places[target] = self.places.pop(path)

    def rename(self, *, create: bool) -> None:
        if self.live not in self.places:
            return
        self._shift()
        target = self.directory / "x.log.1"
        self.live.rename(target)
        self.places[target] = self.places.pop(self.live)
        if create:
            self._make(self.live)
            self.places[self.live] = self._new()
        self._stamp()

    def copytruncate(self) -> None:
        if self.live not in self.places:
            return
        self._shift()
        target = self.directory / "x.log.1"
        self._make(target)
        shutil.copyfile(self.live, target)
        self.places[target] = self.places[self.live]
        self._stamp(self.places[target])
        self._truncate()

    def copytruncate_slow(self, *, half: bool) -> None:
        """The agent is quick enough to see the copy when it is empty, or holds a `half`."""
        old = self.places.get(self.live)
        if old is None:
            return
        self._shift()
        target = self.directory / "x.log.1"
        self._make(target)
        if half:
            target.write_bytes(old.content[: len(old.content) // 2])
        self._stamp()
        self.look()
        self.scan()
        self.read(5)
        shutil.copyfile(self.live, target)
        self.places[target] = old
        self._stamp(old)
        self._truncate()

    def copytruncate_late(self, count: int, *, seen: bool, pause: int = 0) -> None:
        """The program writes on between the copy and the truncation, `pause` ns later; `seen`: the agent is quick enough to read that."""
        old = self.places.get(self.live)
        if old is None or old.partial or not old.lines:
            return
        self._shift()
        target = self.directory / "x.log.1"
        self._make(target)
        shutil.copyfile(self.live, target)
        self.places[target] = old
        self._stamp(old)
        copied, old.cut = len(old.lines), True
        self.pass_time(pause)
        self.write(count)
        if seen:
            self.look()
            self.read(5)
        self.pass_time(pause)
        read = set(self.contents)
        old.excused |= {line for line in old.lines[copied:] if line not in read}
        self._truncate()

    def truncate(self) -> None:
        if self.live in self.places:
            self._truncate()

    def _truncate(self) -> None:
        old = self.places[self.live]
        os.truncate(self.live, 0)
        self._stamp()
        self.places[self.live] = self._new()
        self._excuse(old)

    def compress(self, index: int) -> None:
        plain = [path for path in self.rotated() if not path.name.endswith(".gz")]
        if not plain:
            return
        path = plain[index % len(plain)]
        packed = path.with_name(path.name + ".gz")
        status = path.stat()
        self._make(packed)
        with gzip.open(packed, "wb") as file:
            file.write(path.read_bytes())
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        self._stamp()
        self.places[packed] = self.places[path]
        self._unlink(path)

    def delete_live(self) -> None:
        if self.live in self.places:
            self._unlink(self.live)

    def delete_oldest(self) -> None:
        if rotated := self.rotated():
            self._unlink(rotated[-1])

    def _unlink(self, path: Path) -> None:
        inode = path.stat().st_ino
        incarnation = self.places.pop(path)
        if self.agent is not None and self.agent.holds(inode):
            path.unlink()
            if not path.name.endswith(".gz"):
                self.unlinked[inode] = incarnation
        else:
            self._free.append(path.rename(self._grave / f"{inode}"))
        self._stamp()
        self._excuse(incarnation)

    # --- the agent ------------------------------------------------------------------------------------------------------------
    def look(self) -> None:
        if self.agent:
            self._looked()
            self.agent.look(self.live)

    def scan(self) -> None:
        if self.agent:
            self._looked()
            self.agent.scan()

    def read(self, turns: int) -> None:
        if self.agent:
            self.agent.read(turns)
            self._let_go()

    def sweep(self) -> None:
        if self.agent:
            self.agent.sweep()
            self._let_go()

    def killed(self, writes: int) -> None:
        """The agent looks around and reads until it is killed, when it has made so many things durable."""
        if self.agent is None:
            return
        self.lane.writes_left, self.was_killed = writes, True
        with contextlib.suppress(KilledError):
            self.scan()
            self.look()
            self.read(3)
        self.lane.writes_left = None
        read = set(self.contents)
        for one in self.all:
            one.looked_at = one.looked_at and not read.isdisjoint(one.lines)  # what was only seen may be forgotten
        self.stop()

    def stop(self) -> None:
        if self.agent:
            self.agent.stop()
            self.agent = None
            self._let_go()

    def start(self) -> None:
        if self.agent is None:
            self._looked()
            self.agent = Agent(self.lane, self.config)

    def _looked(self) -> None:
        if self.live in self.places:
            self.places[self.live].looked_at = True

    def _let_go(self) -> None:
        """Files without a name that the agent does not hold any more are gone."""
        for inode, incarnation in list(self.unlinked.items()):
            if self.agent is None or not self.agent.holds(inode):
                del self.unlinked[inode]
                self._excuse(incarnation)

    def _excuse(self, incarnation: Incarnation) -> None:
        """Where no copy of it is left, what was not read may be missing."""
        if incarnation in self.places.values() or incarnation in self.unlinked.values():
            return
        read = set(self.contents)
        incarnation.excused |= {line for line in [*incarnation.lines, incarnation.partial] if line not in read}

    # --- the verdict ----------------------------------------------------------------------------------------------------------
    @property
    def contents(self) -> list[bytes]:
        return [event["content"].encode() for event in self.lane.events]

    def _was_out_of_reach(self, incarnation: Incarnation) -> bool:
        """It came and went between two looks, and only rotated names that are not collected, or compressed files, are left of it."""
        names = [path.name for path, one in self.places.items() if one is incarnation]
        return not incarnation.looked_at and (self.pattern == "x.log" or all(name.endswith(".gz") for name in names))

    def settle(self) -> None:
        """Everything that is there is read; what is unfinished is complete."""
        self.start()
        self.lane.finite = True
        for _ in range(4):
            self.pass_time(1_000_000_000)
            self.scan()
            self.look()
            self.agent.overdue()
            self.read(10_000)
            self.sweep()
        self.stop()

    def verify(self) -> None:
        contents = self.contents
        numbered = [line for line in contents if not line.startswith(b"#")]
        assert len(set(numbered)) == len(numbered), f"twice: {[line for line in set(numbered) if numbered.count(line) > 1][:5]}"
        whole = {line for one in self.all for line in [*one.lines, one.partial] if line}
        torn = [line for line in numbered if line not in whole]
        assert not torn, f"torn: {torn[:5]}"
        read = set(contents)
        for one in self.all:
            expected = [line for line in [*one.lines, one.partial] if line and line not in one.excused and not line.startswith(b"#")]
            missing = [line for line in expected if line not in read]
            assert not missing or self._was_out_of_reach(one) or self._looks_like_another(one), (
                f"lost of incarnation {one.number} ({one.looked_at=}): {missing[:5]}"
            )
        if not self.was_killed:  # else two streams may say that they saw the same bytes
            self._verify_counted(contents)
        headers = sum(1 for line in contents if line.startswith(b"#")) / len(HEADER.splitlines())
        most = sum(1 for one in self.all if one.headed)
        assert headers <= most, f"{headers} headers of {most} were read"
        unseen = {line for one in self.all if not one.looked_at for line in one.lines}
        order = [int(line.split()[1]) for line in numbered if line.startswith(b"line") and line not in unseen]
        wrong = [pair for pair in itertools.pairwise(order) if pair[0] > pair[1] and not self._is_at_once(*pair)]
        assert not wrong, f"out of order: {wrong[:5]}"

    def _verify_counted(self, contents: list[bytes]) -> None:
        """No more is counted as lost than is missing; where nothing was read of less than a signature, a cut copy cannot be told."""
        written = sum(len(one.content) for one in self.all)
        missing = written - sum(len(line) + 1 - line.startswith(b"half") for line in contents)
        untold = sum(len(one.content) for one in self.all if one.cut and len(one.content) <= SIGNATURE_SIZE)
        counted = self.lane.counts.get("unread_bytes_deleted", 0)
        assert counted <= missing + untold, f"{counted} bytes are counted as lost, {missing} are missing"

    def _looks_like_another(self, one: Incarnation) -> bool:
        """Whether it came within a tick of the clock before or after another one of which two thirds of it are the beginning."""

        left = b"".join(line + b"\n" for line in one.lines if line not in one.excused)

        def is_alike(other: Incarnation) -> bool:
            apart = max(one.began_at - other.ended_at, other.began_at - one.ended_at)
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(left, other.content, strict=False)))
            return apart <= TICK_NS and same * 3 >= min(len(left), len(other.content)) * 2

        return self.clock is not None and any(is_alike(other) for other in self.all if other is not one and other.content)

    def _is_at_once(self, first: int, second: int) -> bool:
        """Whether no time tells the order of the incarnations that two lines belong to: they came within a tick of the clock."""
        by_line = {line: one for one in self.all for line in one.lines}
        later, earlier = (by_line[next(text for text in by_line if b"line %06d " % number in text)] for number in (first, second))
        return self.clock is not None and later.began_at - earlier.ended_at <= TICK_NS
