"""Work for a client that ends when the client goes away."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tailrace.errors import ApiError
from tailrace.server.api.call import Call

T = TypeVar("T")


async def while_connected(call: Call, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled (down to the engine) when the client goes away."""
    if call.disconnected is None:
        return await work
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(call.disconnected())
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ApiError(400, "ParameterInvalid", "the client went away")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
