"""What a supervisor is told to run, and the command line that says so."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Order:
    """One agent on one home."""

    home: Path
    run: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """For the worker, as it is: its pipelines, its log level."""
    stops_at_eof: bool = False
    """The end of standard input, by the death of whoever started this, is the request to stop."""

    def command(self) -> Sequence[str]:
        """What starts a supervisor with this order."""
        words = {"home": str(self.home), "run": self.run, "stops_at_eof": self.stops_at_eof}
        return [sys.executable, "-P", "-m", "tailrace.agent.supervisor", json.dumps(words)]

    @classmethod
    def of(cls, text: str) -> "Order":
        words = json.loads(text)
        return cls(Path(words["home"]), words["run"], bool(words["stops_at_eof"]))
