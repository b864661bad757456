"""What outlives a power cut: the append-only, checksummed segment log (the server's journal, the agent's spool), directories, and small
files that are replaced as a whole. `group` commits for many tasks at once; it alone needs an event loop."""

from tailrace.journal.directory import make_directory, sync_directory
from tailrace.journal.log import FORMAT_VERSION, Damage, Entry, Found, Journal, Place, Record, segment_path
from tailrace.journal.private import write_private

__all__ = [
    "FORMAT_VERSION",
    "Damage",
    "Entry",
    "Found",
    "Journal",
    "Place",
    "Record",
    "make_directory",
    "segment_path",
    "sync_directory",
    "write_private",
]
