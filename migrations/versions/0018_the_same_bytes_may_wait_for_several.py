"""the same bytes may wait in quarantine for several instances, and a version says whether it was dated"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_UNIQUE = "uq_quarantine_project_id_sha256_reason"


def upgrade() -> None:
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_constraint(_UNIQUE, type_="unique")
        batch_op.create_index("ix_quarantine_sha256", ["project_id", "sha256"])
    with op.batch_alter_table("submission_versions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("dated", sa.Boolean(), server_default=sa.true(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("submission_versions", schema=None) as batch_op:
        batch_op.drop_column("dated")
    # Of the same bytes only the first are kept, as they were before.
    op.execute(
        "DELETE FROM quarantine WHERE EXISTS (SELECT 1 FROM quarantine AS earlier"
        " WHERE earlier.project_id = quarantine.project_id AND earlier.sha256 = quarantine.sha256"
        " AND earlier.reason = quarantine.reason AND earlier.id < quarantine.id)"
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index("ix_quarantine_sha256")
        batch_op.create_unique_constraint(_UNIQUE, ["project_id", "sha256", "reason"])
