"""`/etc/tailrace/installed.json`: what an installation made, for the commands that look after it and the one that takes it away."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tailrace.agent.installation.layout import Layout
from tailrace.agent.kinds import checked
from tailrace.errors import DamagedError, NewerFormatError

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made_user`: whether the user was made for it. `directories`: those that were not there before, outer ones first."""

    version: str
    prefix: str
    user: str
    made_user: bool = False
    files: Sequence[str] = field(default_factory=list[str])
    """Unit, init script and commands."""
    directories: Sequence[str] = field(default_factory=list[str])

    def text(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    def layout(self, destdir: Path) -> Layout:
        return Layout(self.version, Path(self.prefix), destdir, self.user)


def read(path: Path) -> Manifest | None:
    """None where nothing is installed. DamagedError, NewerFormatError."""
    try:
        document = json.loads(path.read_bytes())
        if document.pop("format") > FORMAT:
            raise NewerFormatError(f"cannot use `{path}`: a newer release has installed this agent", hint="use that release's command")
        return checked(Manifest(**document))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"`{path}` does not say what is installed ({error})", hint="install again, which writes it anew") from error
