"""Small writes of one moment as one: a head and its short body make one record of TLS and one call of the system, not two."""

from asyncio import AbstractEventLoop, Transport

# A longer piece goes by itself: to copy it costs more than the call that it saves.
LONGEST_JOINED_BYTES = 16_384


class JoinedWrites:
    """What answers are written to, in place of their connection's `transport`. What is held goes at the end of the loop's turn."""

    def __init__(self, transport: Transport, loop: AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        if len(self._held) + len(data) > LONGEST_JOINED_BYTES:
            self.flush()
            self._transport.write(data)
            return
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held += data

    def flush(self) -> None:
        """Write what is held; nothing to a connection that closes."""
        if self._held and not self._transport.is_closing():
            self._transport.write(bytes(self._held))
        self._held.clear()

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
