"""most figures are counted from an index alone"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_TEXTS = ("place", "subject", "by1", "by2", "by3", "by4", "by5", "by6")
_LOOKED_AT = ["wide", "closed", "opened", "place", "subject", "value", "by1", "by2", "by3", "by4", "by5", "by6"]
_OPEN = sa.text("closed IS NULL")


def upgrade() -> None:
    op.add_column("contributions", sa.Column("wide", sa.Boolean(), server_default=sa.false(), nullable=False))
    long = " + ".join(f"coalesce(length({name}), 0)" for name in _TEXTS)
    op.execute(f"UPDATE contributions SET wide = true WHERE {long} > 600")  # noqa: S608 — names of columns
    op.drop_index("ix_contributions_open", "contributions")
    for name, others, which in (("open", _LOOKED_AT, "NOT wide"), ("wide", [], "wide")):
        op.create_index(
            f"ix_contributions_{name}",
            "contributions",
            ["project_id", "indicator_id", "day", *others],
            unique=False,
            postgresql_where=sa.text(f"closed IS NULL AND {which}"),
            sqlite_where=sa.text(f"closed IS NULL AND wide = {int(which == 'wide')}"),
        )


def downgrade() -> None:
    op.drop_index("ix_contributions_wide", "contributions")
    op.drop_index("ix_contributions_open", "contributions")
    op.create_index(
        "ix_contributions_open",
        "contributions",
        ["project_id", "indicator_id", "day"],
        unique=False,
        postgresql_where=_OPEN,
        sqlite_where=_OPEN,
    )
    with op.batch_alter_table("contributions", schema=None) as batch_op:
        batch_op.drop_column("wide")
