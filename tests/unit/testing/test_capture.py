"""What a capture flusher was given can be looked at, in order, whatever it answered."""

import json

from tailrace.batch import EventBatch
from tailrace.pipeline.contract import Identity, Outcome
from tailrace.testing.capture import CaptureFlusher


async def test_payloads_of_every_request_are_kept_and_the_script_is_followed() -> None:
    flusher = CaptureFlusher(Outcome.RETRY)
    batch = EventBatch.from_events([(1_000_000_000, [(b"name", b"a")])])
    payloads = flusher.encode(batch, Identity(b"e" * 16, "00000000000000AB", 1, 0, 10, b"f" * 16))
    answers = [(await flusher.send(payloads)).outcome for _ in range(2)]
    assert answers == [Outcome.RETRY, Outcome.ACKNOWLEDGED]
    assert [[json.loads(one.body)["name"] for one in request] for request in flusher.sent] == [["a"], ["a"]]
