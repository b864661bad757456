"""Shards that were split or merged, and consumer groups with what each of them has read."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shards", sa.Column("closed", sa.BigInteger(), nullable=True))
    op.create_table(
        "consumer_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("logstore_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("timeout", sa.Integer(), nullable=False),
        sa.Column("in_order", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consumer_groups"),
        sa.UniqueConstraint("logstore_id", "name", name="uq_consumer_groups_logstore_id"),
        sa.ForeignKeyConstraint(["logstore_id"], ["logstores.id"], name="fk_consumer_groups_logstore_id", ondelete="CASCADE"),
    )
    op.create_table(
        "consumed_shards",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("checkpoint", sa.String(64), server_default="", nullable=False),
        sa.Column("updated", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("consumer", sa.String(256), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("group_id", "shard", name="pk_consumed_shards"),
        sa.ForeignKeyConstraint(["group_id"], ["consumer_groups.id"], name="fk_consumed_shards_group_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("consumed_shards")
    op.drop_table("consumer_groups")
    op.drop_column("shards", "closed")
