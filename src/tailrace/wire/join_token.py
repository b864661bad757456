"""A join token's text: `tr1.<id>.<secret>.<fingerprint>`.

The fingerprint is that of a root certificate of the server: by it an agent knows the right server before it shows the secret.
"""

import hashlib
import re
from dataclasses import dataclass, field

FORM = re.compile(r"tr1\.([0-9a-z]{8,32})\.([0-9A-Za-z]{32,64})\.([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class JoinToken:
    """`repr` never shows the secret."""

    id: str
    secret: str = field(repr=False)
    fingerprint: str

    @property
    def text(self) -> str:
        return f"tr1.{self.id}.{self.secret}.{self.fingerprint}"

    @property
    def secret_hash(self) -> str:
        """What a server keeps: SHA-256, lower hex. The secret is random and long, so that a plain hash is enough."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


def parse_token(text: str) -> JoinToken:
    """Raises ValueError, whose text does not show the token."""
    match = FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError("a join token has the form `tr1.ID.SECRET.FINGERPRINT`")
    return JoinToken(match[1], match[2], match[3])
