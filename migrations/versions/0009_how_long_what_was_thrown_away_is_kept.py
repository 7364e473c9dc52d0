"""how long a project keeps what was deleted and discarded, and its log of webhooks"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.add_column(sa.Column("keep_deleted", sa.BigInteger(), server_default="30", nullable=False))
        batch_op.add_column(sa.Column("keep_deliveries", sa.BigInteger(), server_default="30", nullable=False))
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.add_column(sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_quarantine_discarded",
            ["project_id", "discarded_at"],
            unique=False,
            postgresql_where=sa.text("discarded_at IS NOT NULL"),
            sqlite_where=sa.text("discarded_at IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_quarantine_discarded",
            postgresql_where=sa.text("discarded_at IS NOT NULL"),
            sqlite_where=sa.text("discarded_at IS NOT NULL"),
        )
        batch_op.drop_column("discarded_at")
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.drop_column("keep_deliveries")
        batch_op.drop_column("keep_deleted")
