"""What `doctor` says."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Level: TypeAlias = Literal["ok", "info", "warning"]
MARKS: Final[dict[str, str]] = {"ok": "[ OK ]", "info": "[Info]", "warning": "[Warning]"}
"""Those of the manual's script for diagnosis."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and the remedy. A warning is a reason why something is not collected, or not sent."""

    level: Level
    text: str
    remedy: str = ""
    check: str = ""
    """Its name in the table of checks."""


def ok(text: str) -> Finding:
    return Finding("ok", text)


def info(text: str, remedy: str = "") -> Finding:
    return Finding("info", text, remedy)


def warning(text: str, remedy: str) -> Finding:
    return Finding("warning", text, remedy)
