"""What agents are to collect: configs with all their versions, machine groups, and which config is applied to which group."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "configs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("form", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_configs"),
        sa.UniqueConstraint("project_id", "name", name="uq_configs_project_id"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_configs_project_id", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "config_versions",
        sa.Column("config_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("saved", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("config_id", "version", name="pk_config_versions"),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name="fk_config_versions_config_id", ondelete="CASCADE"),
    )
    _create_groups()


def _create_groups() -> None:
    op.create_table(
        "machine_groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("identify_by", sa.String(16), nullable=False),
        sa.Column("machines", sa.JSON(), nullable=False),
        sa.Column("group_type", sa.String(16), nullable=False),
        sa.Column("attribute", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_machine_groups"),
        sa.UniqueConstraint("project_id", "name", name="uq_machine_groups_project_id"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_machine_groups_project_id", ondelete="CASCADE"),
    )
    op.create_table(
        "bindings",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("config_id", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "config_id", name="pk_bindings"),
        sa.ForeignKeyConstraint(["group_id"], ["machine_groups.id"], name="fk_bindings_group_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["config_id"], ["configs.id"], name="fk_bindings_config_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    for table in ("bindings", "machine_groups", "config_versions", "configs"):
        op.drop_table(table)
