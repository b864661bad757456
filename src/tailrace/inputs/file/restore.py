"""Taking up what the checkpoint knows: each known stream goes on in its file, wherever that is now, or in a copy of it.

A state's file is found by (device, inode) and birth time. Where the device number of a whole mount has changed, path and content decide.
"""

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tailrace.inputs.file import notes, standing
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.copies import holds, may_be, seen
from tailrace.inputs.file.discover import Paths
from tailrace.inputs.file.generation import TICK_NS, FileId, Generation, born_of, file_of
from tailrace.inputs.file.kept import kept_content
from tailrace.inputs.file.losses import LOSS_PREFIX
from tailrace.inputs.file.order import read_after
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.rotation import find_file, live_names
from tailrace.inputs.file.succession import Succession
from tailrace.inputs.file.walk import Look, look_at
from tailrace.pipeline.contract import Position, StreamState

NOTES = (standing.MARK_PREFIX, LOSS_PREFIX, notes.PREFIX)
"""Streams that are no files."""


class Restoring:
    """The states of a former run that are not taken up yet, by the file that they are about."""

    def __init__(self, table: Registry, succession: Succession, states: Iterable[StreamState]) -> None:
        self._table = table
        self._context = table.context
        self._succession = succession
        self._states: dict[FileId, list[StreamState]] = {}
        self._others: set[FileId] = set()
        """Files that another lane of the same target goes on with, or none."""
        self._rank = Paths(table.config).ranking(table.roots)
        for state in sorted(filter(_is_file, states), key=_in_order):
            self._states.setdefault(file_at(state.key, state.next)[0], []).append(state)
            table.keys.add(state.key)
        table.expected.update({file: _expected(states[-1]) for file, states in self._states.items()})
        self._going_on: list[StreamState] = []
        """Those of the file that is being taken up."""
        table.awaited = lambda: [state.next for states in [*self._states.values(), self._going_on] for state in states]
        for file in self._states:
            table.notes.drop(file)

    def expect(self, file: FileId) -> None:
        """Another lane may have let go of a file: look up what is known of it now."""
        states = filter(_is_file, self._context.streams)
        self._others.discard(file)
        if found := [state for state in states if file_at(state.key, state.next)[0] == file]:
            self._states[file] = sorted(found, key=_in_order)
            self._table.expected[file] = _expected(self._states[file][-1])
            self._table.keys.update(state.key for state in found)
        elif file in self._states:
            self._forget(file)

    def is_others(self, file: FileId) -> bool:
        """Whether another lane went on with a file when this one began, so that what is known of it has changed since."""
        return file in self._others

    def prune(self) -> None:
        """What another lane is done with is expected no longer: its inode may come back as a file of ours."""
        if self._others:
            known = {file_at(state.key, state.next)[0] for state in filter(_is_file, self._context.streams)}
            for file in self._others - known:
                self._others.discard(file)
                self._forget(file)

    def all(self, here: Mapping[FileId, str]) -> None:
        """Take up everything. `here`: where the scan has found files."""
        self._others = {file for file, states in self._states.items() if file not in here and not self._goes_on(file, states[-1].next)}
        for file in sorted(self._own, key=self._turn):
            if file in here:
                self.at(file, here[file])
            else:
                self._search(file)
        self.again()
        self._put_in_order()

    def standing(self) -> list[tuple[FileId, str]]:
        """Known files with the path where each, as the only one, was live; those first that were written last."""
        last = {file: states[-1].next for file, states in self._states.items()}
        at = Counter(str(state.next["path"]) for states in self._states.values() for state in states)
        alone = [file for file, states in self._states.items() if len(states) == 1 and "head" in last[file] and "copy" not in last[file]]
        latest = sorted(alone, key=lambda file: last[file].get("seen", (0, 0))[1], reverse=True)
        return [(file, str(last[file]["path"])) for file in latest if at[str(last[file]["path"])] == 1]

    def at_once(self, file: FileId, path: str, look: Look) -> None:
        """Take up a known file that stands where it stood, as far as nothing but the file itself is needed for that: unchanged, it stays
        closed; else it must still hold what was read of it. What is left is taken up when all files are known."""
        state = self._states[file][-1]
        position, size = state.next, int(state.next["offset"])
        if self._context.stored_end(state.key) is None and [*position.get("seen", ())] == [*look[2:]] and size == look.st_size:
            generation = _generation(state, path)
            now = time.time_ns()
            generation.offset, generation.drained, generation.settled = size, True, now - look.st_mtime_ns > TICK_NS
            if position.get("read_to_end_at"):
                generation.read_to_end_at = now
            self._forget(file)
            if self._table.take_stream(generation, position):
                self._table.at[path] = generation
            return
        content = self._open(path)
        if content is None:
            return
        same = content.file == file and content.identity.born == file_at(state.key, position)[1]
        if same and not content.is_unpacked and holds(content, position):
            self._forget(file)
            self._resume(state, content, path)
        else:
            content.close()

    def again(self) -> None:
        """Search for what was just being renamed, compressed or mounted when it was to be taken up."""
        for file in self._own:
            self._search(file)

    @property
    def _own(self) -> list[FileId]:
        return [file for file in self._states if file not in self._others]

    def _goes_on(self, file: FileId, position: Position) -> bool:
        """Whether what no pattern has found is ours to read on all the same."""
        return self._inherits(position) and not self._is_named_no_more(file, position)

    def _is_named_no_more(self, file: FileId, position: Position) -> bool:
        """Whether it stands where it stood, and the config leaves it out by now. It goes on when it is found at a path of ours."""
        path = str(position["path"])
        look = look_at(path) if "copy" not in position and self._rank(path) is None else None
        return look is not None and look[:2] == file

    def _inherits(self, position: Position) -> bool:
        """Whether it is for us, among the lanes of the target, to go on with what was read at a path: a copy follows its live file."""
        directory, _, name = str(position["path"]).rpartition("/")
        names = [*live_names(name)] if "copy" in position else []
        return all(self._context.claims.inherits(self._context.pipeline, f"{directory}/{one}") for one in names or [name])

    def _turn(self, file: FileId) -> tuple[bool, bool]:
        """Copies first: what is not read may go on in one of them. Then what was empty: it may hold a copy by now."""
        position = self._states[file][-1].next
        return "copy" not in position, not _is_blank(position)

    def at(self, file: FileId, location: str) -> bool:
        """Take up the states of a file that stands at `location`. False when it cannot be taken up now, or turns out to be another."""
        states = self._states[file]
        content = self._open(location)
        if content is None:
            return False
        self._forget(file)
        last = states[-1]
        same = content.file == file and content.identity.born == file_at(last.key, last.next)[1]
        if same and "copy" not in last.next:  # else it got the inode, and was born, within the same tick of the clock
            table = self._table
            same = not (content.file in table.generations or table.is_known_copy(content))
            same = same and (not content.is_unpacked or may_be(content, last.next))
            same = same and not (_is_blank(last.next) and self._succession.is_awaited(content, str(last.next["path"])))
        self._going_on = states[:-1]
        taken = same and self._resume(last, content, location)  # first: what was there before is not in it
        self._going_on = []
        for state in states[:-1] if same else states:
            self._without_file(state)
        if not same:
            content.close()
        return taken

    # --- where it is ------------------------------------------------------------------------------------------------------------
    def _search(self, file: FileId) -> None:
        """Known files that no pattern finds: rotated away, on a mount that has another number now, or gone."""
        states = self._states[file]
        path = str(states[-1].next["path"])
        directory = str(Path(path).parent)
        device = _device(directory)
        if location := find_file(directory, file):
            self.at(file, location)
            if self._context.claims.better(self._context.pipeline, location):
                self._table.let_go(location)
        elif self._resume_kept(file, path):
            return
        elif device is not None and device != file[0]:
            self._remounted(states, path)
        elif device is not None:
            self._forget(file)
            for state in states:
                self._without_file(state)

    def _resume_kept(self, file: FileId, path: str) -> bool:
        """A file without a name goes on through the handle that the supervisor has kept: before what stands at its path now."""
        states = self._states[file]
        content = next(filter(None, (kept_content(self._context, state.id) for state in states)), None)  # a truncated one keeps its handle
        if content is None:
            return False
        if content.file != file:
            content.close()
            return False
        self._forget(file)
        for state in states[:-1]:
            self._without_file(state)
        stands = self._table.at.get(path)
        self._resume(states[-1], content, path)
        if (generation := self._table.generations.get(file)) is not None:
            generation.displaced = True
        if stands is not None:
            self._table.at[path] = stands
        return True

    def _remounted(self, states: Sequence[StreamState], path: str) -> None:
        """Of what is at the same path, under another device number, only content can say whether it is the same file."""
        last = states[-1]
        file, born = file_at(last.key, last.next)
        directory = str(Path(path).parent)
        moved = find_file(directory, (_device(directory) or 0, file[1]))
        for location in [path, moved] if moved and moved != path else [path]:
            content = self._open(location)
            if content is None:
                continue
            if content.file not in self._table.generations and _is_same(content, last.next, file[1], born):
                self._forget(file)
                for state in states[:-1]:
                    self._without_file(state)
                self._resume(last, content, location)
                return
            content.close()

    def _open(self, location: str) -> Content | None:
        """Opens what is compressed as what is in it; alarms are the registry's."""
        content = self._table.open(location)
        if content is None:
            return None
        content.close()
        try:
            return self._table.content(location)
        except OSError:
            return self._table.open(location)

    def _forget(self, file: FileId) -> None:
        del self._states[file]
        self._table.expected.pop(file, None)

    # --- going on ---------------------------------------------------------------------------------------------------------------
    def _resume(self, state: StreamState, content: Content, location: str) -> bool:
        if "copy" in state.next:
            self._note(state, content)
            return True
        generation = _generation(state, location)
        generation.content, generation.saved = content, state.next
        generation.file, generation.born = content.file, content.identity.born
        if not self._table.take_stream(generation, state.next):
            return False
        path = generation.path
        self._table.at[location] = generation
        if location != path and path not in self._table.at:
            self._table.at[path], generation.displaced = generation, True
        stored = self._context.stored_end(state.key)
        if stored is not None and stored.is_in(content.read_at):
            generation.seek(stored.end)
            self._context.remember(generation.stream, generation.position())
        elif not generation.resume():
            self._succession.truncated(generation, state.next, seen(state.next))
            self._skip_stored(generation)
            return True
        self._table.wanted(generation)
        return True

    def _skip_stored(self, generation: Generation) -> None:
        """Where it goes on in a copy that is shown to hold what the server has beyond the checkpoint, it goes on behind that."""
        stored = self._context.stored_end(generation.key)
        if generation.content is None or stored is None or not stored.fingerprint or stored.end <= generation.offset:
            return
        if stored.is_in(generation.content.read_at):
            generation.seek(stored.end)
            generation.size = max(generation.size, stored.end)  # that of a compressed copy is not known before it was read
            self._context.remember(generation.stream, generation.position())

    def _note(self, state: StreamState, content: Content) -> None:
        content.close()
        self._context.open_stream(state.key, state.next)
        size, modified = state.next["copy"]
        self._table.left_alone[content.file] = int(size), int(modified)
        self._table.note_copy(content.file, state.key, state.next)

    def _without_file(self, state: StreamState) -> None:
        """Its file is gone, or holds something else now: it goes on in a copy, or ends."""
        position = state.next
        if "copy" in position:
            self._succession.copy_gone(position)
        elif "head" in position:
            generation = _generation(state, str(position["path"]))
            generation.stream = self._context.open_stream(state.key, position) or ""
            if not generation.stream:
                return
            if self._succession.removed(generation, position):
                self._skip_stored(generation)
                return
            self._table.keep_last(generation)
            self._table.losses.add(
                state.key,
                int(position["offset"]),
                seen(position),
                path=generation.path,
                why="the file is gone, and no copy of it is there",
            )
        self._table.end_stream(state.key, position)

    def _put_in_order(self) -> None:
        """What stood at one path is read in the order in which it came, and what comes next is read after the last of it."""
        by_path: dict[str, list[Generation]] = {}
        for generation in self._table.generations.values():
            by_path.setdefault(generation.path, []).append(generation)
        for path, generations in by_path.items():
            generations.sort(key=lambda one: (one.opened, one.born, one.key))
            for first, second in itertools.pairwise(generations):
                if second.after is None:
                    read_after(first, second)
            if not any(one.location == path and not one.displaced for one in generations):
                self._table.at[path] = generations[-1]


