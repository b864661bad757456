"""Which projects agents worked for when they were commanded."""

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("commands", sa.Column("others", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    op.drop_column("commands", "others")
