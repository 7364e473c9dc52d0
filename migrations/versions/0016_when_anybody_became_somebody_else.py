"""when anybody became somebody else is found"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_memberships_opened", "memberships", ["project_id", "opened"])
    op.create_index("ix_memberships_closed", "memberships", ["project_id", "closed"])


def downgrade() -> None:
    op.drop_index("ix_memberships_closed", "memberships")
    op.drop_index("ix_memberships_opened", "memberships")
