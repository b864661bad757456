"""The first schema: projects, logstores, shards, indexes, agents, keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("name", name="uq_projects_name"),
    )
    _create_logstores()
    _create_indexes()
    _create_keys()


def _create_logstores() -> None:
    op.create_table(
        "logstores",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("ttl", sa.Integer(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_logstores"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_logstores_project_id", ondelete="CASCADE"),
        sa.UniqueConstraint("project_id", "name", name="uq_logstores_project_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "shards",
        sa.Column("logstore_id", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("begin_key", sa.String(32), nullable=False),
        sa.Column("end_key", sa.String(32), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("logstore_id", "shard", name="pk_shards"),
        sa.ForeignKeyConstraint(["logstore_id"], ["logstores.id"], name="fk_shards_logstore_id", ondelete="CASCADE"),
    )
    op.create_table(
        "drops",
        sa.Column("logstore_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("logstore_id", name="pk_drops"),
    )


def _create_indexes() -> None:
    op.create_table(
        "indexes",
        sa.Column("logstore_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("logstore_id", name="pk_indexes"),
        sa.ForeignKeyConstraint(["logstore_id"], ["logstores.id"], name="fk_indexes_logstore_id", ondelete="CASCADE"),
    )
    op.create_table(
        "index_columns",
        sa.Column("logstore_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("first_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("logstore_id", "number", name="pk_index_columns"),
        sa.ForeignKeyConstraint(["logstore_id"], ["logstores.id"], name="fk_index_columns_logstore_id", ondelete="CASCADE"),
        sa.UniqueConstraint("logstore_id", "key", "type", name="uq_index_columns_logstore_id"),
    )


def _create_keys() -> None:
    op.create_table(
        "agents",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("project", sa.String(63), nullable=False),
        sa.Column("logstores", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agents"),
    )
    op.create_table(
        "keys",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("agent_id", sa.String(64), nullable=True),
        sa.Column("project", sa.String(63), nullable=False),
        sa.Column("logstores", sa.JSON(), nullable=False),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name="fk_keys_agent_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    for table in ("keys", "agents", "index_columns", "indexes", "drops", "shards", "logstores", "projects"):
        op.drop_table(table)
