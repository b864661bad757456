"""Stand-ins for those who write plugins or tests against Tailrace: a clock, a flusher that keeps what it gets, a server of one's own.

There is no store in memory: queries are statements of the engine, so that only the engine can answer them. `server.local_server` has a real
one, ready within seconds.
"""
