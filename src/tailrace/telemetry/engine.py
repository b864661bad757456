"""structlog, loaded without rich.

structlog loads rich for its coloured tracebacks as soon as rich is installed, which it is for the CLI: 170 ms of CPU and 7 MB in every
process, for something that a log file never shows. While structlog loads, rich looks absent.
"""

import sys

hidden = {} if "rich" in sys.modules else {"rich": None}
sys.modules.update(hidden)  # pyright: ignore[reportArgumentType, reportCallIssue]  # None means "cannot be imported"
try:
    import structlog
finally:
    for name in hidden:
        del sys.modules[name]

__all__ = ["structlog"]
