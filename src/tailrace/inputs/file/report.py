"""What a generation looks like from outside: for status pages."""

from tailrace.inputs.file.generation import Generation
from tailrace.pipeline.contract import SourceState, SourceStatus


def source_status(generation: Generation) -> SourceStatus:
    device, inode = generation.file
    size = max(generation.size, generation.offset)
    return SourceStatus(generation.stream, generation.location, device, inode, size, generation.offset, _state(generation, size))


def _state(generation: Generation, size: int) -> SourceState:
    if generation.offset < size:
        return "behind"
    if generation.displaced:
        return "rotated"
    return "up to date" if generation.is_open else "closed"
