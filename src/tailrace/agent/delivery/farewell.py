"""Streams that have ended, until their server has been told, so that it need not know them any longer (docs/specs/batch-form.md).

A farewell rides along with the next request, or goes alone after a while. One that is lost, by a crash or with the session, costs nothing
but some memory of the server, which forgets the stream by itself after 30 days.
"""

import time
from collections import deque
from collections.abc import Sequence

from tailrace.agent.lanes.streams import Stream
from tailrace.batch import EventBatch
from tailrace.pipeline.contract import Flusher, Identity, Payload

LINGER_SECS = 1.0
MOST_IN_A_REQUEST = 64
MOST_WAITING = 10_000


class Farewells:
    """Of one target. They belong to the event loop."""

    def __init__(self, flusher: Flusher, epoch: bytes) -> None:
        self._flusher = flusher
        self._epoch = epoch
        self._waiting: deque[tuple[float, Payload]] = deque(maxlen=MOST_WAITING)

    def add(self, stream: Stream) -> None:
        """The stream has ended and its end is durable in the checkpoint, so that none of its ranges can ever be sent again."""
        if not self._flusher.recognises_repeats:
            return
        following = stream.acknowledged_below
        identity = Identity(self._epoch, stream.id, following, 0, 0, bytes(16), acknowledged_below=following, ended=True)
        now = time.monotonic()
        self._waiting.extend((now, payload) for payload in self._flusher.encode(EventBatch.from_events([]), identity))

    def due_in(self) -> float | None:
        """Seconds until one has waited long enough; None when there is none."""
        return self._waiting[0][0] + LINGER_SECS - time.monotonic() if self._waiting else None

    def take(self, company: Sequence[Payload]) -> list[Payload]:
        """Those that go along with `company`: one request has one compression."""
        taken: list[Payload] = []
        compression = company[0].compression if company else None
        while self._waiting and len(taken) < MOST_IN_A_REQUEST and compression in (None, self._waiting[0][1].compression):
            taken.append(self._waiting.popleft()[1])
        return taken
