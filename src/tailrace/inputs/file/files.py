"""All files of one `input_file`: what to do when a file appears, grows, moves, or goes away.

One thread uses it. What is to be read is handed to `wanted`; reading itself is the reader's.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tailrace.inputs.file import standing
from tailrace.inputs.file.config import FileConfig
from tailrace.inputs.file.content import Content, is_compressed
from tailrace.inputs.file.copies import seen
from tailrace.inputs.file.deleted import Deleted
from tailrace.inputs.file.generation import FileId, Generation, Sight, stream_key
from tailrace.inputs.file.losses import Losses
from tailrace.inputs.file.notes import Notes, note_of
from tailrace.inputs.file.order import read_after
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.reopening import content_at, go_on_where_it_stood, look_where_it_is
from tailrace.inputs.file.restore import Restoring
from tailrace.inputs.file.roots import Roots
from tailrace.inputs.file.rotation import family, find_file, live_first
from tailrace.inputs.file.succession import Succession
from tailrace.inputs.file.unsearched import Unsearched
from tailrace.inputs.file.walk import Directory, Look, Scan, child, look_at
from tailrace.pipeline.contract import InputContext
from tailrace.pipeline.platform import FileIdentity, is_below

ROTATED_SECS = 3600.0
"""So long a rotated file is held that no path leads to any more: its writer may still have it open."""
TELL_SECS = 10.0
"""More often than this the checkpoint is not told of the growth of a file that is not read."""


class Files:
    """Follows every change of the files that one config names."""

    def __init__(self, config: FileConfig, context: InputContext, roots: Roots, wanted: Callable[[Generation], None]) -> None:
        self._config = config
        self._context = context
        states = list(context.streams)
        self._marks = standing.Marks(config, states)
        self.losses = Losses(context, states)
        self._table = Registry(config, context, roots, wanted, self.losses, Notes(context, states))
        self.handles = self._table.handles
        self._succession = Succession(self._table)
        self._restoring = Restoring(self._table, self._succession, states)
        self._table.scanned_at = self._marks.scanned_at
        self._unsearched = Unsearched()
        self._deleted = Deleted(context.bounds.deleted)
        self.is_searching = False
        """A search among the files is half done: nothing is begun or ended now, what calls for that is looked at afterwards."""

    def while_unpacking(self, meanwhile: Callable[[], None]) -> None:
        """`meanwhile` is called again and again while a compressed file is unpacked."""
        self._table.meanwhile = meanwhile

    # --- scans ------------------------------------------------------------------------------------------------------------------
    def go_on(self, is_ours: Callable[[str], bool]) -> Iterator[None]:
        """Before the first scan, in steps: what is known and stands where it stood goes on at once, those first that were written last;
        then what was only noted and has changed."""
        for file, path in self._restoring.standing():
            if is_ours(path) and (look := look_at(path)) is not None and look[:2] == file:
                self._restoring.at_once(file, path, look)
            yield
        for found in self._table.notes.changed():
            if found is not None and is_ours(found[0]):
                self._changed_since_noted(*found)
            yield

    def changed_in(self, directory: Directory) -> None:
        """During the first scan: files of a directory that were only noted and have changed are read at once."""
        for name, look in directory.files.items():
            note = self._table.notes.get(look[:2])
            if note is not None and note[1:3] != look[2:]:
                self._changed_since_noted(child(directory.path, name), look)

    def _changed_since_noted(self, path: str, look: Look) -> None:
        """What may have been rotated away from another file that is there, or was, is left until all files are known."""
        if any(one in self._table.at or look_at(one) is not None for one in family(path) if one != path) or path in self._table.at:
            return
        self.look(path, look)

    def begin(self, scan: Scan) -> list[str]:
        """The first scan: take up what the checkpoint knows, then what is new, then note that everything here was seen. The paths that
        must be shown again."""
        self._restoring.all({look[:2]: path for path, look in scan.files.items()})
        self._look_for_missed()
        news = {path: look for path, look in scan.files.items() if not self._is_as_noted(look)}
        again = [path for path, look in live_first(news) if not self.look(path, look, first_seen_by=scan.first_pattern[path])]
        again += [path for path, look in scan.files.items() if look[:2] in self._table.expected] if self.handles.lacking else []
        self._table.notes.save()
        self._marks.settle(self._context)
        self._scanned(scan)
        return again

    def rescan(self, scan: Scan) -> list[str]:
        """What a later scan found new or changed. The paths that must be shown again."""
        self._look_for_missed()
        again = [path for path, look in live_first(scan.files) if not self.look(path, look, won=path in scan.won)]
        here = scan.here()
        for note in self._table.prune(here, lambda path, file: find_file(str(Path(path).parent), file) is not None):
            self._succession.copy_gone(note)
        self._restoring.prune()
        self._restoring.again()
        for generation in [one for one in self.generations if not one.is_open and one.file not in here]:
            if _is_gone(generation.location, generation.file):
                self.end(generation)
            elif (look := look_where_it_is(generation)) is not None:
                self._grown(generation, look, changed=False)
        self._close_idle(here)
        self._table.notes.prune(here)
        self._table.notes.save()
        self._scanned(scan)
        return again

    def _is_as_noted(self, look: Look) -> bool:
        note = self._table.notes.get(look[:2])
        return note is not None and note[1:3] == look[2:]

    def _scanned(self, scan: Scan) -> None:
        self._table.scanned_at = scan.began_at
        self._marks.scanned(self._context, scan.began_at)

    def look(self, path: str, look: Look, *, first_seen_by: str = "", won: bool = False, changed: bool = False) -> bool:
        """A file stands at `path`. `first_seen_by`: the pattern that found it, in the first scan; `won`: it was another pipeline's until
        now; `changed`: it surely has. False when it could not be taken up and must be shown again."""
        current = self._table.at.get(path)
        if current is not None and current.file == look[:2]:
            current.displaced = False
            self._grown(current, look, changed=changed)
        elif known := self._table.generations.get(look[:2]):
            self._moved(known, path)
            self._grown(known, look, changed=changed)
        elif not self._table.is_left(look):
            return self._arrived(path, look, first_seen_by, won=won)
        return True

    def vanished(self, path: str) -> None:
        """Nothing stands at `path` any more. What was there is read to its end through its handle."""
        if generation := self._table.at.get(path):
            generation.displaced = True
            self._keep_nameless(generation)
            self._table.wanted(generation)

    def _keep_nameless(self, generation: Generation) -> None:
        """What is in a file that has no name any more can be read only by who holds it: once read it goes to where it is durable."""
        if generation.is_nameless:
            self._context.keep(generation.stream, generation.descriptor)
            self._context.source_goes(generation.stream, more_comes=True)

    # --- one file ---------------------------------------------------------------------------------------------------------------
    def _grown(self, generation: Generation, look: Look, *, changed: bool) -> None:
        if not changed and not generation.differs(look.st_size, look.st_mtime_ns):
            return
        may_grow = generation.unread and generation.is_open and not generation.is_unpacked and look.st_size >= generation.size
        if may_grow and generation.unchanged():  # else the reader is soon there, or it holds something else by now: `ahead` tells
            generation.size = look.st_size
            generation.note_ahead()
        generation.drained = False
        self._table.wanted(generation)

    def _moved(self, generation: Generation, path: str) -> None:
        """A known file stands at a path where something else stood, or nothing."""
        previous = self._table.at.get(path)
        if previous is not None and previous is not generation:
            previous.displaced = previous.displaced or previous.location == path
            self._table.wanted(previous)
        generation.location = path
        generation.displaced = False
        self._table.at[path] = generation

    def _arrived(self, path: str, look: Look, first_seen_by: str, *, won: bool) -> bool:
        file = look[:2]
        note = self._table.notes.get(file)
        if won or file in self._table.taken_elsewhere or self._restoring.is_others(file):
            self._restoring.expect(file)
        if file in self._table.expected:  # known, but it could not be opened before
            return self._restoring.at(file, path)
        stood = won or bool(first_seen_by and self._stood_before(first_seen_by))
        if note is None and stood and self._note(path, look, first_seen_by):
            return True
        return self._opened(path, file) if note is None or note[1:3] != look[2:] else True

    def _opened(self, path: str, file: FileId) -> bool:
        """Open a file to read it, unless it is none of ours to read after all."""
        content = None if self.handles.lacking else self._table.open(path)
        if content is None:
            return False
        if content.file != file or self._is_no_log(path, content):
            content.close()
            return content.file == file  # else it was replaced just now
        return self._is_remounted(path, content) or self._begin(path, content)

    def _begin(self, path: str, content: Content) -> bool:
        """Read a file from its beginning, or from where the server or a note says."""
        note = self._table.notes.get(content.file)
        self._table.is_known_copy(content)  # forgets a former file with its inode; what that was packed into is a copy still
        self._table.left_alone.pop(content.file, None)
        if copy := self._table.copies.pop(content.file, None):
            self._table.end_stream(*copy)
        previous = self._table.at.get(path)
        before = (previous.born, previous.modified) if previous is not None else self._table.last.get(path, (0, 0))
        generation = self._table.new(content, path, before=before)
        if generation is None:
            return False
        stored = self._context.stored_end(generation.key)
        if stored is not None and content.reaches(stored):
            generation.seek(stored)
            self._context.remember(generation.stream, generation.position())
        elif note is not None and note.born == content.identity.born:  # else the inode came back as another file
            limit, tail = self._config.max_event_bytes, standing.tail_bytes(self._config)
            generation.seek(standing.first_offset(content.descriptor, note.size, tail, limit, self._config.file_encoding))
        if note is not None:
            self._context.remember(generation.stream, generation.position())  # durable before its note goes
            self._table.notes.drop(content.file)
        self._follow_on(generation, path, before)
        return True

    def _is_no_log(self, path: str, content: Content) -> bool:
        """Whether a file that turned up is a copy of what is read already, or compressed: it is left alone until it changes."""
        if is_compressed(content.read_at(8, 0)):
            self._context.count("compressed_files_skipped")
            status = content.status()
            self._table.left_alone[content.file] = status.st_size, status.st_mtime_ns
            return True
        return self._succession.is_copy(path, content, self._standing)

    def _is_remounted(self, path: str, content: Content) -> bool:
        """Whether it is the file that stood there, on a mount that has another device number now."""
        previous = self._table.at.get(path)
        if previous is None or previous.file[0] == content.file[0] or previous.file[1] != content.file[1]:
            return False
        if not (previous.born == content.identity.born and previous.holds(content)):
            return False
        position = previous.proof
        del self._table.generations[previous.file]
        previous.take(content, path)
        previous.go_on(position)
        self._table.generations[previous.file] = previous
        self._table.wanted(previous)
        return True

    def _standing(self, path: str) -> Generation | None:
        """The generation that stands at a path, or was deleted there, verified; None when none does. Open, unless that is impossible."""
        generation = self._table.at.get(path)
        if generation is None:
            return None
        if not generation.is_open and not self.reopen(generation):
            return self._table.at.get(path)  # it was truncated, or is gone
        if not generation.unchanged():
            return self.truncated(generation)
        return generation if _stands(generation, path) or not os.fstat(generation.descriptor).st_nlink else None

    def _stood_before(self, pattern: str) -> bool:
        return not self._config.tailing_all_matched_files and self._marks.is_new(pattern)

    def _note(self, path: str, look: Look, pattern: str) -> bool:
        """Note a file, without opening it. False when it is gone, or the server has something of it already."""
        try:
            born = self._context.platform.born_at(path)
        except OSError:
            return False
        if self._context.stored_end(stream_key(FileIdentity(look.st_dev, look.st_ino, born))) is not None:
            return False
        self._table.notes.add(look[:2], note_of(look, born), path, self._marks.name(pattern))
        return True

    # --- letting go -------------------------------------------------------------------------------------------------------------
    def let_go(self, path: str) -> None:
        """Another pipeline has the better claim on this path: what stands there now is read to its end, then it is left to that one."""
        self._table.let_go(path)

    def let_go_below(self, directory: str, until: float, kept: Callable[[str], bool]) -> None:
        """A root is gone: its files are read to their end, at most until then (monotonic seconds), unless another root covers them."""
        for generation in self.generations:
            if not generation.leaving_by and is_below(generation.path, directory) and not kept(generation.path):
                generation.leaving_by, generation.root_gone = until, True
                self._table.wanted(generation)

    def leave(self, generation: Generation) -> None:
        """It has been read to its end, or its time is over, and is let go."""
        if generation.root_gone:
            why = "it was not read to its end within the life time of its root"
            self._table.losses.add(generation.key, generation.offset, generation.size, path=generation.path, why=why)
            self._table.forget(generation)
            return
        generation.close()
        self._context.leave_stream(generation.stream, generation.saved)
        self._table.drop(generation)

    def _follow_on(self, generation: Generation, path: str, before: tuple[int, int]) -> None:
        """`generation` stands at `path` now: it is read after what stood there before, and after what came and went in between."""
        previous = self._table.at.get(path)
        if previous is not None and previous is not generation and previous.is_open:
            previous = self._as_it_is(previous)
            generation.opened = time.time_ns()
            self._context.remember(generation.stream, generation.position())
        if previous is not None and previous is not generation:
            previous.displaced, previous.drained = True, False
            self._keep_nameless(previous)
            self._table.wanted(previous)
        self._table.at[path] = generation
        for next_ in [*(self._succession.missed.between(*before, generation, path) if any(before) else []), generation]:
            if previous is not None and previous is not next_:
                read_after(previous, next_)
            previous = next_
            self._table.wanted(next_)

    def _as_it_is(self, generation: Generation) -> Generation | None:
        """What an open file holds now: what it held before is found first, where it was copied away, before what came after it. None when
        nothing of it is to be read."""
        if not generation.unchanged():
            return self.truncated(generation)
        if not generation.offset and generation.may_have_changed():
            self.came_before(generation)
        return generation

    def _look_for_missed(self) -> None:
        """What was rotated away unseen and no new file led to: there is none yet, or it was known already when the agent was killed."""
        for path, born, modified in self._unsearched.paths(self._table):
            self._succession.missed.take(path, born, modified, self._standing(path))

    def truncated(self, generation: Generation) -> Generation | None:
        """What the reader found: the open file is no longer what was read of it."""
        if self.is_searching:
            self._table.wanted(generation)
            return generation
        return self._succession.truncated(generation, generation.proof, generation.size)

    def came_before(self, generation: Generation) -> bool:
        """Whether something stood at its path after it was last seen, empty, and was copied away before it got what is in it now."""
        return self._succession.missed.came_before(generation)

    def shortened(self, generation: Generation, seen: Sight) -> bool:
        """Only bytes that were `seen` and not read were cut off: the file goes on as it is at the last look. False when a copy of all of
        it shows that it began anew instead."""
        now = generation.sight
        generation.see(seen)
        if self.is_searching:
            self._table.wanted(generation)
            return False
        if self._succession.is_copied_away(generation):
            self._succession.truncated(generation, generation.proof, seen.size)
            return False
        generation.see(now)
        generation.note_ahead()
        start = max(generation.offset, now.size)
        key = f"{generation.key}<{time.time_ns():x}"
        self._table.losses.add(key, start, seen.size, path=generation.path, why="its end was cut off")
        return True

    def look_after(self, generation: Generation) -> None:
        """A file has changed that cannot be read yet: hold it, and where it was truncated, the copy of what it held. OSError."""
        if generation.ended or generation.is_unpacked or not (generation.is_open or (not self.handles.lacking and self.reopen(generation))):
            return
        seen = generation.sight
        if not generation.offset and generation.may_have_changed() and self.came_before(generation):
            return
        generation.look(time.time_ns())
        if not generation.unchanged():
            generation.see(seen)
            self.truncated(generation)
        elif generation.size < seen.size:
            self.shortened(generation, seen)
        else:
            generation.note_ahead()
            if not generation.head[0]:
                generation.note_head()
            self._remember_sight(generation)

    def _remember_sight(self, generation: Generation) -> None:
        """What was seen beyond the last range: were it gone at the next start, its bytes would be lost uncounted. Of a file that may soon
        be gone at once, of others now and then: many files may grow while their target is away."""
        size, at = generation.told
        now = time.monotonic()
        if generation.size > size and (generation.displaced or now - at >= TELL_SECS):
            generation.told = generation.size, now
            self._context.remember(generation.stream, generation.position())

    def end(self, generation: Generation, why: str = "the file was deleted") -> None:
        """Its file is gone, and it is read as far as it could be."""
        self._succession.end(generation, why)

    def give_up_deleted(self) -> None:
        """Close deleted files beyond the agent's bounds, read or not."""
        displaced = [one for one in self._table.generations.values() if one.displaced and one.content is not None]
        for generation, bound in self._deleted.beyond(displaced, time.monotonic()):
            if not generation.is_open:  # the end of another one has shown what became of it
                continue
            generation.look(time.time_ns())
            if unread := generation.unread:
                message = "a deleted file is held open no longer, though not all of it was read"
                self._context.alarm("FILE_READER_EXCEED_ALARM", message, path=generation.path, bound=bound, unread_bytes=unread)
            self.end(generation, f"the file was deleted, and `{bound}` lets it be held no longer")

    def paused(self, generation: Generation) -> None:
        """There is nothing to read in it now; of a compressed copy, which never grows, nothing will ever come."""
        if generation.content is not None and generation.is_unpacked and generation.content.ends_at(generation.offset):
            if damage := generation.content.damage:
                self._damaged(generation, damage)
            self._succession.read_through(generation)

    def _damaged(self, generation: Generation, why: str) -> None:
        """What follows in a compressed copy cannot be unpacked: counted as far as it was seen before it was compressed."""
        self._context.count("copies_damaged")
        message = "a part of a compressed copy is lost"
        self._context.alarm("DROP_LOG_ALARM", message, path=generation.location, reason=why, offset=generation.offset)
        self._table.losses.add(generation.key, generation.offset, generation.size, path=generation.path, why=why)

    def leave_compressed(self, generation: Generation) -> None:
        """It turned out to hold a compressed copy, no log."""
        self._context.count("compressed_files_skipped")
        self._table.left_alone[generation.file] = generation.size, generation.modified
        self._table.forget(generation)

    def release_followers(self, generation: Generation) -> None:
        self._table.release_followers(generation)

    # --- opening and closing ----------------------------------------------------------------------------------------------------
    def reopen(self, generation: Generation) -> bool:
        """Open a closed generation, wherever it is now; False when that is not possible. It may turn out to have been truncated."""
        location = generation.location
        content = content_at(self._table, generation, location)
        if content is None and (found := find_file(str(Path(location).parent), generation.file)):
            generation.location = found
            content = content_at(self._table, generation, found)
        if content is None:
            self._came_back_as_another(generation)
            return False
        generation.content = content
        if not generation.resume():
            self._succession.truncated(generation, generation.saved, generation.size)
            return False
        return True

    def open_same(self, generation: Generation) -> bool:
        return go_on_where_it_stood(self._table, generation)

    def _came_back_as_another(self, generation: Generation) -> None:
        """A closed file that was deleted, and whose inode another one has got since, is gone; that one is new."""
        path, look = generation.location, look_at(generation.location)
        if look is None or look[:2] != generation.file:
            return
        try:
            born = self._context.platform.born_at(path)
        except OSError:
            return
        if born and generation.born not in (0, born):
            generation.size = seen(generation.saved)  # a look at the other one may have been taken for its growth
            self.end(generation)
            self.look(path, look, changed=True)

    def _close_idle(self, here: set[FileId]) -> None:
        now = time.monotonic()
        for generation in self.open_generations:
            status = os.fstat(generation.descriptor)
            read_to_end = generation.drained and status.st_size == generation.offset
            quiet_for = self._config.close_unused_reader_interval_sec if generation.file in here else ROTATED_SECS
            if read_to_end and now - generation.grown_at > quiet_for and status.st_nlink and not generation.followers:
                generation.close()

    def close(self) -> None:
        for generation in self._table.generations.values():
            generation.close()
        self._deleted.close()

    def known_at(self, path: str) -> Generation | None:
        """What stood at a path when it was looked at last."""
        return self._table.at.get(path)

    # --- for the schedule -------------------------------------------------------------------------------------------------------
    @property
    def leaving(self) -> list[Generation]:
        return [one for one in self._table.generations.values() if one.leaving_by]

    @property
    def generations(self) -> list[Generation]:
        """All that are at work, open or closed; from any thread."""
        return list(self._table.generations.values())

    @property
    def open_generations(self) -> list[Generation]:
        return [one for one in self._table.generations.values() if one.content is not None]


def _stands(generation: Generation, path: str) -> bool:
    look = look_at(path)
    return look is not None and look[:2] == generation.file


def _is_gone(path: str, file: FileId) -> bool:
    """Whether a file that is not found has been deleted, rather than its whole mount being away."""
    try:
        return Path(path).parent.stat().st_dev == file[0] and find_file(str(Path(path).parent), file) is None
    except OSError:
        return False
