"""Alembic's environment and the migrations, shipped inside the package. Revision ids are rising numbers."""
