"""Queries of typical dashboards, and what DuckDB says that their answers are."""
