"""Agents in several projects: their keys, machines and grants, join tokens; keys that expire; quotas of projects and logstores."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("projects", "logstores"):
        op.add_column(table, sa.Column("quota", sa.JSON(), server_default="{}", nullable=False))
    op.add_column("keys", sa.Column("expires", sa.BigInteger(), nullable=True))
    op.create_table(
        "grants",
        sa.Column("agent_id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(63), nullable=False),
        sa.Column("logstores", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agent_id", "project", name="pk_grants"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_grants_agent_id", ondelete="CASCADE"),
    )
    op.execute("INSERT INTO grants (agent_id, project, logstores, created) SELECT id, project, logstores, created FROM agents")
    for name, length in (("public_key", 64), ("machine_id", 64), ("host_name", 255), ("boot_id", 64)):
        op.add_column("agents", sa.Column(name, sa.String(length), server_default="", nullable=False))
    op.add_column("agents", sa.Column("revoked", sa.BigInteger(), nullable=True))
    op.drop_column("agents", "project")
    op.drop_column("agents", "logstores")
    _create_tokens()


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("project", sa.String(63), nullable=False),
        sa.Column("logstores", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(255), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
