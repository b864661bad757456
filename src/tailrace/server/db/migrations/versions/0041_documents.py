"""What clients keep here for themselves (saved searches, dashboards, jobs), and tags."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("modified", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("project_id", "kind", "name", name="uq_documents_project_id"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_documents_project_id", ondelete="CASCADE"),
    )
    op.create_table(
        "tags",
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("resource", sa.String(320), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("value", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "type", "resource", "key", name="pk_tags"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_tags_project_id", ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("tags")
    op.drop_table("documents")
