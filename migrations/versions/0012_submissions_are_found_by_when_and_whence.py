"""submissions are found by when they came and from which device, events by their moment alone"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.create_index("ix_submissions_received", ["project_id", "received_at", "id"], unique=False)
        batch_op.create_index("ix_submissions_device", ["project_id", "device", "id"], unique=False)
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_project_id_at")
        batch_op.create_index("ix_events_at", ["project_id", "at", "number"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("ix_events_at")
        batch_op.create_index("ix_events_project_id_at", ["project_id", "at"], unique=False)
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.drop_index("ix_submissions_device")
        batch_op.drop_index("ix_submissions_received")
