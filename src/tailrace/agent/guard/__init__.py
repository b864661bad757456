"""The agent's own protection of its machine: it slows down at its limits of CPU, memory and bandwidth (docs/concepts/supervision.md).

`limits` says what holds, `allowance` and `delivery.bandwidth` slow down, `guard` looks after all of them. Who stays over a limit although
it slows down is started again by the supervisor.
"""

from tailrace.agent.guard.guard import Guard
from tailrace.agent.guard.limits import Limits

__all__ = ["Guard", "Limits"]
