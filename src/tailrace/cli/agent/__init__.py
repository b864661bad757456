"""The parts of `tailrace agent`: how the agent is, what it would do with a file, and history on purpose."""
