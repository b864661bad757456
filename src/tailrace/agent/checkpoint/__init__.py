"""What the agent knows of its streams, durably: committed positions, prepared ranges, the epoch (DESIGN §4.3)."""

from tailrace.agent.checkpoint.opening import Opened, open_checkpoint
from tailrace.agent.checkpoint.rows import Content, StreamRow
from tailrace.agent.checkpoint.writer import Acknowledged, CheckpointWriter

__all__ = ["Acknowledged", "CheckpointWriter", "Content", "Opened", "StreamRow", "open_checkpoint"]
