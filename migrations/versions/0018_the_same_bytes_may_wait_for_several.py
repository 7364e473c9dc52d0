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
    _require_one_open()
    with op.batch_alter_table("submission_versions", schema=None) as batch_op:
        batch_op.drop_column("dated")
    # Of the same bytes one row is kept, as before: the one that still waits, else the first.
    op.execute(
        "DELETE FROM quarantine WHERE state <> 'open' AND EXISTS (SELECT 1 FROM quarantine AS other"
        " WHERE other.project_id = quarantine.project_id AND other.sha256 = quarantine.sha256"
        " AND other.reason = quarantine.reason AND (other.state = 'open' OR other.id < quarantine.id))"
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.drop_index("ix_quarantine_sha256")
        batch_op.create_unique_constraint(_UNIQUE, ["project_id", "sha256", "reason"])


def _require_one_open() -> None:
    several = op.get_bind().execute(
        sa.text(
            "SELECT COUNT(*) FROM (SELECT 1 FROM quarantine WHERE state = 'open'"
            " GROUP BY project_id, sha256, reason HAVING COUNT(*) > 1) AS several"
        )
    )
    if count := several.scalar_one():
        raise RuntimeError(
            f"In quarantine the same bytes wait for several instances ({count} times), which the schema before 0018 "
            "cannot hold. Decide about them first, until at most one of each is open."
        )
