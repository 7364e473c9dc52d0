"""a desk for those who review: saved views, who looks at what, and the indexes of the lists"""

import sqlalchemy as sa
from alembic import op

from sync.models.base import Json

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("filters", Json, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_saved_views")),
    )
    op.create_table(
        "review_leases",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("submission_id", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "actor_id", name=op.f("pk_review_leases")),
    )
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.create_index("ix_submissions_state", ["project_id", "review_state", "id"], unique=False)
        batch_op.create_index("ix_submissions_place", ["project_id", "place", "id"], unique=False)
        batch_op.create_index(
            "ix_submissions_flagged",
            ["project_id", "id"],
            unique=False,
            postgresql_where=sa.text("flags <> '[]'"),
            sqlite_where=sa.text("flags <> '[]'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_submissions_flagged",
            postgresql_where=sa.text("flags <> '[]'"),
            sqlite_where=sa.text("flags <> '[]'"),
        )
        batch_op.drop_index("ix_submissions_place")
        batch_op.drop_index("ix_submissions_state")

    op.drop_table("review_leases")
    op.drop_table("saved_views")
