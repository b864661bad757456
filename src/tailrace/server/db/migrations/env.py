"""Runs the migrations on the connection that `database.migrate` hands over."""

from alembic import context
from sqlalchemy import Connection

from tailrace.server.db.tables import Base

connection: Connection = context.config.attributes["connection"]
# SQLite cannot alter most things in place: batch mode copies the table.
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
