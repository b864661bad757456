"""The classic form of a collection config, as the SLS API has it (`inputType`, `inputDetail`, `outputDetail`).

Its keys and its translation into a pipeline; `docs/howto/classic-configs.md` tells what becomes of each key.
"""

from tailrace.pipeline.classic.translation import Classic, is_classic, translated

__all__ = ["Classic", "is_classic", "translated"]
