"""Opening again what was closed: the same file, wherever it stands."""

from pathlib import Path

from tailrace.inputs.file.content import Content
from tailrace.inputs.file.generation import Generation
from tailrace.inputs.file.registry import Registry
from tailrace.inputs.file.rotation import find_file
from tailrace.inputs.file.walk import Look, look_at


def content_at(table: Registry, generation: Generation, path: str) -> Content | None:
    """The file of a closed generation, if it stands at `path`; OSErrors are the registry's to tell."""
    content = table.open(path)
    if content is None:
        return None
    if content.file == generation.file and content.identity.born == generation.born:
        return content
    content.close()
    return None


def go_on_where_it_stood(table: Registry, generation: Generation) -> bool:
    """Open a closed generation if it stands where it stood and holds what was read of it; nothing else is done where it does not."""
    content = content_at(table, generation, generation.location)
    if content is None:
        return False
    generation.content = content
    if not generation.resume():
        generation.content = None
        content.close()
    return generation.is_open


def look_where_it_is(generation: Generation) -> Look | None:
    """A closed file that no pattern finds: whoever writes to it has it open still. None when it is not in its directory any more."""
    found = find_file(str(Path(generation.location).parent), generation.file)
    look = look_at(found) if found is not None else None
    if found is None or look is None or look[:2] != generation.file:
        return None
    generation.location = found
    return look
