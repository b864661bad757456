"""Settings that the agents of a machine group get."""

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "group_settings",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("saved", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", name="pk_group_settings"),
        sa.ForeignKeyConstraint(["group_id"], ["machine_groups.id"], name="fk_group_settings_group_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("group_settings")
