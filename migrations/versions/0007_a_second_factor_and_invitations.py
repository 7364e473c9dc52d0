"""a second factor, invitations, and what a session or an API token is known by"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("actors", schema=None) as batch_op:
        batch_op.add_column(sa.Column("totp_secret", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("totp_since", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("totp_step", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        batch_op.add_column(sa.Column("name", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("address", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("agent", sa.Text(), nullable=True))
    op.create_table(
        "recovery_codes",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["actor_id"], ["actors.id"], name=op.f("fk_recovery_codes_actor_id")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_actor_id"), "recovery_codes", ["actor_id"])
    op.create_table(
        "invitations",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("project_id", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_invitations_project_id")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_invitations")),
    )
    op.create_index(op.f("ix_invitations_project_id"), "invitations", ["project_id"])


def downgrade() -> None:
    op.drop_table("invitations")
    op.drop_table("recovery_codes")
    # What stands for nobody before the code is there would be taken for a token.
    op.execute("DELETE FROM tokens WHERE kind = 'half'")
    with op.batch_alter_table("tokens", schema=None) as batch_op:
        for name in ("agent", "address", "name"):
            batch_op.drop_column(name)
    with op.batch_alter_table("actors", schema=None) as batch_op:
        for name in ("totp_step", "totp_since", "totp_secret"):
            batch_op.drop_column(name)
