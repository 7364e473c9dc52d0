"""an issue keeps what it said in each language"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "issue_texts",
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("small_cells", sa.Boolean(), nullable=False),
        sa.Column("written", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "name", "number"],
            ["statement_issues.project_id", "statement_issues.name", "statement_issues.number"],
            name=op.f("fk_issue_texts_project_id_name_number"),
        ),
        sa.PrimaryKeyConstraint("project_id", "name", "number", "language", "small_cells", name=op.f("pk_issue_texts")),
    )


def downgrade() -> None:
    op.drop_table("issue_texts")
