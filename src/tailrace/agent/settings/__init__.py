"""What the machine's administrator decides, where each value comes from, and what of it reaches pipelines."""
