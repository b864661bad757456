"""Asks for a new password: twice where a person types it, once where it is piped in. On a command line others would see it."""

import sys
from getpass import getpass

from tailrace.errors import UsageError


def old_password(name: str) -> str:
    """A line before the new one where it is piped in."""
    return getpass(f"present password of {name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def new_password(name: str) -> str:
    """Raises UsageError when the two differ."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass(f"new password of {name}: ")
    if getpass("once more: ") != first:
        raise UsageError("the two passwords differ")
    return first
