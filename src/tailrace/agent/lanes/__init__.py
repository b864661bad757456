"""Pipelines at work: a lane runs one input to one target, its streams say what is under way; a restart takes them up again."""
