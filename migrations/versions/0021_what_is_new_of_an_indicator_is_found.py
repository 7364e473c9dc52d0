"""what has come to an indicator since an event is found by an index"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    every = sa.text("opened > 0")
    op.create_index(
        "ix_contributions_opened",
        "contributions",
        ["project_id", "indicator_id", "opened"],
        unique=False,
        postgresql_where=every,
        sqlite_where=every,
    )


def downgrade() -> None:
    op.drop_index("ix_contributions_opened", "contributions")
