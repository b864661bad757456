"""Writes of one moment go as one, in order, and none is kept back."""

import asyncio
from asyncio import Transport

import pytest

from tailrace.server.api.joined_writes import LONGEST_JOINED_BYTES, JoinedWrites


class Connection(Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written, self.closed = list[bytes](), False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
def connection() -> Connection:
    return Connection()


async def test_a_head_and_its_short_body_are_one_write(connection: Connection) -> None:
    joined = JoinedWrites(connection, asyncio.get_running_loop())
    joined.write(b"head ")
    joined.write(b"body")
    assert connection.written == []
    joined.flush()
    assert connection.written == [b"head body"]


async def test_a_head_without_a_body_yet_goes_at_the_end_of_the_turn(connection: Connection) -> None:
    joined = JoinedWrites(connection, asyncio.get_running_loop())
    joined.write(b"head of a stream")
    await asyncio.sleep(0)
    assert connection.written == [b"head of a stream"]


async def test_a_long_piece_goes_behind_what_is_held_and_is_not_copied_to_it(connection: Connection) -> None:
    joined = JoinedWrites(connection, asyncio.get_running_loop())
    long = bytes(LONGEST_JOINED_BYTES)
    joined.write(b"head")
    joined.write(long)
    joined.write(b"end")
    await asyncio.sleep(0)
    assert connection.written == [b"head", long, b"end"]


async def test_what_is_held_goes_before_the_connection_is_closed(connection: Connection) -> None:
    joined = JoinedWrites(connection, asyncio.get_running_loop())
    joined.write(b"the last answer")
    joined.close()
    assert connection.written == [b"the last answer"]
    assert connection.closed


async def test_nothing_is_written_to_a_connection_that_closes(connection: Connection) -> None:
    joined = JoinedWrites(connection, asyncio.get_running_loop())
    joined.write(b"an answer")
    connection.close()
    await asyncio.sleep(0)
    assert connection.written == []
