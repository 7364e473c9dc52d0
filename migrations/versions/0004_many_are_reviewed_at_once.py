"""many are reviewed at once"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_bulks",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("project_id", "id", name=op.f("pk_review_bulks")),
    )
    op.create_table(
        "bulk_reviewed",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("bulk", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("submission_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id", "bulk"],
            ["review_bulks.project_id", "review_bulks.id"],
            name=op.f("fk_bulk_reviewed_project_id_bulk"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id", "submission_id"],
            ["submissions.project_id", "submissions.id"],
            name=op.f("fk_bulk_reviewed_project_id_submission_id"),
        ),
        sa.PrimaryKeyConstraint("project_id", "bulk", "submission_id", name=op.f("pk_bulk_reviewed")),
    )
    with op.batch_alter_table("bulk_reviewed", schema=None) as batch_op:
        batch_op.create_index("ix_bulk_reviewed_submission", ["project_id", "submission_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("bulk_reviewed", schema=None) as batch_op:
        batch_op.drop_index("ix_bulk_reviewed_submission")

    op.drop_table("bulk_reviewed")
    op.drop_table("review_bulks")
