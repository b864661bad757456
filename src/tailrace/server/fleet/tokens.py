"""Makes and checks join tokens. The database never holds what a token opens."""

import hmac
import secrets
from collections.abc import Sequence

from tailrace.errors import ApiError
from tailrace.server.auth.keys import ALPHABET
from tailrace.server.db.records import Token
from tailrace.server.db.roster import Roster
from tailrace.wire.join_token import JoinToken, parse_token

ID_BYTES = 6
SECRET_LENGTH = 43  # 256 bits
NO_HASH = "0" * 64


def new_token(
    project: str, logstores: Sequence[str], *, uses: int | None, expires: int, now: int, fingerprint: str, note: str
) -> tuple[Token, JoinToken]:
    """What is kept, and what its maker gets to see this once. Times are Unix seconds."""
    shown = JoinToken(secrets.token_hex(ID_BYTES), "".join(secrets.choice(ALPHABET) for _ in range(SECRET_LENGTH)), fingerprint)
    return Token(shown.id, shown.secret_hash, project, tuple(logstores), note, uses, 0, now, expires), shown


def genuine_token(roster: Roster, text: str) -> Token:
    """The token behind a text, whatever is left of it. Raises ApiError 401 TokenInvalid; which part is wrong is not told."""
    try:
        shown = parse_token(text)
    except ValueError as error:
        raise ApiError(400, "ParameterInvalid", str(error)) from None
    known = roster.token(shown.id)
    if not hmac.compare_digest(known.secret_hash if known else NO_HASH, shown.secret_hash) or known is None:
        raise ApiError(401, "TokenInvalid", "the join token is unknown, used up, expired or revoked")
    return known
