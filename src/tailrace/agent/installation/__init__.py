"""Installing the agent on a machine, as a service that starts with it, and taking it away again (docs/howto/install-agent.md)."""
