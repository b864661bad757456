"""Brings what is in the outbox to one project: one small request after the other, each entry once, without haste."""

import asyncio
import hashlib
from typing import Final

from tailrace import telemetry
from tailrace.agent.delivery.backoff import Backoff
from tailrace.agent.diagnostics.outbox import Entry, Outbox
from tailrace.agent.identity.identity import AgentIdentity, Enrolment
from tailrace.batch import EventBatch, fingerprint
from tailrace.flushers.sls import FlusherSls, SlsConfig
from tailrace.pipeline.contract import Delivery, Identity, Outcome, Payload
from tailrace.wire.internal_logs import LOGSTORE

FIRST_PAUSE_SECS: Final = 1.0
LONGEST_PAUSE_SECS: Final = 300.0
MOST_ENTRIES: Final = 32
MOST_BYTES: Final = 1_048_576
"""Of one request, and at least one entry."""
NS: Final = 1_000_000_000

log = telemetry.logger("agent.diagnostics")


class Courier:
    """Of one enrolment; it belongs to the diagnostics' event loop."""

    def __init__(self, enrolment: Enrolment, identity: AgentIdentity, outbox: Outbox, *, host_name: str, address: str) -> None:
        self._project = enrolment.project
        self._outbox = outbox
        self._source = address.encode()
        self._tags = [(b"__hostname__", host_name.encode())] if host_name else []
        config = {"Endpoint": enrolment.endpoint, "Project": enrolment.project, "Logstore": LOGSTORE}
        self._flusher = FlusherSls(SlsConfig.model_validate(config))
        self._flusher.start(identity)
        self.destination = self._flusher.destination
        self._stream = hashlib.blake2b(f"{identity.agent_id} {self.destination}".encode(), digest_size=8).hexdigest().upper()
        self._pause = Backoff(FIRST_PAUSE_SECS, LONGEST_PAUSE_SECS)
        self._most = MOST_ENTRIES
        """Of the next request: fewer after a refusal, until what is refused is alone."""
        self._is_failing = False
        self.news = asyncio.Event()
        """Set when something was put into the outbox."""
        outbox.position(self.destination)

    async def run(self) -> None:
        """Until cancelled."""
        await self._flusher.open()
        try:
            while True:
                self.news.clear()
                while entries := self._next():
                    await self._deliver(entries)
                await self.news.wait()
        finally:
            await self._flusher.close()

    def _next(self) -> list[Entry]:
        found: list[Entry] = []
        size = 0
        for entry in self._outbox.after(self._outbox.position(self.destination), self._project):
            size += len(entry.source)
            if found and size > MOST_BYTES:
                break
            found.append(entry)
            if len(found) == self._most or not self._flusher.recognises_repeats:  # one that knows no identities takes one at a time
                break
        return found

    async def _deliver(self, entries: list[Entry]) -> None:
        """Return when they are there or were given up, and all that stands before the last of them is, too; or after a pause. Of several
        that are refused for what they are, fewer are tried next: only the one that is to blame is given up."""
        rows, last = sum(len(entry.rows) for entry in entries), entries[-1].sequence
        payloads = [payload for entry in entries for payload in self._payloads(entry, entries[0].sequence)]
        delivery = await self._flusher.send(payloads)
        if delivery.outcome is Outcome.ACKNOWLEDGED:
            self._pause.succeeded()
            self._most = min(2 * self._most, MOST_ENTRIES)
            self._outbox.sent(self.destination, last, rows)
            self._tell(delivery)
        elif delivery.outcome is Outcome.FORK:
            self._outbox.renew()
        elif delivery.outcome is Outcome.DATA and len(entries) > 1:
            self._most = len(entries) // 2
        elif delivery.outcome is Outcome.DATA:
            self._outbox.lost(rows, delivery.message)
            self._outbox.sent(self.destination, last, 0)
        else:
            self._tell(delivery)
            await asyncio.sleep(self._pause.failed(delivery.retry_after))

    def _payloads(self, entry: Entry, oldest: int) -> list[Payload]:
        rows = [{**row, "project": self._project} for row in entry.rows]
        events = [(entry.at * NS, [(key.encode(), value.encode()) for key, value in row.items()]) for row in rows]
        batch = EventBatch.from_events(events)
        batch.topic, batch.source, batch.tags = entry.topic.encode(), self._source, self._tags
        identity = Identity(
            self._outbox.epoch,
            self._stream,
            entry.sequence,
            entry.sequence,
            entry.sequence + 1,
            fingerprint(entry.source),
            acknowledged_below=oldest,
        )
        return self._flusher.encode(batch, identity)

    def _tell(self, delivery: Delivery) -> None:
        """A change is worth a line in the log; it raises no alarm, which would only come here."""
        failing = delivery.outcome is not Outcome.ACKNOWLEDGED
        if failing != self._is_failing:
            self._is_failing = failing
            message = (
                "cannot send what the agent says about itself; it is kept" if failing else "what the agent says about itself is sent again"
            )
            log.info(message, project=self._project, code=delivery.code, reason=delivery.message)
