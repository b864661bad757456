"""Which fields a logstore's line index leaves to their own indexes: none where it was made before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("indexes", sa.Column("line_without", sa.JSON(), server_default="[]", nullable=False))
