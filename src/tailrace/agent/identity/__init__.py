"""Who this agent is: its id and key pair, the servers it joined, the keys for data that they lend it (docs/howto/enrol-agents.md)."""
