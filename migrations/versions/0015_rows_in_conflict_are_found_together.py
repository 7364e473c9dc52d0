"""rows in conflict are found together"""

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


def downgrade() -> None:
    op.drop_index("ix_entities_conflict", "entities")
