"""What is seen of a file and what proves it are of the same bytes, though a program empties and fills the file at any moment."""

import os

from tailrace.inputs.file.content import Content
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.reader import FEW_BYTES
from tailrace.pipeline.platform import FileIdentity
from tests.property.test_file_generations import FileLife


class Rewritten(Content):
    """A file that is written anew, shorter, when it is looked into for the first time."""

    left = True

    def read_at(self, size, offset):
        if self.left:
            self.left = False
            os.truncate(self.path, 0)
            self.path.write_bytes(b"new\n")
        return super().read_at(size, offset)


def rewritten(path):
    path.write_bytes(b"old\n" * 1000)
    content = Rewritten(os.open(path, os.O_RDONLY), FileIdentity(0, 0, 0))
    content.path = path
    return content


def test_a_look_into_a_file_that_is_written_anew_meanwhile_is_of_what_is_in_it_then(tmp_path):
    generation = Generation("0:0:0", (0, 0), 0, "/x.log", "/x.log", content=rewritten(tmp_path / "x.log"))
    generation.look_into()
    assert (generation.size, generation.head[0], generation.ahead[0]) == (4, 4, 4)
    assert generation.unchanged()
    generation.close()


def test_what_is_copied_away_between_a_look_and_the_reading_is_read_first(monkeypatch):
    world, plain = FileLife().world, Content.read_at
    left = [world.copytruncate, lambda: world.write(1)]

    def read_at(content, size, offset):
        if size == FEW_BYTES and world.places[world.live].lines[-1:] == [b"line 000003 of incarnation 1"]:
            while left:
                left.pop(0)()
        return plain(content, size, offset)

    try:
        world.write(1)
        world.look()
        world.read(5)
        world.rename(create=True)
        world.pass_time(100_000_000)
        world.look()
        world.read(5)
        world.pass_time(30_000_000)
        world.write(3)
        monkeypatch.setattr(Content, "read_at", read_at)
        world.look()
        world.read(5)
        world.settle()
        world.verify()
        assert world.contents == [line for one in world.all for line in one.lines]
        assert not left
    finally:
        world.remove()
