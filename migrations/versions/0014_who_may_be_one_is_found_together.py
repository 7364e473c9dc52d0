"""those who may be one person are found together"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_memberships_fewest", "memberships", ["project_id", "fewest_id"])


def downgrade() -> None:
    op.drop_index("ix_memberships_fewest", "memberships")
