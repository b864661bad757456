"""The root of trust for upgrades: its public half is laid down on an agent at enrolment and never replaced from the network after that."""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tailrace.errors import DamagedError
from tailrace.journal import write_private

FORMAT = 1


def open_upgrade_root(path: Path) -> dict[str, Any]:
    """The public root of the key in `path`, which is made when it is not there. DamagedError."""
    if not path.exists():
        write_private(path, Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
    try:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text("ascii").strip()))
    except ValueError as error:
        raise DamagedError(f"`{path}` does not hold the root key of upgrades", hint="put it back from a backup") from error
    public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
    return {"format": FORMAT, "threshold": 1, "keys": [{"scheme": "ed25519", "public": public}]}
