"""what somebody did to a list is found by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    of_lists = sa.text("kind = 'list'")
    op.create_index(
        "ix_events_list",
        "events",
        ["project_id", "number"],
        unique=False,
        postgresql_where=of_lists,
        sqlite_where=of_lists,
    )


def downgrade() -> None:
    op.drop_index("ix_events_list", "events")
