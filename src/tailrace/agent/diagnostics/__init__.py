"""What the agent says about itself: alarms, a status and a profile, as logs in its projects and as snapshots in its home.

It has a thread, an event loop and connections of its own, and nothing of it passes through a pipeline: so it makes no alarms, no profile
and no load in the spool, and a target that is away holds it no more than it holds the target.
"""

from tailrace.agent.diagnostics.meter import Meter
from tailrace.agent.diagnostics.records import Facts
from tailrace.agent.diagnostics.reporting import Reporter, names, reporting

__all__ = ["Facts", "Meter", "Reporter", "names", "reporting"]
