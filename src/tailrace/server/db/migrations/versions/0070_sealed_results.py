"""What agents lay down for a command is encrypted."""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0051"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("command_results", sa.Column("is_sealed", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("command_results", "is_sealed")
