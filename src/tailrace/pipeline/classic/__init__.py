"""The classic form of a collection config, as the SLS API has it (`inputType`, `inputDetail`, `outputDetail`).

Its `keys` and its `translation` into a pipeline; `docs/howto/classic-configs.md` tells what becomes of each key. Both are loaded when a
document is a classic one: on most machines none is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tailrace.pipeline.documents import Value


@dataclass(frozen=True, slots=True)
class Classic:
    """What a pipeline was translated from: the document word for word, and remarks on it."""

    document: Mapping[str, Any]
    remarks: tuple[str, ...]


def is_classic(value: Value) -> bool:
    return isinstance(value, dict) and ("inputDetail" in value or "outputDetail" in value)
