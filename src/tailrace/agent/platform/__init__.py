"""All that differs by operating system: file identity, watching, the owner's lock, limits, processes and their titles.

Nothing outside this package imports `fcntl`, `pwd`, `resource` or calls `os.fork`; a test keeps it so.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tailrace.agent.platform.host import Host, ProcessState, Space, Watching
from tailrace.agent.platform.port import AgentPlatform, Given, OwnerLock, Processes, Service, Usage, Users
from tailrace.errors import UsageError

__all__ = [
    "AgentPlatform", "Given", "Host", "OwnerLock", "ProcessState", "Processes", "Service", "Space", "Usage", "Users", "Watching",
    "current", "host", "processes", "service", "systemd_is_first", "users",
]  # fmt: skip


def current(own_state: Sequence[Path] = (), *, roots: Sequence[Path] = (Path("/"),)) -> AgentPlatform:
    """The adapter for this system. `own_state` are the agent's directories, which no input may read; `roots` are where inputs may read at
    all. UsageError where there is none."""
    if sys.platform == "linux":
        from tailrace.agent.platform.linux import Linux  # noqa: PLC0415 - exists on Linux only

        return Linux(own_state, roots)
    raise _unsupported()


def processes() -> Processes:
    """The same for the supervisor: what it needs, and nothing heavier."""
    if sys.platform == "linux":
        from tailrace.agent.platform.linux_process import LinuxProcesses  # noqa: PLC0415 - exists on Linux only

        return LinuxProcesses()
    raise _unsupported()


def host() -> Host:
    """The same for `doctor`, which only looks."""
    if sys.platform == "linux":
        from tailrace.agent.platform.linux_host import LinuxHost  # noqa: PLC0415 - exists on Linux only

        return LinuxHost()
    raise _unsupported()


def users() -> Users:
    """The users of this machine."""
    if sys.platform == "linux":
        from tailrace.agent.platform.linux_users import LinuxUsers  # noqa: PLC0415 - exists on Linux only

        return LinuxUsers()
    raise _unsupported()


def systemd_is_first() -> bool:
    """Whether systemd starts the services of this machine."""
    from tailrace.agent.platform import linux_service  # noqa: PLC0415 - only who installs needs it

    return sys.platform == "linux" and linux_service.systemd_is_first()


def service(name: str, init_script: Path) -> Service:
    """The service of an installed agent."""
    if sys.platform == "linux":
        from tailrace.agent.platform.linux_service import InitService, SystemdService  # noqa: PLC0415 - only who installs needs it

        return SystemdService(name) if systemd_is_first() else InitService(name, init_script)
    raise _unsupported()


def _unsupported() -> UsageError:
    return UsageError(f"the agent does not run on `{sys.platform}` yet", hint="run it on Linux")
