"""The append-only, checksummed segment log: the server's journal and the agent's spool."""

from tailrace.journal.directory import make_directory, sync_directory
from tailrace.journal.group import GroupCommit
from tailrace.journal.log import FORMAT_VERSION, Damage, Entry, Found, Journal, Place, Record

__all__ = ["FORMAT_VERSION", "Damage", "Entry", "Found", "GroupCommit", "Journal", "Place", "Record", "make_directory", "sync_directory"]
