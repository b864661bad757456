"""What is seen of a file and what proves it are of the same bytes, though a program empties and fills the file at any moment."""

import os

from tailrace.inputs.file.content import Content
from tailrace.inputs.file.generation import Generation
from tailrace.pipeline.platform import FileIdentity


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
