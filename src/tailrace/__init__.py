"""Tailrace: collect, store and query logs on machines of your own."""

__version__ = "0.1.0"
