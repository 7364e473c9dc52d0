"""rows in conflict are found together, and when anybody was last said to be somebody else"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    in_conflict = sa.text("conflict IS NOT NULL")
    op.create_index(
        "ix_entities_conflict",
        "entities",
        ["project_id", "list_name", "event", "id"],
        postgresql_where=in_conflict,
        sqlite_where=in_conflict,
    )
    op.create_index("ix_memberships_opened", "memberships", ["project_id", "opened"])
    op.create_index("ix_memberships_closed", "memberships", ["project_id", "closed"])


def downgrade() -> None:
    op.drop_index("ix_memberships_closed", "memberships")
    op.drop_index("ix_memberships_opened", "memberships")
    op.drop_index("ix_entities_conflict", "entities")
