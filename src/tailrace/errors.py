"""Every error that Tailrace raises on purpose.

TailraceError
├── ConfigError              a pipeline, setting or plugin option is wrong (exit 2)
│   ├── SameNameError        another pipeline has the name already
│   ├── UnavailableError     it is right, and asks for what this release does not have
│   └── ConfigErrors         several of them, from one file, all at once
├── UsageError               a command was called with words that do not fit (exit 2)
├── UnreachableError         a server or target cannot be reached (exit 3)
├── ApiError                 an SLS-style answer with an error code (status, code, message)
│   └── TooLargeError        what was asked for weighs more than one answer may: asking for less helps
├── StateError               a file of ours on disk cannot be used
│   ├── NewerFormatError     written by a newer release
│   └── DamagedError         checksum, length or content is wrong
├── StaleKernelError         the native kernel is older than this release; an ImportError, too
├── ForkError                one identity, two contents: the sender's state was copied or rolled back
├── BusyError                a bounded resource is full; try again later
└── EngineError              the storage engine refused or failed
"""

from collections.abc import Sequence


class TailraceError(Exception):
    """`message` says what failed, on what and why, in one sentence; `hint` says what to do, or is empty."""

    code = "TR-000"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(TailraceError):
    """One mistake in a config. `where` is `file:line dotted.path`, as much of it as is known."""

    code = "TR-CFG"

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message, hint=hint)
        self.where = where


class SameNameError(ConfigError):
    """Two pipelines of one directory have one name."""


class UnavailableError(ConfigError):
    """A config names a public plugin or mode that this release does not have."""


class ConfigErrors(ConfigError):  # noqa: N818 - it holds several
    """All mistakes of one source, in reading order."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(error.message for error in errors))
        self.errors = list(errors)

    @property
    def only_unavailable(self) -> bool:
        """Nothing is wrong with the config: a release that has what it asks for would run it."""
        return all(isinstance(error, UnavailableError) for error in self.errors)


class UsageError(TailraceError):
    """The words of a command do not fit together."""

    code = "TR-USE"


class UnreachableError(TailraceError):
    """A server or target does not answer."""

    code = "TR-NET"


class ApiError(TailraceError):
    """An answer of the SLS API that is not a success: HTTP `status`, SLS `error_code` (sls-api §1.4) and a sentence.

    `retry_after`: seconds after which it is worth another try, None where nobody knows.
    """

    code = "TR-API"

    def __init__(self, status: int, error_code: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.retry_after = retry_after


class TooLargeError(ApiError):
    """An answer, or what the engine has to hold for it, is larger than it may be."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "ParameterInvalid", message)


class StateError(TailraceError):
    """A file that Tailrace keeps (checkpoint, journal, metadata, home) cannot be used."""

    code = "TR-STA"


class NewerFormatError(StateError):
    """The file was written by a newer release than this one."""


class DamagedError(StateError):
    """The file does not hold what its checksums promise."""


class StaleKernelError(TailraceError, ImportError):
    """The native kernel that is installed is older than the Python code: it lacks what this release asks of it."""

    code = "TR-KRN"


class ForkError(TailraceError):
    """The same identity was seen with other content."""

    code = "TR-FRK"


class BusyError(TailraceError):
    """A bounded queue, budget or disk is full."""

    code = "TR-BSY"


class EngineError(TailraceError):
    """The storage engine refused a statement or is not there. `engine_code` is its own error number, 0 when it has none."""

    code = "TR-ENG"

    def __init__(self, message: str, *, engine_code: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.engine_code = engine_code
