"""`tailrace agent doctor`: why an agent does not collect or does not send, and what to do about it.

It looks for itself, at files, limits, names, ports and certificates, and asks the agent and the server where they answer. It needs neither,
and changes nothing.
"""

from tailrace.agent.doctor.checks import CHECKS, examine
from tailrace.agent.doctor.file import examine_file
from tailrace.agent.doctor.finding import MARKS, Finding, Level
from tailrace.agent.doctor.scene import Scene, look

__all__ = ["CHECKS", "MARKS", "Finding", "Level", "Scene", "examine", "examine_file", "look"]
