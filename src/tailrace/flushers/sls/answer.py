"""What an answer of the SLS API means for the data that was sent (DESIGN §4.3, Agent 7)."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from tailrace.flushers.connection import Answer
from tailrace.pipeline.contract import Delivery, Outcome

ABOUT_THE_DATA = frozenset({"PostBodyInvalid", "PostBodyTooLarge", "InvalidKey", "InvalidEncoding"})
QUOTA = frozenset({"WriteQuotaExceed", "ProjectQuotaExceed", "ShardWriteQuotaExceed", "ReadQuotaExceed"})
APART = timedelta(seconds=5)
"""Less is not told apart from whole seconds and the way there."""
CLOCK = frozenset({"RequestTimeExpired", "RequestTimeTooSkewed"})
FORKED = "IdentityForked"
MAX_MESSAGE = 300
LONGEST_SECS = 3600.0
"""As long as a target may ask to be left alone."""
NO_DATE = (ValueError, TypeError, OverflowError)
"""What the standard library raises of a text that is no date."""


def judge(answer: Answer) -> Delivery:
    """All payloads of the request or none."""
    if answer.status == 200:
        return Delivery(Outcome.ACKNOWLEDGED)
    code, message = _error(answer)
    return Delivery(_outcome(answer.status, code), code or str(answer.status), message, _retry_after(answer))


def _outcome(status: int, code: str) -> Outcome:
    if status == 409 and code == FORKED:
        return Outcome.FORK
    if status == 413 or (status == 400 and code in ABOUT_THE_DATA):
        return Outcome.DATA
    if status == 429 or code in QUOTA:
        return Outcome.THROTTLED
    return {401: Outcome.UNAUTHORIZED, 403: Outcome.UNAUTHORIZED, 404: Outcome.MISSING}.get(status, Outcome.RETRY)


def clock_offset(answer: Answer) -> timedelta | None:
    """How far the server's clock is ahead of ours, when it refused the request for its time and says what time it is."""
    if answer.status == 200 or _error(answer)[0] not in CLOCK:
        return None
    try:
        return parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)
    except (KeyError, *NO_DATE):
        return None


def server_ahead(answer: Answer) -> timedelta:
    """How far the clock of whoever answered is ahead of ours by its `Date`; nothing where that is less than APART, or not told."""
    try:
        ahead = parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)
    except (KeyError, *NO_DATE):
        return timedelta()
    return ahead if abs(ahead) >= APART else timedelta()


def _error(answer: Answer) -> tuple[str, str]:
    try:
        document = json.loads(answer.body)
        return str(document["errorCode"]), str(document["errorMessage"])[:MAX_MESSAGE]
    except (ValueError, KeyError, TypeError):
        return "", answer.body[:MAX_MESSAGE].decode("utf-8", "replace")


def _retry_after(answer: Answer) -> float | None:
    """Seconds; whoever answers may name an instant instead (RFC 9110 §10.2.3), by its own clock where it tells that."""
    told = answer.headers.get("retry-after", "")
    if not told:
        return None
    try:
        seconds = float(told) if told[-1:].isdigit() else (_instant(told) - _instant(answer.headers.get("date", ""))).total_seconds()
    except NO_DATE:
        return None
    return min(LONGEST_SECS, max(0.0, seconds))


def _instant(text: str) -> datetime:
    """A date of HTTP; now, when there is none. NO_DATE."""
    return parsedate_to_datetime(text) if text else datetime.now(UTC)
