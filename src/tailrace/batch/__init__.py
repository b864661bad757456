"""Event batches: the native kernel where it is installed, else its pure-Python twin. `TAILRACE_PURE=1` forces the twin.

The contract of both is `kernel/tailrace_kernel.pyi`.
"""

import os
from typing import TYPE_CHECKING

from tailrace.errors import StaleKernelError

if TYPE_CHECKING:
    from tailrace_kernel import (
        DecodeError,
        Encoded,
        EventBatch,
        Failures,
        Pattern,
        PatternError,
        RecordRule,
        StoreColumns,
        compress,
        decompress,
        fingerprint,
        record_end,
    )

    NATIVE: bool
else:
    NATIVE = os.environ.get("TAILRACE_PURE", "") in ("", "0")
    if NATIVE:
        try:
            import tailrace_kernel as _engine
        except ImportError:
            NATIVE = False
        else:
            # What the kernel learned last: its version alone does not tell builds of one release apart.
            if not hasattr(_engine, "StoreColumns"):
                raise StaleKernelError(
                    "the native kernel is older than this release",
                    hint="run `make kernel`; with `TAILRACE_PURE=1` its twin does the work, slower",
                )
    if not NATIVE:
        from tailrace.batch import reference as _engine

    DecodeError = _engine.DecodeError
    Encoded = _engine.Encoded
    EventBatch = _engine.EventBatch
    Failures = _engine.Failures
    Pattern = _engine.Pattern
    PatternError = _engine.PatternError
    RecordRule = _engine.RecordRule
    StoreColumns = _engine.StoreColumns
    compress = _engine.compress
    decompress = _engine.decompress
    fingerprint = _engine.fingerprint
    record_end = _engine.record_end

__all__ = [
    "NATIVE",
    "DecodeError",
    "Encoded",
    "EventBatch",
    "Failures",
    "Pattern",
    "PatternError",
    "RecordRule",
    "StoreColumns",
    "compress",
    "decompress",
    "fingerprint",
    "record_end",
]
