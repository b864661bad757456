"""Reading the bytes of a range again after a restart, wherever they are now: in their file, or in a copy of it."""

from collections.abc import Iterator
from pathlib import Path

from tailrace.batch import fingerprint
from tailrace.inputs.file.content import Content
from tailrace.inputs.file.kept import kept_content
from tailrace.inputs.file.restore import file_at
from tailrace.inputs.file.roots import Roots
from tailrace.inputs.file.rotation import find_file, open_content, rotated_from
from tailrace.pipeline.contract import InputContext, Range, StreamState


class Again:
    """Keeps the file of the last range open: the next one is most often in it, and unpacking a file from its beginning is slow."""

    def __init__(self) -> None:
        self._content: Content | None = None

    def read(self, context: InputContext, roots: Roots, stream: StreamState, done: Range) -> bytes | None:
        """The bytes of a range; None when they are gone or have changed."""
        block = self._read(context, roots, stream, done)
        if not stream.prepared or done is stream.prepared[-1]:
            self._close()
        return block

    def _read(self, context: InputContext, roots: Roots, stream: StreamState, done: Range) -> bytes | None:
        if self._content is not None and (block := _exactly(self._content, done)) is not None:
            return block
        self._close()
        if (content := kept_content(context, stream.id)) is not None and (block := self._in(content, done)) is not None:
            return block
        for path in _places(stream, done):
            try:
                content = open_content(context.platform, path, beneath=roots.beneath(path))
            except OSError:
                continue
            if (block := self._in(content, done)) is not None:
                return block
        return None

    def _in(self, content: Content, done: Range) -> bytes | None:
        """The bytes, where a file holds them: then it stays open."""
        block = _exactly(content, done)
        if block is None:
            content.close()
        else:
            self._content = content
        return block

    def _close(self) -> None:
        if self._content is not None:
            self._content.close()
            self._content = None


def _places(stream: StreamState, done: Range) -> Iterator[str]:
    """Where the bytes may be: under the path, under another name, in a copy beside it; the fingerprint says whether they are."""
    path = str(done.position["path"])
    yield path
    for key_position in (done.position, stream.next):
        if found := find_file(str(Path(path).parent), file_at(stream.key, key_position)[0]):
            yield found
    yield from (one.path for one in rotated_from(path, relatives=True))


def _exactly(content: Content, done: Range) -> bytes | None:
    try:
        block = content.read_at(done.end - done.start, done.start)
    except OSError:
        return None
    return block if len(block) == done.end - done.start and fingerprint(block) == done.fingerprint else None
