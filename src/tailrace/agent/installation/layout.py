"""Where an installed agent has what (DESIGN §5).

PREFIX/lib/tailrace/<v>/        the program: an interpreter's environment with all that the agent needs; root's
PREFIX/lib/tailrace/program     link to the one that the service starts
PREFIX/bin/tailrace             link to its command
/etc/tailrace/                  settings, pipelines, ids, secrets; `installed.json` says what was made
/var/lib/tailrace/              the home: checkpoint, spool, `versions/<v>`, `current`, and links to the parts that stand elsewhere
/var/log/tailrace/              what the agent says
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USER: Final = "tailrace"
SERVICE: Final = "tailrace-agent"
ROOT_USER: Final = "root"

CONFIG_PARTS: Final = ("agent.yaml", "config.d", "pipelines", "user_defined_id", "users", "secret")
"""Parts of the home that stand in /etc/tailrace."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`destdir` stands before every path while packages are built, and in no file."""

    version: str
    prefix: Path = Path("/usr/local")
    destdir: Path = Path("/")
    user: str = USER
    home: Path = Path("/var/lib/tailrace")
    config: Path = Path("/etc/tailrace")
    logs: Path = Path("/var/log/tailrace")

    def at(self, path: Path) -> Path:
        """Where a path is written."""
        return self.destdir / path.relative_to("/")

    @property
    def programs(self) -> Path:
        return self.prefix / "lib" / "tailrace"

    @property
    def program(self) -> Path:
        return self.programs / self.version

    @property
    def started(self) -> Path:
        """The link to the program that the service starts."""
        return self.programs / "program"

    @property
    def commands(self) -> Path:
        return self.prefix / "bin"

    @property
    def unit(self) -> Path:
        """Packages have theirs below /usr, administrators theirs below /etc (systemd.unit(5))."""
        directory = Path("/usr/lib/systemd/system") if self.prefix == Path("/usr") else Path("/etc/systemd/system")
        return directory / f"{SERVICE}.service"

    @property
    def init_script(self) -> Path:
        return Path("/etc/init.d") / SERVICE

    @property
    def manifest(self) -> Path:
        return self.config / "installed.json"

    @property
    def links(self) -> Mapping[Path, Path]:
        """Links in the home, and where they lead."""
        return {
            **{self.home / name: self.config / name for name in CONFIG_PARTS},
            self.home / "logs": self.logs,
            self.home / "versions" / self.version: self.program,
        }