def _is_file(state: StreamState) -> bool:
    return not state.key.startswith(NOTES) and "standing" not in state.next


def _in_order(state: StreamState) -> tuple[int, int, str, str]:
    """As they came; what a copy was noted of before what its file held later. Nothing here may hang on the numbers of inodes."""
    return file_at(state.key, state.next)[1], int(state.next.get("opened", 0)), str(state.next["path"]), state.key


def file_at(key: str, position: Position) -> tuple[FileId, int]:
    """File and birth time that a stream was last read from."""
    device, inode, born = position.get("file", (*file_of(key), born_of(key)))
    return (int(device), int(inode)), int(born)


def _expected(state: StreamState) -> tuple[int, Position]:
    return file_at(state.key, state.next)[1], state.next


def _generation(state: StreamState, location: str) -> Generation:
    file, born = file_at(state.key, state.next)
    generation = Generation(state.key, file, born, str(state.next["path"]), location, saved=state.next)
    generation.shown = str(state.next.get("shown", ""))
    generation.tags = tuple((str(key), str(value)) for key, value in state.next.get("tags", ()))
    generation.opened = int(state.next.get("opened", 0))
    generation.size, generation.modified = state.next.get("seen", (0, 0))
    generation.read_to_end_at = int(state.next.get("read_to_end_at", 0))
    generation.blank_at = int(state.next.get("blank_at", 0))
    born, modified = state.next.get("before", (0, 0))
    generation.before = int(born), int(modified)
    return generation


def _is_blank(position: Position) -> bool:
    """Whether nothing was ever seen in a file."""
    return "head" in position and not (position["head"][0] or int(position["offset"]))


def _is_same(content: Content, position: Position, inode: int, born: int) -> bool:
    if "copy" in position:
        return (content.identity.inode, content.identity.born) == (inode, born)
    return holds(content, position)


def _device(directory: str) -> int | None:
    try:
        return Path(directory).stat().st_dev
    except OSError:
        return None
