"""what is kept says which page asked for it and when it was used last"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(sa.text("DELETE FROM worked_out"))  # nothing hangs on it
    with op.batch_alter_table("worked_out", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("worked_out", schema=None) as batch_op:
        batch_op.drop_column("used_at")
        batch_op.drop_column("asked")
