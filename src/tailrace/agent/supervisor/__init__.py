"""The supervisor: a small process that starts the worker, watches over it, and never touches log data (docs/concepts/supervision.md).

`supervisor` is its loop, `life` one worker process from its start to its end, `channel` what the two say to each other. It imports little
on purpose: a test holds its modules to the standard library and `tailrace.errors`.
"""
