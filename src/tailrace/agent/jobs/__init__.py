"""Runs that end: history that is imported, and pipelines that read what stands and stop (docs/howto/import-history.md)."""
