"""Asks before something is deleted for good: its name has to be typed, so that a slip of the hand deletes nothing."""

from typing import Annotated

from cyclopts import Parameter

from tailrace.cli.output import note
from tailrace.errors import UsageError

YES = Annotated[bool, Parameter(help="Do not ask.", negative="")]


def is_confirmed(question: str, name: str, *, yes: bool) -> bool:
    """Whether to go on. Raises UsageError where there is nobody to ask."""
    if yes:
        return True
    try:
        answer = input(f"{question} type its name: ")
    except EOFError:
        raise UsageError(f"nobody is there to confirm that `{name}` is to go", hint="`--yes` says that nobody has to") from None
    if answer.strip() != name:
        note("nothing was deleted")
        return False
    return True
