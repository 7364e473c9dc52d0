"""an issue keeps on how many open pairs it hung"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pairs = sa.JSON().with_variant(JSONB(), "postgresql")
    with op.batch_alter_table("statement_issues", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pairs", pairs, server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("statement_issues", schema=None) as batch_op:
        batch_op.drop_column("pairs")
