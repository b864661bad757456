"""The agent's own truth: what is counted, what happened lately, and how it is shown (docs/howto/monitor-an-agent.md)."""
