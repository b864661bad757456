"""Passwords: argon2id, on threads of their own, so that logging in neither holds up the server nor fills its memory."""

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

from tailrace.errors import ApiError

Result = TypeVar("Result")

SHORTEST: Final = 10
LONGEST: Final = 256
AT_ONCE: Final = 2
"""Each takes 64 MB and some tens of milliseconds."""
MOST_WAITING: Final = 16


class Passwords:
    """One per server."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What is kept of it. Raises ApiError 400 for one that is too short or too long, 429 when too many are at it."""
        check_length(password)
        return await self._run(hash_password, password)

    async def matches(self, password: str, known: str | None) -> bool:
        """Costs as much for a user that is not there, of whom nothing is `known`. Raises ApiError 429 when too many are at it."""
        return await self._run(_verify, known, password[: LONGEST + 1])

    async def _run(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self._waiting >= MOST_WAITING:
            raise ApiError(429, "TooManyAttempts", "too many people log in at this moment", retry_after=1.0)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        finally:
            self._waiting -= 1


def check_length(password: str) -> None:
    if not SHORTEST <= len(password) <= LONGEST:
        raise ApiError(400, "ParameterInvalid", f"a password has {SHORTEST} to {LONGEST} characters")


def hash_password(password: str) -> str:
    """PHC string, with salt and costs."""
    from argon2 import PasswordHasher  # noqa: PLC0415 - nobody may ever log in

    return PasswordHasher().hash(password)


def _verify(known: str | None, password: str) -> bool:
    from argon2 import PasswordHasher  # noqa: PLC0415
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415

    try:
        PasswordHasher().verify(_nobodys() if known is None else known, password)
    except (VerificationError, InvalidHashError):
        return False
    return known is not None


@cache
def _nobodys() -> str:
    return hash_password(secrets.token_hex())
