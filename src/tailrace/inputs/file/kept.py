"""Files that lost their name while they were read: the supervisor keeps them open, so that the end of a worker loses nothing of them."""

from tailrace.inputs.file.content import Content
from tailrace.inputs.file.rotation import content_of
from tailrace.pipeline.contract import InputContext


def kept_content(context: InputContext, stream: str) -> Content | None:
    """The file of a stream that a former worker let be kept; None when there is none that can be read."""
    descriptor = context.kept(stream)
    if descriptor is None:
        return None
    try:
        return content_of(context.platform, descriptor)
    except OSError:
        return None
