"""The agent's spool: encoded ranges on the local disk while their target cannot take them (DESIGN §4.3; docs/specs/spool.md)."""

from tailrace.agent.spool.record import Kept
from tailrace.agent.spool.shelf import OVERHEAD, Ref, Shelf
from tailrace.agent.spool.spool import Found, Spool, release

__all__ = ["OVERHEAD", "Found", "Kept", "Ref", "Shelf", "Spool", "release"]
