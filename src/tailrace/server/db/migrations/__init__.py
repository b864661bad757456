"""Alembic's environment and the migrations, shipped inside the package. Each file names the one that it follows: one chain, no branches."""
